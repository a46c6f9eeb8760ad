//! Campaigns, and the lists that they hold on to.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::ids::{CampaignId, StreamId};

/// Where a campaign stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CampaignStatus {
    /// Being made.
    Preparing,
    /// Made, and not started.
    Ready,
    /// Starts at a set time.
    Scheduled,
    /// Starts at another time than first set.
    Rescheduled,
    /// Calling.
    Active,
    /// Held for a while.
    Paused,
    /// Ended by somebody.
    Stopped,
    /// Ended by itself.
    Completed,
}

impl CampaignStatus {
    const ALL: [CampaignStatus; 8] = [
        CampaignStatus::Preparing,
        CampaignStatus::Ready,
        CampaignStatus::Scheduled,
        CampaignStatus::Rescheduled,
        CampaignStatus::Active,
        CampaignStatus::Paused,
        CampaignStatus::Stopped,
        CampaignStatus::Completed,
    ];

    /// The status as it is stored and answered.
    pub fn name(self) -> &'static str {
        match self {
            CampaignStatus::Preparing => "Preparing",
            CampaignStatus::Ready => "Ready",
            CampaignStatus::Scheduled => "Scheduled",
            CampaignStatus::Rescheduled => "Rescheduled",
            CampaignStatus::Active => "Active",
            CampaignStatus::Paused => "Paused",
            CampaignStatus::Stopped => "Stopped",
            CampaignStatus::Completed => "Completed",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// The names of the statuses in which a campaign uses its lists.
    pub fn that_use_lists() -> Vec<&'static str> {
        Self::ALL.into_iter().filter(|status| status.uses_lists()).map(Self::name).collect()
    }

    /// Whether a campaign in this status counts as using its lists now.
    pub fn uses_lists(self) -> bool {
        matches!(
            self,
            CampaignStatus::Active
                | CampaignStatus::Scheduled
                | CampaignStatus::Rescheduled
                | CampaignStatus::Preparing
                | CampaignStatus::Paused
        )
    }
}

/// A live campaign that holds on to something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// The campaign.
    pub id: CampaignId,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub status: CampaignStatus,
}

/// The live campaigns that are attached to a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachments {
    /// At most [`Attachments::NAMED`] of them, by id.
    pub campaigns: Vec<Blocker>,
    /// How many there are.
    pub count: i64,
    /// Whether one of all of them uses its lists now.
    pub in_use: bool,
}

impl Attachments {
    /// How many campaigns an answer names.
    pub const NAMED: i64 = 50;
}

/// A campaign as it is stored.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// The stream it belongs to.
    pub stream_id: StreamId,
    /// Its name, at most 48 characters.
    pub name: String,
    /// How it reaches people.
    pub campaign_type: CampaignType,
    /// Where it stands.
    pub status: CampaignStatus,
    /// Its last run; none when it was never started.
    pub run_id: Option<String>,
    /// The names of its lists, in the order in which they were named.
    pub contact_lists: Vec<String>,
    /// The vendor's other fields, as given.
    pub details: Map<String, Value>,
    /// The user who created it.
    pub created_by: String,
    /// The user who last changed it.
    pub updated_by: String,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// How often it has changed.
    pub version: i64,
}

/// How a campaign reaches people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CampaignType {
    /// By calling.
    Voice,
    /// By text message.
    Sms,
}

impl CampaignType {
    /// The type as it is stored and answered.
    pub fn name(self) -> &'static str {
        match self {
            CampaignType::Voice => "voice",
            CampaignType::Sms => "sms",
        }
    }

    /// The type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [CampaignType::Voice, CampaignType::Sms].into_iter().find(|kind| kind.name() == name)
    }
}

/// A campaign that is to be created.
#[derive(Clone, Debug)]
pub struct NewCampaign {
    /// Its name.
    pub name: String,
    /// How it reaches people.
    pub campaign_type: CampaignType,
    /// The names of its lists; at least one.
    pub contact_lists: Vec<String>,
    /// The vendor's other fields.
    pub details: Map<String, Value>,
}

/// What an update changes; what it does not name stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CampaignChange {
    /// Its name.
    pub name: Option<String>,
    /// The names of its lists, in place of those that it had; at least one.
    pub contact_lists: Option<Vec<String>>,
    /// The vendor's other fields that change.
    pub details: Map<String, Value>,
}

/// Which campaigns a list call asks for.
#[derive(Clone, Debug, Default)]
pub struct CampaignFilter {
    /// Only those that reach people in this way.
    pub campaign_type: Option<CampaignType>,
    /// Only those in one of these statuses.
    pub statuses: Option<Vec<CampaignStatus>>,
    /// Only those with one of these priorities, as they were given.
    pub priorities: Option<Vec<String>>,
    /// Only those with one of these dialing modes, as they were given.
    pub dialing_modes: Option<Vec<String>>,
    /// Only those created at or after.
    pub created_from: Option<OffsetDateTime>,
    /// Only those created at or before.
    pub created_to: Option<OffsetDateTime>,
}

/// The order of a list of campaigns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CampaignOrder {
    /// By name, A first.
    NameAscending,
    /// By name, Z first.
    NameDescending,
    /// The oldest first.
    CreatedAscending,
    /// The newest first.
    CreatedDescending,
    /// The last changed last.
    UpdatedAscending,
    /// The last changed first.
    #[default]
    UpdatedDescending,
}

impl CampaignOrder {
    /// The order's name, for the statement that follows it.
    pub fn name(self) -> &'static str {
        match self {
            CampaignOrder::NameAscending => "name asc",
            CampaignOrder::NameDescending => "name desc",
            CampaignOrder::CreatedAscending => "created_at asc",
            CampaignOrder::CreatedDescending => "created_at desc",
            CampaignOrder::UpdatedAscending => "updated_at asc",
            CampaignOrder::UpdatedDescending => "updated_at desc",
        }
    }
}

/// What starts and stops a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Start it.
    Play,
    /// Stop it.
    Stop,
}

impl Trigger {
    /// The status that the trigger leads to.
    pub fn leads_to(self) -> CampaignStatus {
        match self {
            Trigger::Play => CampaignStatus::Active,
            Trigger::Stop => CampaignStatus::Stopped,
        }
    }
}
