//! What goes on in the background: loops over a service that does one batch at a time.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Notify, oneshot};

use crate::app::Parts;
use crate::clock::Clock;
use crate::postgres::{Database, PoolSettings};
use crate::services::Services;
use crate::services::deletions::Deletions;
use crate::services::deletions::together::Queues;
use crate::services::health::Stopping;
use crate::services::identity::Keyring;

/// How long a worker that found nothing to do waits before it looks again, unless it is woken: what another process has
/// queued begins after that long at the latest.
const IDLE: Duration = Duration::from_secs(1);

/// How long a worker waits after a fault of the database's.
const AFTER_FAULT: Duration = Duration::from_secs(2);

/// Workers that have not begun yet.
pub struct Workers {
    database: PgConnectOptions,
    pool: PoolSettings,
    clock: Clock,
    keyring: Keyring,
    wake: Arc<Notify>,
    count: u32,
}

impl Workers {
    /// So many workers as the parts say, each with a connection of its own. `wake` is rung when there is something to do.
    pub fn new(parts: &Parts, wake: Arc<Notify>) -> Self {
        Self {
            database: parts.database.clone(),
            pool: PoolSettings { max_connections: parts.workers.max(1), ..parts.pool },
            clock: parts.clock.clone(),
            keyring: parts.keyring.clone(),
            wake,
            count: parts.workers,
        }
    }

    /// Works on a thread of its own until the service stops; a batch that is under way is finished. Answers when all is
    /// over.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(self, stopping: Stopping) -> std::io::Result<oneshot::Receiver<()>> {
        let (ended, end) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("worker".to_owned()).spawn(move || {
            runtime.block_on(self.run(&stopping));
            // Nobody may be waiting any more.
            let _nobody = ended.send(());
        })?;
        Ok(end)
    }

    async fn run(self, stopping: &Stopping) {
        let database = Database::new(self.database, self.pool);
        let services = Services::new(
            database.clone(),
            self.clock,
            self.keyring,
            Stopping::default(),
            self.wake.clone(),
            Queues::default(),
        );
        let workers = (0..self.count).map(|_| work(&services.deletions, &self.wake, stopping));
        futures_util::future::join_all(workers).await;
        database.close().await;
    }
}

async fn work(deletions: &Deletions, wake: &Notify, stopping: &Stopping) {
    while !stopping.has_begun() {
        let wait = match deletions.work().await {
            Ok(true) => continue,
            Ok(false) => IDLE,
            Err(error) => {
                error.log();
                AFTER_FAULT
            }
        };
        tokio::select! {
            () = wake.notified() => {}
            () = tokio::time::sleep(wait) => {}
            () = stopping.begun() => {}
        }
    }
    // The others must not sleep through the end.
    wake.notify_waiters();
}
