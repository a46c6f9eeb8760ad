//! Which things a deletion takes that does not name them one by one.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::operation::Resource;

/// A span of time; both ends are in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// From then on.
    #[serde(with = "time::serde::rfc3339::option")]
    pub after: Option<OffsetDateTime>,
    /// Until then.
    #[serde(with = "time::serde::rfc3339::option")]
    pub before: Option<OffsetDateTime>,
}

impl Span {
    /// Whether it leaves something out.
    pub fn is_some(&self) -> bool {
        self.after.is_some() || self.before.is_some()
    }
}

/// Which things of a kind. Everything that is said must be true of a thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Created then.
    pub created: Span,
    /// Last changed then.
    pub updated: Span,
    /// Deleted then: things in the trash.
    pub deleted: Span,
    /// A number whose country has this calling code, in digits.
    pub country_code: Option<String>,
    /// A number that begins so, in digits of its international form.
    pub number_prefix: Option<String>,
    /// A number that is on this contact list.
    pub member_of: Option<String>,
    /// This priority.
    pub priority: Option<i16>,
    /// Known to this other system.
    pub external_provider: Option<String>,
}

impl Filter {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether, of things of that kind, it asks for what is not in their own rows: a row that has not changed may be one
    /// that it does not take any more.
    pub fn looks_beyond_rows(&self, resource: Resource) -> bool {
        self.member_of.is_some() || self.number_prefix.is_some() && resource == Resource::Record
    }

    /// What it says that things of that kind do not have.
    pub fn foreign_to(&self, resource: Resource) -> Option<&'static str> {
        let has_numbers = matches!(resource, Resource::Contact | Resource::Record);
        [
            (self.country_code.is_some() && resource != Resource::Contact, "country_code"),
            (self.number_prefix.is_some() && !has_numbers, "number_prefix"),
            (self.member_of.is_some() && resource != Resource::Contact, "member_of"),
            (self.priority.is_some() && resource != Resource::Record, "priority"),
            (self.external_provider.is_some() && resource != Resource::Record, "external_provider"),
        ]
        .into_iter()
        .find_map(|(is_foreign, field)| is_foreign.then_some(field))
    }
}

/// Which rows of a kind are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// Live ones.
    Live,
    /// Those in the trash.
    Trashed,
    /// Both.
    All,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_kept_whole() {
        let at = OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(1_767_936_039_370);
        let filter = Filter {
            created: Span { after: Some(at), before: None },
            number_prefix: Some("4420".to_owned()),
            priority: Some(3),
            ..Filter::default()
        };
        let kept = serde_json::to_string(&filter).expect("JSON");
        assert_eq!(serde_json::from_str::<Filter>(&kept).ok(), Some(filter.clone()));
        assert!(!filter.is_empty() && Filter::default().is_empty());
        assert_eq!(filter.foreign_to(Resource::Record), None);
        assert_eq!(filter.foreign_to(Resource::Contact), Some("priority"));
    }
}
