//! Callers who were signed in a moment ago: the same token is not verified and its
//! client not looked up again for each of many requests in a row.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use time::{Duration, OffsetDateTime};

use super::identity::Credentials;
use crate::domain::identity::Caller;

/// How long a caller who was signed in is believed to be who it was: within that, what an operator does to a client
/// takes effect.
pub const TRUSTED_FOR: Duration = Duration::SECOND;

/// How long after that a caller who comes again is looked up anew, so that who comes often never waits for it.
pub const DUE_AFTER: Duration = Duration::milliseconds(500);

/// The most that are remembered; with more, all are forgotten and signed in again.
const MOST: usize = 10_000;

/// Callers by what they showed, whole, of which nothing is kept but a hash.
#[derive(Clone, Default)]
pub struct Recent(Arc<Mutex<HashMap<[u8; SHA256_OUTPUT_LEN], Known>>>);

struct Known {
    caller: Caller,
    from: OffsetDateTime,
    until: OffsetDateTime,
    /// Whether somebody was told that it is due.
    is_renewed: bool,
}

/// A caller who was signed in a moment ago.
#[derive(Debug)]
pub struct Found {
    /// The caller.
    pub caller: Caller,
    /// Whether it is time to look the caller up anew; it is said once.
    pub is_due: bool,
}

impl Recent {
    /// The caller who showed the same a moment ago.
    pub fn find(&self, credentials: &Credentials<'_>, now: OffsetDateTime) -> Option<Found> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_mut(&hash(credentials))?;
        // A clock that was set back makes nobody believed for longer.
        if now < known.from || known.until <= now {
            return None;
        }
        let is_due = known.from + DUE_AFTER <= now && !known.is_renewed;
        known.is_renewed |= is_due;
        let caller = Caller { request_id: credentials.request_id.to_owned(), ..known.caller.clone() };
        Some(Found { caller, is_due })
    }

    /// Forgets who showed that.
    pub fn forget(&self, credentials: &Credentials<'_>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(credentials));
    }

    /// Remembers who showed that, for a moment and not beyond the token's end.
    pub fn keep(
        &self,
        credentials: &Credentials<'_>,
        caller: &Caller,
        now: OffsetDateTime,
        expires: Option<OffsetDateTime>,
    ) {
        let until = now + TRUSTED_FOR;
        let until = expires.map_or(until, |expires| expires.min(until));
        if until <= now {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(hash(credentials), Known { caller: caller.clone(), from: now, until, is_renewed: false });
    }
}

/// Of all that a caller is signed in by; each part with its length, so that no two requests look alike.
fn hash(credentials: &Credentials<'_>) -> [u8; SHA256_OUTPUT_LEN] {
    let mut context = Context::new(&SHA256);
    let mut add = |part: Option<&str>| {
        context.update(&part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
        context.update(part.unwrap_or_default().as_bytes());
    };
    add(Some(credentials.token));
    add(credentials.account);
    credentials.streams.iter().for_each(|stream| add(Some(stream)));
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{AccountId, ClientId, UserId};

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn caller() -> Caller {
        Caller {
            account_id: AccountId::generate(NOW),
            org_id: String::new(),
            client_id: ClientId::generate(),
            agent_id: String::new(),
            user_id: UserId::generate(),
            scopes: Vec::new(),
            request_id: "the first request".to_owned(),
        }
    }

    fn shown<'a>(token: &'a str, account: Option<&'a str>, streams: &[&'a str]) -> Credentials<'a> {
        Credentials { token, account, streams: streams.to_vec(), request_id: "another request" }
    }

    #[test]
    fn who_shows_the_same_is_believed_for_a_second_and_who_shows_anything_else_is_not() {
        let (recent, caller) = (Recent::default(), caller());
        let same = shown("token", Some("account"), &["stream"]);
        recent.keep(&same, &caller, NOW, None);
        let found = recent.find(&same, NOW + TRUSTED_FOR - Duration::MILLISECOND).expect("it was signed in just now");
        assert_eq!((found.caller.client_id, found.caller.request_id.as_str()), (caller.client_id, "another request"));
        assert!(recent.find(&same, NOW + TRUSTED_FOR).is_none(), "later");
        assert!(recent.find(&same, NOW - Duration::MILLISECOND).is_none(), "before");
        for other in [
            shown("tokem", Some("account"), &["stream"]),
            shown("token", None, &["stream"]),
            shown("token", Some(""), &["stream"]),
            shown("token", Some("account"), &[]),
            shown("token", Some("account"), &["stream", ""]),
            shown("token", Some("accounts"), &["tream"]),
        ] {
            assert!(recent.find(&other, NOW).is_none(), "{other:?}");
        }
    }

    #[test]
    fn it_is_said_once_that_a_caller_is_due() {
        let (recent, caller) = (Recent::default(), caller());
        let same = shown("token", None, &[]);
        let is_due = |now| recent.find(&same, now).map(|found| found.is_due);
        recent.keep(&same, &caller, NOW, None);
        let due = NOW + DUE_AFTER;
        assert_eq!(is_due(due - Duration::MILLISECOND), Some(false));
        assert_eq!([is_due(due), is_due(due)], [Some(true), Some(false)]);
        recent.keep(&same, &caller, due, None);
        assert_eq!(is_due(NOW + TRUSTED_FOR), Some(true), "it was looked up anew, and is due again");
        recent.forget(&same);
        assert_eq!(is_due(due), None);
    }

    #[test]
    fn nobody_is_believed_beyond_the_end_of_the_token() {
        let (recent, caller) = (Recent::default(), caller());
        let same = shown("token", None, &[]);
        let end = NOW + TRUSTED_FOR / 2;
        recent.keep(&same, &caller, NOW, Some(end));
        assert!(recent.find(&same, end - Duration::MILLISECOND).is_some());
        assert!(recent.find(&same, end).is_none());
    }

    #[test]
    fn no_more_are_remembered_than_fit() {
        let (recent, caller) = (Recent::default(), caller());
        for token in 0..=MOST {
            recent.keep(&shown(&token.to_string(), None, &[]), &caller, NOW, None);
        }
        assert!(recent.find(&shown(&MOST.to_string(), None, &[]), NOW).is_some());
        assert!(recent.find(&shown("0", None, &[]), NOW).is_none());
    }
}
