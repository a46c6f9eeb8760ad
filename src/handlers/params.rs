//! Query parameters.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::format_description::well_known::Iso8601;
use time::{OffsetDateTime, UtcOffset};

use crate::domain::deletion::{Atomicity, Mode, OnMultiple, Options};
use crate::domain::version::IfMatch;
use crate::error::Error;

/// Reads the query into `T`. What `T` does not know is refused if `T` says so.
///
/// # Errors
///
/// [`Error::Invalid`] that names the parameter.
pub fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Error> {
    parse_pairs("query", query.as_bytes())
}

/// Reads pairs of a name and a value, which stand in `place`, into `T`.
///
/// # Errors
///
/// [`Error::Invalid`] that names the parameter.
pub fn parse_pairs<T: DeserializeOwned>(place: &str, pairs: &[u8]) -> Result<T, Error> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(pairs));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let field = error.path().to_string();
        let field = if ["", ".", "?"].contains(&field.as_str()) { place.to_owned() } else { field };
        let message = error.into_inner().to_string();
        match message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            Some(missing) => Error::invalid(missing, "is required"),
            None => Error::invalid(field, message),
        }
    })
}

/// The value of a parameter, if the query has it.
pub fn first(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The values of a parameter that can be given several times, or with commas between its values, or both.
pub fn several(query: &str, name: &str) -> Vec<String> {
    form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key == name)
        .flat_map(|(_, value)| value.split(',').map(|value| value.trim().to_owned()).collect::<Vec<_>>())
        .collect()
}

/// A moment that a parameter names.
///
/// # Errors
///
/// [`Error::Invalid`] that names the parameter.
pub fn instant(field: &str, text: Option<String>) -> Result<Option<OffsetDateTime>, Error> {
    text.map(|text| {
        OffsetDateTime::parse(&text, &Iso8601::PARSING)
            .ok()
            .and_then(|instant| instant.checked_to_offset(UtcOffset::UTC))
            // The database and the answers have no other years.
            .filter(|instant| (1..=9999).contains(&instant.year()))
            .ok_or_else(|| Error::invalid(field, "not a time in ISO 8601 such as 2026-01-09T05:20:39.374Z"))
    })
    .transpose()
}

/// `mode`, on every deletion.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModeParam {
    /// Into the trash.
    #[default]
    Soft,
    /// Gone for good.
    Hard,
}

impl From<ModeParam> for Mode {
    fn from(mode: ModeParam) -> Self {
        match mode {
            ModeParam::Soft => Mode::Soft,
            ModeParam::Hard => Mode::Hard,
        }
    }
}

/// `on_multiple`, on deletions by number or reference.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnMultipleParam {
    /// Delete all that match.
    #[default]
    All,
    /// Delete none of them.
    Fail,
}

/// The options of a deletion of one thing, of the version that the caller expects.
pub fn single(mode: ModeParam, if_match: IfMatch) -> Options {
    Options { mode: mode.into(), if_match, ..Options::default() }
}

/// The options of a deletion that the three parameters spell.
pub fn options(mode: ModeParam, atomic: bool, on_multiple: OnMultipleParam) -> Options {
    Options {
        mode: mode.into(),
        atomicity: if atomic { Atomicity::Atomic } else { Atomicity::EachAlone },
        on_multiple: match on_multiple {
            OnMultipleParam::All => OnMultiple::All,
            OnMultipleParam::Fail => OnMultiple::Fail,
        },
        if_match: IfMatch::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Params {
        #[serde(default)]
        mode: ModeParam,
        #[serde(default)]
        atomic: bool,
    }

    fn complaint(query: &str) -> String {
        parse::<Params>(query).expect_err("the query is refused").message()
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(matches!(parse::<Params>("mode=hard&atomic=true"), Ok(Params { mode: ModeParam::Hard, atomic: true })));
        assert!(complaint("atomc=true").contains("atomc"));
        assert!(complaint("mode=harder").starts_with("mode: "), "{}", complaint("mode=harder"));
        assert!(complaint("atomic=1").starts_with("atomic: "));
        assert!(complaint("atomic=true&atomic=false").contains("atomic"));
    }
}
