//! Campaigns: created, changed, listed, started and stopped.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::domain::campaign::{
    Campaign, CampaignChange, CampaignFilter, CampaignOrder, CampaignStatus, CampaignType, NewCampaign, Trigger,
};
use crate::domain::contact_list::list_name_key;
use crate::domain::deletion::Reason;
use crate::domain::identity::Caller;
use crate::domain::ids::{self, CampaignId, StreamId};
use crate::domain::page::{Listed, Page};
use crate::domain::version::IfMatch;
use crate::error::{Error, FieldError, Thing};
use crate::json;
use crate::postgres::Database;
use crate::repositories::{Connection, Visibility, campaigns, contact_lists};

/// Creates, changes, lists, starts and stops campaigns.
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
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                let lists = lock_lists(conn, caller, stream, &new.contact_lists).await?;
                campaigns::insert(conn, caller, stream, &id, new, CampaignStatus::Ready, now).await?;
                campaigns::attach(conn, &caller.account_id, &id, &lists).await?;
                read(conn, caller, stream, &id).await
            })
            .await
    }

    /// A live campaign, of that type where one is named.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn find(
        &self,
        caller: &Caller,
        stream: &StreamId,
        id: &CampaignId,
        campaign_type: Option<CampaignType>,
    ) -> Result<Campaign, Error> {
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                of_type(read(conn, caller, stream, id).await?, campaign_type)
            })
            .await
    }

    /// A page of live campaigns.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub async fn list(
        &self,
        caller: &Caller,
        stream: &StreamId,
        filter: &CampaignFilter,
        order: CampaignOrder,
        page: &Page<CampaignId>,
    ) -> Result<Listed<Campaign>, Error> {
        let account = &caller.account_id;
        self.database
            .transaction(account, async |conn, _| {
                let items = campaigns::list(conn, account, stream, filter, order, page).await?;
                Ok(Listed::new(items, page.limit, campaigns::count(conn, account, stream, filter).await?))
            })
            .await
    }

    /// Changes a live campaign.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] for each name that no live list of
    /// the stream has, and for another type than the one that is named;
    /// [`Error::Refused`] for a version that is not expected, and for a campaign that
    /// is running and would let go of a list; [`Error::TooLarge`] for more
    /// fields than are kept.
    pub async fn update(
        &self,
        caller: &Caller,
        stream: &StreamId,
        id: &CampaignId,
        campaign_type: Option<CampaignType>,
        change: &CampaignChange,
        if_match: &IfMatch,
    ) -> Result<Campaign, Error> {
        let now = self.clock.now();
        let account = &caller.account_id;
        self.database
            .transaction(account, async |conn, _| {
                // Lists before campaigns: the order in which everybody locks.
                let lists = match &change.contact_lists {
                    Some(names) => Some(lock_lists(conn, caller, stream, names).await?),
                    None => None,
                };
                let campaign = lock(conn, caller, stream, id, if_match).await?;
                if campaign_type.is_some_and(|kind| kind != campaign.campaign_type) {
                    let message = format!("this is a campaign of the type {}", campaign.campaign_type.name());
                    return Err(Error::invalid("campaignType", message));
                }
                if campaign.status == CampaignStatus::Active && drops_lists(&campaign, change) {
                    return Err(Error::refused(
                        Thing::Campaign,
                        id.as_str(),
                        Some(campaign.name),
                        Reason::Active.into(),
                    ));
                }
                let mut changed = stamped(campaign, caller, now);
                changed.name = change.name.clone().unwrap_or(changed.name);
                changed.details.extend(change.details.clone());
                // No larger than what one request can create, however many changes add to it.
                if Value::Object(changed.details.clone()).to_string().len() > json::MAX_KEPT {
                    return Err(Error::TooLarge { what: "the campaign, in bytes", limit: json::MAX_KEPT });
                }
                campaigns::update(conn, account, &changed).await?;
                if let Some(lists) = lists {
                    campaigns::let_go_of_others(conn, account, id, &lists).await?;
                    campaigns::forget_others(conn, account, id, &lists).await?;
                    campaigns::attach(conn, account, id, &lists).await?;
                }
                read(conn, caller, stream, id).await
            })
            .await
    }

    /// Starts or stops a campaign. One that is there already stays there.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Refused`] for a version that is not expected.
    pub async fn trigger(
        &self,
        caller: &Caller,
        stream: &StreamId,
        id: &CampaignId,
        campaign_type: Option<CampaignType>,
        trigger: Trigger,
        if_match: &IfMatch,
    ) -> Result<Campaign, Error> {
        let now = self.clock.now();
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                let campaign = of_type(lock(conn, caller, stream, id, if_match).await?, campaign_type)?;
                if campaign.status == trigger.leads_to() {
                    return Ok(campaign);
                }
                let mut triggered = Campaign { status: trigger.leads_to(), ..stamped(campaign, caller, now) };
                if trigger == Trigger::Play {
                    triggered.run_id = Some(ids::generate_run_id());
                }
                campaigns::update(conn, &caller.account_id, &triggered).await?;
                Ok(triggered)
            })
            .await
    }
}

