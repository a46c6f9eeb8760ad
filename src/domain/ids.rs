//! The forms of the ids. An id is parsed once, at the edge: inside, a value of
//! one of these types is well formed, which says nothing of whether it exists.

use std::fmt;

use time::OffsetDateTime;
use uuid::{ContextV7, Uuid};

/// Declares an id that is kept as text and has one well-formed spelling.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $is_well_formed:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The id, when `text` has its form.
            pub fn parse(text: &str) -> Option<Self> {
                let is_well_formed: fn(&str) -> bool = $is_well_formed;
                is_well_formed(text).then(|| Self(text.to_owned()))
            }

            /// The id as it is stored and answered.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// An account: 24 lower-case hexadecimal digits.
    AccountId,
    |text| is_lower_hex(text, 24)
);
text_id!(
    /// A stream (an app) of an account: `st-` and a UUID.
    StreamId,
    |text| has_prefixed_uuid(text, "st-")
);
text_id!(
    /// A client that signs tokens: `cs-` and a UUID.
    ClientId,
    |text| has_prefixed_uuid(text, "cs-")
);
text_id!(
    /// A user, who creates and deletes things: `u-` and a UUID.
    UserId,
    |text| has_prefixed_uuid(text, "u-")
);
text_id!(
    /// A contact: 24 lower-case hexadecimal digits, the first eight of which
    /// are its time of creation in seconds.
    ContactId,
    |text| is_lower_hex(text, 24)
);
text_id!(
    /// A contact list: `cl-`, seven or eight hexadecimal digits and three groups
    /// of four and one of twelve. Not a UUID.
    ContactListId,
    |text| has_short_uuid(text, "cl-")
);
text_id!(
    /// A campaign: `cd-` and the same groups as a contact list's.
    CampaignId,
    |text| has_short_uuid(text, "cd-")
);

text_id!(
    /// A member of a contact list: `cc-` and a UUID.
    MemberId,
    |text| has_prefixed_uuid(text, "cc-")
);

impl AccountId {
    /// A new account's id.
    pub fn generate(now: OffsetDateTime) -> Self {
        Self(time_led_hex(now))
    }
}

impl StreamId {
    /// A new stream's id.
    pub fn generate() -> Self {
        Self(format!("st-{}", Uuid::new_v4()))
    }
}

impl ClientId {
    /// A new client's id.
    pub fn generate() -> Self {
        Self(format!("cs-{}", Uuid::new_v4()))
    }
}

impl UserId {
    /// The id of a new client's service user.
    pub fn generate() -> Self {
        Self(format!("u-{}", Uuid::new_v4()))
    }
}

impl ContactId {
    /// A new contact's id.
    pub fn generate(now: OffsetDateTime) -> Self {
        Self(time_led_hex(now))
    }
}

impl ContactListId {
    /// A new contact list's id.
    pub fn generate() -> Self {
        Self(short_uuid("cl-"))
    }
}

impl CampaignId {
    /// A new campaign's id.
    pub fn generate() -> Self {
        Self(short_uuid("cd-"))
    }
}

impl MemberId {
    /// The ids of so many new members of a list: in their order, and after those
    /// of members that were added earlier.
    pub fn generate(count: usize, now: OffsetDateTime) -> Vec<Self> {
        let order = ContextV7::new().with_additional_precision();
        let seconds = u64::try_from(now.unix_timestamp()).unwrap_or_default();
        (0..count)
            .map(|_| {
                let at = uuid::Timestamp::from_unix(&order, seconds, now.nanosecond());
                Self(format!("cc-{}", Uuid::new_v7(at)))
            })
            .collect()
    }
}

/// The id of an organisation: `o-` and a UUID.
pub fn generate_org_id() -> String {
    format!("o-{}", Uuid::new_v4())
}

/// The id of a run of a campaign: `cid-` and the groups of a contact list's id.
pub fn generate_run_id() -> String {
    short_uuid("cid-")
}

/// The id of the agent that a client acts as: `a-` and the groups of a contact list's id.
pub fn generate_agent_id() -> String {
    short_uuid("a-")
}

