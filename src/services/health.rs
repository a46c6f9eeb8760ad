//! Whether the service can serve.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::postgres::Database;
use crate::postgres::guards::{self, GuardError};

/// Whether the service has begun to stop; shared by all its threads.
#[derive(Clone, Default)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    /// From now on the service is not ready: it finishes what it has begun.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
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
        if self.stopping.0.load(Ordering::Relaxed) {
            return Ok(false);
        }
        guards::check_version(self.database.probe()).await?;
        Ok(true)
    }
}