/// Whether a change lets a campaign go of one of its lists.
fn drops_lists(campaign: &Campaign, change: &CampaignChange) -> bool {
    let Some(names) = &change.contact_lists else { return false };
    let kept: HashSet<String> = names.iter().map(|name| list_name_key(name)).collect();
    campaign.contact_lists.iter().any(|name| !kept.contains(&list_name_key(name)))
}

/// Locks the live lists of these names until the commit: a list cannot be deleted
/// between this look and the attachment. Answers their ids in the order of the names, each once.
async fn lock_lists(
    conn: &mut Connection,
    caller: &Caller,
    stream: &StreamId,
    names: &[String],
) -> Result<Vec<String>, Error> {
    let mut keys: Vec<String> = names.iter().map(|name| list_name_key(name)).collect();
    let found = contact_lists::lock_named(conn, &caller.account_id, stream, &keys).await?;
    let by_name: HashMap<String, String> = found.into_iter().map(|list| (list.lname, list.id)).collect();
    let missing: Vec<FieldError> = names
        .iter()
        .zip(&keys)
        .enumerate()
        .filter(|(_, (_, key))| !by_name.contains_key(*key))
        .map(|(index, (name, _))| FieldError {
            field: format!("contactLists[{index}]"),
            message: format!("there is no contact list named {name:?}"),
        })
        .collect();
    if !missing.is_empty() {
        return Err(Error::Invalid(missing));
    }
    let mut seen = std::collections::HashSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    Ok(keys.iter().filter_map(|key| by_name.get(key).cloned()).collect())
}

async fn lock(
    conn: &mut Connection,
    caller: &Caller,
    stream: &StreamId,
    id: &CampaignId,
    if_match: &IfMatch,
) -> Result<Campaign, Error> {
    let campaign = campaigns::lock_to_change(conn, &caller.account_id, stream, id).await?;
    let campaign = campaign.ok_or(Error::NotFound(Thing::Campaign))?;
    if !if_match.allows(campaign.version) {
        return Err(Error::version_mismatch(Thing::Campaign, id.as_str()));
    }
    // Its lists are read in a statement of their own: what the lock's has of them is older than the lock.
    read(conn, caller, stream, id).await
}

async fn read(conn: &mut Connection, caller: &Caller, stream: &StreamId, id: &CampaignId) -> Result<Campaign, Error> {
    let found = campaigns::find(conn, &caller.account_id, stream, id, Visibility::Live).await?;
    found.ok_or(Error::NotFound(Thing::Campaign))
}

/// A campaign, unless another type was named.
pub(super) fn of_type(campaign: Campaign, campaign_type: Option<CampaignType>) -> Result<Campaign, Error> {
    if campaign_type.is_none_or(|wanted| wanted == campaign.campaign_type) {
        Ok(campaign)
    } else {
        Err(Error::NotFound(Thing::Campaign))
    }
}

fn stamped(campaign: Campaign, caller: &Caller, now: OffsetDateTime) -> Campaign {
    Campaign { updated_by: caller.user_id.to_string(), updated_at: now, version: campaign.version + 1, ..campaign }
}
