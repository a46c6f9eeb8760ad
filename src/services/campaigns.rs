//! Campaigns: created, started and stopped.

use std::collections::HashMap;

use crate::clock::Clock;
use crate::domain::campaign::{Campaign, CampaignStatus, NewCampaign, Trigger};
use crate::domain::contact_list::list_name_key;
use crate::domain::identity::Caller;
use crate::domain::ids::{CampaignId, StreamId};
use crate::error::{Error, FieldError, Thing};
use crate::postgres::Database;
use crate::repositories::{Connection, Visibility, campaigns, contact_lists};

/// Creates, starts and stops campaigns.
#[derive(Clone)]
pub struct Campaigns {
    database: Database,
    clock: Clock,
}

impl Campaigns {
    pub(super) fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }

    /// Creates a campaign that is attached to the lists it names.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for each name that no live list of the stream has.
    pub async fn create(&self, caller: &Caller, stream: &StreamId, new: &NewCampaign) -> Result<Campaign, Error> {
        let id = CampaignId::generate();
        let now = self.clock.now();
        let mut names: Vec<String> = new.contact_lists.iter().map(|name| list_name_key(name)).collect();
        names.sort();
        names.dedup();
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                // Held until the commit: a list cannot be deleted between this look and the attachment.
                let found = contact_lists::lock_named(conn, &caller.account_id, stream, &names).await?;
                let by_name: HashMap<String, String> = found.into_iter().map(|list| (list.lname, list.id)).collect();
                let missing: Vec<FieldError> = new
                    .contact_lists
                    .iter()
                    .enumerate()
                    .filter(|(_, name)| !by_name.contains_key(&list_name_key(name)))
                    .map(|(index, name)| FieldError {
                        field: format!("contactLists[{index}]"),
                        message: format!("there is no contact list named {name:?}"),
                    })
                    .collect();
                if !missing.is_empty() {
                    return Err(Error::Invalid(missing));
                }
                let lists: Vec<String> = by_name.into_values().collect();
                campaigns::insert(conn, caller, stream, &id, new, CampaignStatus::Ready, now).await?;
                campaigns::attach(conn, &caller.account_id, &id, &lists).await?;
                read(conn, caller, stream, &id).await
            })
            .await
    }

    /// A live campaign.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn find(&self, caller: &Caller, stream: &StreamId, id: &CampaignId) -> Result<Campaign, Error> {
        self.database.transaction(&caller.account_id, async |conn, _| read(conn, caller, stream, id).await).await
    }

    /// Starts or stops a campaign. One that is there already stays there.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn trigger(
        &self,
        caller: &Caller,
        stream: &StreamId,
        id: &CampaignId,
        trigger: Trigger,
    ) -> Result<Campaign, Error> {
        let now = self.clock.now();
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                campaigns::set_status(conn, caller, stream, id, trigger.leads_to(), now).await?;
                read(conn, caller, stream, id).await
            })
            .await
    }
}

async fn read(conn: &mut Connection, caller: &Caller, stream: &StreamId, id: &CampaignId) -> Result<Campaign, Error> {
    let found = campaigns::find(conn, &caller.account_id, stream, id, Visibility::Live).await?;
    found.ok_or(Error::NotFound(Thing::Campaign))
}
