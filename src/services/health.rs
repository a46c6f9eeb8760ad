//! Whether the service can serve.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::postgres::Database;
use crate::postgres::guards::{self, GuardError};

/// Answers the probes.
#[derive(Clone)]
pub struct Health {
    database: Database,
    stopping: Arc<AtomicBool>,
}

impl Health {
    pub(super) fn new(database: Database) -> Self {
        Self { database, stopping: Arc::default() }
    }

    /// Whether the database answers and has this version's schema, and the
    /// service is not about to stop.
    ///
    /// # Errors
    ///
    /// [`GuardError`] when the database does not answer or its schema is too old.
    pub async fn is_ready(&self) -> Result<bool, GuardError> {
        if self.stopping.load(Ordering::Relaxed) {
            return Ok(false);
        }
        guards::check_version(self.database.probe()).await?;
        Ok(true)
    }

    /// From now on the service is not ready: it finishes what it has begun.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}
