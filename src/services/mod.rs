//! Use cases: one method is one use case is one transaction, opened and committed here.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::postgres::Database;

pub mod campaigns;
pub mod contact_imports;
pub mod contact_lists;
pub mod contacts;
pub mod deletions;
pub mod health;
pub mod idempotency;
pub mod identity;
pub mod issuers;
pub mod operator;
pub mod recent;
pub mod record_lists;
pub mod tokens;

use campaigns::Campaigns;
use contact_imports::ContactImports;
use contact_lists::ContactLists;
use contacts::Contacts;
use deletions::Deletions;
use deletions::together::Queues;
use health::{Health, Stopping};
use idempotency::Idempotency;
use identity::{Identity, Keyring};
use record_lists::RecordLists;

/// Every service that a handler may call.
#[derive(Clone)]
pub struct Services {
    /// Who calls.
    pub identity: Identity,
    /// Requests that are done once.
    pub idempotency: Idempotency,
    /// Contacts.
    pub contacts: Contacts,
    /// Imports of contacts.
    pub contact_imports: ContactImports,
    /// Contact lists.
    pub contact_lists: ContactLists,
    /// Campaigns.
    pub campaigns: Campaigns,
    /// Record lists and records.
    pub record_lists: RecordLists,
    /// Deletions of every kind.
    pub deletions: Deletions,
    /// Whether the service can serve.
    pub health: Health,
}

impl Services {
    /// The services over one database, for one runtime: connections belong to the
    /// runtime that opens them. `wake` is rung when there is something to do in the background; `queues` are the
    /// process's.
    pub fn new(
        database: Database,
        clock: Clock,
        keyring: Keyring,
        stopping: Stopping,
        wake: Arc<Notify>,
        queues: Queues,
    ) -> Self {
        Self {
            deletions: Deletions::new(database.clone(), clock.clone(), keyring.sealer.clone(), wake, queues),
            idempotency: Idempotency::new(database.clone(), clock.clone(), keyring.half_key.clone()),
            identity: Identity::new(database.clone(), clock.clone(), keyring),
            contacts: Contacts::new(database.clone(), clock.clone()),
            contact_imports: ContactImports::new(database.clone(), clock.clone()),
            contact_lists: ContactLists::new(database.clone(), clock.clone()),
            campaigns: Campaigns::new(database.clone(), clock.clone()),
            record_lists: RecordLists::new(database.clone(), clock.clone()),
            health: Health::new(database, stopping),
        }
    }
}
