//! Campaigns are attached to record lists and let go of them.

use std::collections::HashSet;

use uuid::Uuid;

use super::RecordLists;
use crate::domain::identity::Caller;
use crate::domain::ids::CampaignId;
use crate::domain::page::{LastChange, Listed, Page};
use crate::domain::record_list::AttachedList;
use crate::error::{Error, FieldError, Thing};
use crate::repositories::{Connection, campaign_record_lists, campaigns, record_lists};

impl RecordLists {
    /// A page of the record lists that a campaign is attached to, the last changed first.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the campaign is not there.
    pub async fn attached(
        &self,
        caller: &Caller,
        campaign: &CampaignId,
        page: &Page<LastChange>,
    ) -> Result<Listed<AttachedList>, Error> {
        let account = &caller.account_id;
        self.database
            .transaction(account, async |conn, _| {
                if !campaigns::is_live(conn, account, campaign).await? {
                    return Err(Error::NotFound(Thing::Campaign));
                }
                let total = campaign_record_lists::count(conn, account, campaign).await?;
                let lists = campaign_record_lists::list(conn, account, campaign, page).await?;
                Ok(Listed::new(lists, page.limit, total))
            })
            .await
    }

    /// Attaches a campaign to all of the lists, or to none.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the campaign is not there; [`Error::Missing`] names
    /// the lists that are not.
    pub async fn attach(&self, caller: &Caller, campaign: &CampaignId, lists: &[Option<Uuid>]) -> Result<(), Error> {
        let account = &caller.account_id;
        let ids = in_order(lists);
        self.database
            .transaction(account, async |conn, _| {
                // Held until the commit: a list cannot be deleted between this look and the attachment.
                let live = record_lists::keep(conn, account, &ids).await?;
                keep_campaign(conn, caller, campaign).await?;
                all_there(lists, &live, "there is no such record list")?;
                Ok(campaign_record_lists::attach(conn, account, campaign, &ids).await?)
            })
            .await
    }

    /// Lets a campaign go of all of the lists, or of none.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the campaign is not there; [`Error::Missing`] names
    /// the lists that it is not attached to.
    pub async fn detach(&self, caller: &Caller, campaign: &CampaignId, lists: &[Option<Uuid>]) -> Result<(), Error> {
        let account = &caller.account_id;
        let ids = in_order(lists);
        self.database
            .transaction(account, async |conn, _| {
                record_lists::keep(conn, account, &ids).await?;
                keep_campaign(conn, caller, campaign).await?;
                let attached = campaign_record_lists::release(conn, account, campaign, &ids).await?;
                all_there(lists, &attached, "the campaign is not attached to such a record list")?;
                Ok(campaign_record_lists::forget(conn, account, campaign, &ids).await?)
            })
            .await
    }
}

async fn keep_campaign(conn: &mut Connection, caller: &Caller, campaign: &CampaignId) -> Result<(), Error> {
    let is_there = campaigns::keep(conn, &caller.account_id, campaign).await?;
    if is_there { Ok(()) } else { Err(Error::NotFound(Thing::Campaign)) }
}

fn in_order(lists: &[Option<Uuid>]) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = lists.iter().flatten().copied().collect();
    ids.sort();
    ids.dedup();
    ids
}

fn all_there(asked: &[Option<Uuid>], there: &[Uuid], message: &str) -> Result<(), Error> {
    let there: HashSet<&Uuid> = there.iter().collect();
    let fields: Vec<FieldError> = asked
        .iter()
        .enumerate()
        .filter(|(_, id)| id.as_ref().is_none_or(|id| !there.contains(id)))
        .map(|(index, _)| FieldError { field: format!("[{index}].id"), message: message.to_owned() })
        .collect();
    if fields.is_empty() { Ok(()) } else { Err(Error::Missing { thing: Thing::RecordList, fields }) }
}