/// A time-ordered UUID for a record, a record list or a deletion made at `now`.
pub fn generate_uuid(now: OffsetDateTime) -> Uuid {
    let seconds = u64::try_from(now.unix_timestamp()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, now.nanosecond()))
}

/// The UUID that `text` spells in the hyphenated form. Other spellings of a UUID
/// (braces, `urn:`, no hyphens) are not ids here.
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

fn time_led_hex(now: OffsetDateTime) -> String {
    let random = Uuid::new_v4().simple().to_string();
    let seconds = u32::try_from(now.unix_timestamp()).unwrap_or(u32::MAX);
    // The version and variant digits of a UUID are not random and are left out.
    format!("{seconds:08x}{}{}", &random[..12], &random[20..24])
}

fn short_uuid(prefix: &str) -> String {
    let uuid = Uuid::new_v4().to_string();
    format!("{prefix}{}", &uuid[1..])
}

fn is_lower_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(is_lower_hex_digit)
}

fn is_lower_hex_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn has_prefixed_uuid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| has_groups(rest, &[8, 4, 4, 4, 12]))
}

fn has_short_uuid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| has_groups(rest, &[7, 4, 4, 4, 12]) || has_groups(rest, &[8, 4, 4, 4, 12]))
}

fn has_groups(text: &str, lengths: &[usize]) -> bool {
    let mut groups = text.split('-');
    lengths.iter().all(|length| groups.next().is_some_and(|group| is_lower_hex(group, *length)))
        && groups.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_have_their_own_form() {
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000);
        assert!(AccountId::parse(AccountId::generate(now).as_str()).is_some());
        assert!(StreamId::parse(StreamId::generate().as_str()).is_some());
        assert!(ClientId::parse(ClientId::generate().as_str()).is_some());
        assert!(UserId::parse(UserId::generate().as_str()).is_some());
        assert!(ContactListId::parse(ContactListId::generate().as_str()).is_some());
        assert!(CampaignId::parse(CampaignId::generate().as_str()).is_some());
        let contact = ContactId::generate(now);
        assert!(ContactId::parse(contact.as_str()).is_some());
        assert_eq!(i64::from_str_radix(&contact.as_str()[..8], 16), Ok(now.unix_timestamp()));
    }

    #[test]
    fn members_that_are_added_together_or_later_have_later_ids() {
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000);
        let mut ids = MemberId::generate(1000, now);
        ids.extend(MemberId::generate(1000, now + time::Duration::milliseconds(1)));
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| MemberId::parse(id.as_str()).is_some()));
    }

    #[test]
    fn the_vendors_samples_are_well_formed_once_their_x_is_filled() {
        assert!(ContactListId::parse("cl-c2ce382-2516-457e-8eb4-9847deec0000").is_some());
        assert!(ContactListId::parse("cl-0c2ce382-2516-457e-8eb4-9847deec0000").is_some());
        assert!(ContactId::parse("69609027c1746a6142900000").is_some());
        assert!(StreamId::parse("st-0603182c-7ffb-53c3-b307-47ca14b90000").is_some());
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "69609027C1746A6142900000",
            "69609027c1746a61429000",
            "69609027c1746a614290000\0",
            "é9609027c1746a614290000",
        ] {
            assert_eq!(ContactId::parse(text), None, "{text:?}");
        }
        for text in [
            "cl-",
            "cl-c2ce382-2516-457e-8eb4-9847deec0000-",
            "cd-c2ce382-2516-457e-8eb4-9847deec0000",
            "cl-2ce382-2516-457e-8eb4-9847deec0000",
        ] {
            assert_eq!(ContactListId::parse(text), None, "{text:?}");
        }
        assert_eq!(parse_uuid("{8858c834-481d-4a02-8176-cffc02c50350}"), None);
        assert_eq!(parse_uuid("8858c834481d4a028176cffc02c50350"), None);
        assert!(parse_uuid("8858c834-481d-4a02-8176-cffc02c50350").is_some());
    }
}
