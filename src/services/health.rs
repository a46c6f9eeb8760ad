//! Whether the service can serve.

use tokio::sync::watch;

use crate::postgres::Database;
use crate::postgres::guards::{self, GuardError};

/// Whether the service has begun to stop; shared by all its threads.
#[derive(Clone, Default)]
pub struct Stopping(watch::Sender<bool>);

impl Stopping {
    /// From now on the service is not ready: it finishes what it has begun.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether it has begun to stop.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it begins to stop.
    pub async fn begun(&self) {
        // The sender is this one: it is there as long as anybody waits.
        let mut changes = self.0.subscribe();
        let _begun = changes.wait_for(|begun| *begun).await;
    }
}

/// Answers the probes.
#[derive(Clone)]
pub struct Health {
    database: Database,
    stopping: Stopping,
}

impl Health {
    pub(super) fn new(database: Database, stopping: Stopping) -> Self {
        Self { database, stopping }
    }

    /// Whether the database answers and has this version's schema, and the
    /// service has not begun to stop.
    ///
    /// # Errors
    ///
    /// [`GuardError`] when the database does not answer or its schema is too old.
    pub async fn is_ready(&self) -> Result<bool, GuardError> {
        if self.stopping.has_begun() {
            return Ok(false);
        }
        guards::check_version(self.database.probe()).await?;
        Ok(true)
    }
}
