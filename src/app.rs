//! The composition root: the one file that knows every part. The program and the
//! tests both start here.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use sqlx::postgres::PgConnectOptions;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use utoipa_actix_web::AppExt;

use crate::clock::Clock;
use crate::handlers::openapi::{self, Document};
use crate::handlers::{self, Settings, error, trace};
use crate::postgres::guards::{self, GuardError};
use crate::postgres::{Database, PoolSettings};
use crate::sealing::Sealer;
use crate::services::Services;

/// What the application is put together from.
pub struct Parts {
    /// The database, as the application's role.
    pub database: PgConnectOptions,
    /// How many connections, and how long things wait.
    pub pool: PoolSettings,
    /// What opens the clients' secrets.
    pub sealer: Arc<Sealer>,
    /// What tells the time.
    pub clock: Clock,
    /// What handlers need to know.
    pub settings: Settings,
    /// How many threads serve. None for one a core.
    pub threads: Option<usize>,
    /// How long the service says that it is not ready before it takes no more requests.
    pub drain: Duration,
    /// How long requests that are under way may take at the end, in seconds.
    pub shutdown_timeout: u64,
}

/// Why the application does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database is not fit to serve from.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The address cannot be served on.
    #[error("cannot serve on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
}

/// The application, checked and not yet running.
pub struct Application {
    /// The server; it runs when it is awaited.
    pub server: Server,
    /// Its services.
    pub services: Services,
    drain: Duration,
}

/// Whether the process has been asked to stop, by Ctrl-C or SIGTERM.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens for the signals from now on.
    ///
    /// # Errors
    ///
    /// When the system does not let us.
    pub fn listen() -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (asked, stop) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            asked.send_replace(true);
            // Nothing is lost when nobody listens any more.
            asked.closed().await;
        });
        Ok(Self(stop))
    }

    /// Waits until the process is asked to stop.
    pub async fn requested(&mut self) {
        // The sender stays as long as there are receivers.
        let _asked = self.0.wait_for(|asked| *asked).await;
    }
}

/// Takes an address to serve on, so that it is known before anything is served.
///
/// # Errors
///
/// [`StartError::Listen`] when it is taken or not ours.
pub fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listener = TcpListener::bind(address).map_err(|error| StartError::Listen(address, error))?;
    let address = listener.local_addr().map_err(|error| StartError::Listen(address, error))?;
    Ok((listener, address))
}

/// Puts the services together and checks the database that they are over.
///
/// # Errors
///
/// [`StartError::Guard`] when the database is not fit to serve from.
pub async fn services(parts: &Parts) -> Result<Services, StartError> {
    let database = Database::new(parts.database.clone(), parts.pool);
    guards::check(database.probe()).await?;
    Ok(Services::new(database, parts.clock.clone(), parts.sealer.clone()))
}

/// Puts the application together.
///
/// # Errors
///
/// [`StartError::Listen`] when the listener cannot be used.
pub fn build(parts: Parts, services: Services, listener: TcpListener) -> Result<Application, StartError> {
    let address =
        listener.local_addr().map_err(|error| StartError::Listen(SocketAddr::from(([0, 0, 0, 0], 0)), error))?;
    let document = web::Data::new(Document::generate());
    let settings = web::Data::new(parts.settings);
    let shared = web::Data::new(services.clone());
    let mut server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(trace::trace))
            .app_data(shared.clone())
            .app_data(settings.clone())
            .app_data(document.clone())
            .service(openapi::serve_document)
            .service(openapi::redirect_to_page)
            .service(openapi::page())
            .into_utoipa_app()
            .configure(handlers::configure)
            .into_app()
            .default_service(web::to(error::no_such_operation))
    })
    .disable_signals()
    .shutdown_timeout(parts.shutdown_timeout);
    if let Some(threads) = parts.threads {
        server = server.workers(threads);
    }
    let server = server.listen(listener).map_err(|error| StartError::Listen(address, error))?.run();
    Ok(Application { server, services, drain: parts.drain })
}

impl Application {
    /// Serves until it is asked to stop, and then until what is under way is done.
    ///
    /// # Errors
    ///
    /// When the server fails.
    pub async fn run(self, stop: Stop) -> std::io::Result<()> {
        let handle = self.server.handle();
        tokio::spawn(stop_when_asked(handle, self.services, self.drain, stop));
        self.server.await
    }
}

async fn stop_when_asked(handle: ServerHandle, services: Services, drain: Duration, mut stop: Stop) {
    stop.requested().await;
    tracing::info!("stopping; what is under way is finished first");
    services.health.stop();
    tokio::time::sleep(drain).await;
    handle.stop(true).await;
}
