//! Deletions of one thing each, by many callers, that are written in one statement.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Result, Stamp, unknown_value};
use crate::domain::deletion::RowId;
use crate::domain::identity::Caller;
use crate::domain::ids::StreamId;

/// A thing that is to go into the trash by a deletion of its own.
#[derive(Clone, Debug)]
pub struct Single {
    /// Who asks.
    pub caller: Caller,
    /// The stream that it must be in.
    pub stream: StreamId,
    /// The thing.
    pub id: RowId,
    /// What is written on it.
    pub stamp: Stamp,
}

/// Such deletions, those of an account next to each other, as the arrays that the database's functions take: the entries
/// of `accounts[n]` are the ones from `firsts[n]` to `lasts[n]`, counted from 1.
#[expect(missing_docs, reason = "each is what a Single has of that name")]
pub struct Columns<'a> {
    pub accounts: Vec<&'a str>,
    pub firsts: Vec<i32>,
    pub lasts: Vec<i32>,
    pub streams: Vec<&'a str>,
    pub ids: Vec<&'a str>,
    pub deletions: Vec<Uuid>,
    pub times: Vec<OffsetDateTime>,
    pub users: Vec<&'a str>,
    pub clients: Vec<&'a str>,
    pub requests: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    /// The arrays of these.
    pub fn of(singles: &[&'a Single]) -> Self {
        let column = |value: fn(&Single) -> &str| singles.iter().map(|single| value(single)).collect::<Vec<&str>>();
        let (mut accounts, mut firsts, mut lasts) = (Vec::<&str>::new(), Vec::new(), Vec::new());
        for (single, place) in singles.iter().zip(1_i32..) {
            let account = single.caller.account_id.as_str();
            if accounts.last() != Some(&account) {
                accounts.push(account);
                firsts.push(place);
                lasts.push(place);
            }
            if let Some(last) = lasts.last_mut() {
                *last = place;
            }
        }
        Self {
            accounts,
            firsts,
            lasts,
            streams: column(|single| single.stream.as_str()),
            ids: column(|single| single.id.as_str()),
            deletions: singles.iter().map(|single| single.stamp.deletion_id).collect(),
            times: singles.iter().map(|single| single.stamp.at).collect(),
            users: column(|single| single.stamp.by.as_str()),
            clients: column(|single| single.caller.client_id.as_str()),
            requests: column(|single| &single.caller.request_id),
        }
    }
}

/// Which of the deletions the database means by a place in its arrays.
pub fn place(place: i32) -> Result<usize> {
    usize::try_from(place - 1).map_err(|_| unknown_value("place", &place.to_string()))
}
