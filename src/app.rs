//! The composition root: the one file that knows every part. The program and the
//! tests both start here.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::{Condition, from_fn};
use actix_web::{App, HttpServer, guard, web};
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::config::{IdentityArgs, LimitArgs};
use crate::handlers::openapi::{self, Document};
use crate::handlers::{self, Settings, cors, error, health, idempotency, trace};
use crate::postgres::guards::{self, GuardError};
use crate::postgres::{Database, PoolSettings};
use crate::sealing::{HalfKey, Sealer, SealingError};
use crate::services::Services;
use crate::services::deletions::together::Queues;
use crate::services::health::Stopping;
use crate::services::identity::Keyring;
use crate::services::issuers::{IssuerError, Issuers};
use crate::services::recent::Recent;
use crate::services::tokens::signing::{SigningKeyError, SigningKeys};
use crate::workers::Workers;

/// What the application is put together from.
pub struct Parts {
    /// The database, as the application's role.
    pub database: PgConnectOptions,
    /// How many connections, and how long things wait.
    pub pool: PoolSettings,
    /// What callers are verified with.
    pub keyring: Keyring,
    /// What tells the time.
    pub clock: Clock,
    /// What handlers need to know.
    pub settings: Settings,
    /// How many batches are worked on at once in the background. None leaves that to other processes.
    pub workers: u32,
    /// How many threads serve. None for one a core.
    pub threads: Option<NonZero<usize>>,
    /// How long a connection stays open without a request.
    pub keep_alive: Duration,
    /// How long the service says that it is not ready before it takes no more requests.
    pub drain: Duration,
    /// How long requests that are under way may take at the end, in seconds.
    pub shutdown_timeout: u64,
}

impl Parts {
    /// The parts of a service over `database` that is found at `public_url`, in
    /// the measure that the command line gives.
    pub fn new(
        database: PgConnectOptions,
        keyring: Keyring,
        clock: Clock,
        public_url: &str,
        limits: &LimitArgs,
    ) -> Self {
        Self {
            database,
            pool: limits.pool(),
            keyring,
            clock,
            settings: Settings {
                public_url: canonical(public_url).to_owned(),
                record_bulk_limit: limits.record_bulk_limit.into(),
                cors_origins: limits.cors_origins.clone(),
            },
            workers: limits.workers,
            threads: limits.threads,
            keep_alive: Duration::from_secs(limits.keep_alive_seconds),
            drain: Duration::from_secs(limits.drain_seconds),
            shutdown_timeout: limits.shutdown_timeout,
        }
    }
}

/// Puts the keyring together, of a service that is found at `public_url`.
///
/// # Errors
///
/// [`KeyringError`] that names the setting's fault.
pub fn keyring(secret_key: &SecretString, public_url: &str, args: &IdentityArgs) -> Result<Keyring, KeyringError> {
    Ok(Keyring {
        sealer: Arc::new(Sealer::new(secret_key)?),
        signing: Arc::new(SigningKeys::new(canonical(public_url), secret_key, &args.signing_keys)?),
        issuers: Arc::new(Issuers::new(&args.issuers)?),
        half_key: Arc::new(HalfKey::new(secret_key)?),
        recent: Recent::default(),
    })
}

fn canonical(public_url: &str) -> &str {
    public_url.trim_end_matches('/')
}

/// Why there is no keyring.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The secret key is none.
    #[error(transparent)]
    Secret(#[from] SealingError),
    /// One of the signing keys is none.
    #[error(transparent)]
    Signing(#[from] SigningKeyError),
    /// The issuers cannot be used.
    #[error(transparent)]
    Issuers(#[from] IssuerError),
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
    workers: Workers,
    stopping: Stopping,
    drain: Duration,
}

/// Ctrl-C and SIGTERM. From when they are listened for they end nothing by themselves.
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Listens from now on.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the first that has come since they are listened for.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
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

/// Checks the database that is to be served from.
///
/// # Errors
///
/// [`StartError::Guard`] when it is not fit for that.
pub async fn check(parts: &Parts) -> Result<(), StartError> {
    let database = Database::new(parts.database.clone(), parts.pool);
    let checked = guards::check(database.probe()).await;
    database.close().await;
    Ok(checked?)
}

/// The services, for use within the calling runtime.
pub fn services(parts: &Parts) -> Services {
    let database = Database::new(parts.database.clone(), parts.pool);
    let (clock, keyring) = (parts.clock.clone(), parts.keyring.clone());
    Services::new(database, clock, keyring, Stopping::default(), Arc::default(), Queues::default())
}

/// Puts the application together.
///
/// # Errors
///
/// [`StartError::Listen`] when the listener cannot be used.
pub fn build(parts: Parts, listener: TcpListener) -> Result<Application, StartError> {
    let address =
        listener.local_addr().map_err(|error| StartError::Listen(SocketAddr::from(([0, 0, 0, 0], 0)), error))?;
    let threads = parts.threads.map_or_else(std::thread::available_parallelism, Ok).map_or(1, NonZero::get);
    let (keep_alive, drain) = (parts.keep_alive, parts.drain);
    let wake: Arc<Notify> = Arc::default();
    let workers = Workers::new(&parts, wake.clone());
    let document = web::Data::new(Document::gather());
    let origins = parts.settings.cors_origins.clone();
    let settings = web::Data::new(parts.settings);
    let stopping = Stopping::default();
    let shown = stopping.clone();
    let rung = wake;
    let queues = Queues::default();
    let server = HttpServer::new(move || {
        // Made by each thread for itself: a connection lives and dies with the thread that opened it, and one thread's
        // end must not break off what another has under way.
        let database = Database::new(parts.database.clone(), parts.pool.shared_by(threads));
        let (clock, keyring) = (parts.clock.clone(), parts.keyring.clone());
        let services = Services::new(database, clock, keyring, shown.clone(), rung.clone(), queues.clone());
        App::new()
            .wrap(from_fn(idempotency::once))
            .wrap(Condition::new(!origins.is_empty(), cors::allow(&origins)))
            .wrap(from_fn(trace::trace))
            .app_data(web::Data::new(services))
            .app_data(settings.clone())
            .app_data(document.clone())
            .service(openapi::serve_document)
            .service(openapi::redirect_to_page)
            .service(openapi::page())
            .service(web::resource("/livez").guard(guard::Head()).to(health::head_livez))
            .service(web::resource("/readyz").guard(guard::Head()).to(health::head_readyz))
            .configure(|config| refuse_other_methods(config, &document))
            .configure(handlers::configure)
            .default_service(web::to(error::no_such_operation))
    })
    .workers(threads)
    .keep_alive(keep_alive)
    .disable_signals()
    .shutdown_timeout(parts.shutdown_timeout)
    .listen(listener)
    .map_err(|error| StartError::Listen(address, error))?
    .run();
    Ok(Application { server, workers, stopping, drain })
}

/// Answers other methods at a path before a path with a variable in its place takes it for an id.
fn refuse_other_methods(config: &mut web::ServiceConfig, document: &Document) {
    for (path, methods) in document.words() {
        let methods = methods.to_vec();
        let is_other = guard::fn_guard(move |request| !methods.contains(&request.head().method.as_str()));
        config.service(web::resource(path).guard(is_other).to(error::no_such_operation));
    }
}

impl Application {
    /// Serves until it is asked to stop, and then until what is under way is done.
    ///
    /// # Errors
    ///
    /// When the server fails.
    pub async fn run(self, signals: StopSignals) -> std::io::Result<()> {
        tokio::spawn(stop_when_asked(signals, self.server.handle(), self.stopping.clone(), self.drain));
        self.serve().await
    }

    /// Serves until its server ends, and works in the background meanwhile.
    ///
    /// # Errors
    ///
    /// When the server fails.
    pub async fn serve(self) -> std::io::Result<()> {
        let end = self.workers.start(self.stopping.clone())?;
        let served = self.server.await;
        // A batch that is under way is finished.
        self.stopping.begin();
        if end.await.is_err() {
            tracing::error!("the workers ended badly");
        }
        served
    }
}

/// Works in the background until it is asked to stop, and then until the batch that is under way is done.
///
/// # Errors
///
/// When the system gives no thread.
pub async fn work(parts: &Parts, mut signals: StopSignals) -> std::io::Result<()> {
    let stopping = Stopping::default();
    let end = Workers::new(parts, Arc::default()).start(stopping.clone())?;
    signals.received().await;
    tracing::info!("stopping; the batch that is under way is finished first");
    stopping.begin();
    if end.await.is_err() {
        tracing::error!("the workers ended badly");
    }
    Ok(())
}

async fn stop_when_asked(mut signals: StopSignals, handle: ServerHandle, stopping: Stopping, drain: Duration) {
    signals.received().await;
    tracing::info!("stopping; what is under way is finished first");
    stopping.begin();
    tokio::time::sleep(drain).await;
    handle.stop(true).await;
}
