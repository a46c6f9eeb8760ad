//! Query parameters.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::format_description::well_known::Iso8601;
use time::{OffsetDateTime, UtcOffset};

use crate::domain::deletion::{Atomicity, Mode, OnMultiple, Options};
use crate::domain::version::IfMatch;
use crate::error::Error;
use crate::handlers::body;
use crate::services::deletions::How;

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

/// What a note has at most, in characters.
const MAX_NOTE: usize = 1000;

/// What every deletion can be told beside how it treats its things.
#[derive(Debug, Default)]
pub struct Extras {
    /// Whether it is only to be said what would be done.
    pub validate_only: bool,
    /// Whether what is not there counts as done.
    pub allow_missing: bool,
    /// The most rows that may go, and the parameter's name in the family.
    pub max_affected: Option<u64>,
    /// What the caller says of it.
    pub note: Option<String>,
}

/// [`Extras`] as a family spells them.
pub trait ExtraParams: DeserializeOwned {
    /// The parameters' names.
    const NAMES: [&str; 4];

    /// What they say.
    fn extras(self) -> Extras;
}

/// What every deletion of the families that speak camelCase can be told.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct CamelExtras {
    /// Only say what would be done: the same checks and the same answer, with the header `Validate-Only: true` and
    /// without `Deletion-Id`; nothing is changed.
    #[serde(default)]
    #[param(required = false)]
    validate_only: bool,
    /// What is not there, or was deleted before, counts as done.
    #[serde(default)]
    #[param(required = false)]
    allow_missing: bool,
    /// The most rows that may go: with more, nothing is done, and the answer is 409 MAX_AFFECTED.
    #[param(required = false, minimum = 0)]
    max_affected: Option<u64>,
    /// What the caller has to say of it, at most 1,000 characters; kept with the deletion for 30 days.
    #[param(required = false, max_length = 1000)]
    note: Option<String>,
}

impl ExtraParams for CamelExtras {
    const NAMES: [&str; 4] = ["validateOnly", "allowMissing", "maxAffected", "note"];

    fn extras(self) -> Extras {
        let Self { validate_only, allow_missing, max_affected, note } = self;
        Extras { validate_only, allow_missing, max_affected, note }
    }
}

/// What every deletion of the families that speak snake_case can be told.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SnakeExtras {
    /// Only say what would be done: the same checks and the same answer, with the header `Validate-Only: true` and
    /// without `Deletion-Id`; nothing is changed.
    #[serde(default)]
    #[param(required = false)]
    validate_only: bool,
    /// What is not there, or was deleted before, counts as done.
    #[serde(default)]
    #[param(required = false)]
    allow_missing: bool,
    /// The most rows that may go: with more, nothing is done, and the answer is 409.
    #[param(required = false, minimum = 0)]
    max_affected: Option<u64>,
    /// What the caller has to say of it, at most 1,000 characters; kept with the deletion for 30 days.
    #[param(required = false, max_length = 1000)]
    note: Option<String>,
}

impl ExtraParams for SnakeExtras {
    const NAMES: [&str; 4] = ["validate_only", "allow_missing", "max_affected", "note"];

    fn extras(self) -> Extras {
        let Self { validate_only, allow_missing, max_affected, note } = self;
        Extras { validate_only, allow_missing, max_affected, note }
    }
}

/// Reads the query of a deletion: what the family's deletions can all be told, and the rest.
///
/// # Errors
///
/// [`Error::Invalid`] that names the parameter.
pub fn deletion<T: DeserializeOwned, E: ExtraParams>(query: &str) -> Result<(T, Extras), Error> {
    let (mut extras, mut rest) =
        (form_urlencoded::Serializer::new(String::new()), form_urlencoded::Serializer::new(String::new()));
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let is_extra = E::NAMES.contains(&name.as_ref());
        if is_extra { &mut extras } else { &mut rest }.append_pair(&name, &value);
    }
    let read: E = parse(&extras.finish())?;
    Ok((parse(&rest.finish())?, read.extras()))
}

impl Extras {
    fn of(self, options: Options) -> Result<How, Error> {
        let options = Options {
            validate_only: self.validate_only,
            allow_missing: self.allow_missing,
            max_affected: self.max_affected,
            ..options
        };
        Ok(How { options, note: note(self.note)? })
    }
}

/// What a caller says of what is asked, if that says something.
///
/// # Errors
///
/// [`Error::Invalid`] when it is too long, or has control characters.
pub fn note(note: Option<String>) -> Result<Option<String>, Error> {
    note.as_deref().map_or(Ok(()), |note| body::text("note", note, MAX_NOTE))?;
    Ok(note.filter(|note| !note.trim().is_empty()))
}

/// How one thing is deleted, of the version that the caller expects.
///
/// # Errors
///
/// [`Error::Invalid`] that names the parameter.
pub fn single(mode: ModeParam, if_match: IfMatch, extras: Extras) -> Result<How, Error> {
    extras.of(Options { mode: mode.into(), if_match, ..Options::default() })
}

/// How a deletion is done that these parameters spell.
///
/// # Errors
///
/// [`Error::Invalid`] that names the parameter.
pub fn how(mode: ModeParam, atomic: bool, on_multiple: OnMultipleParam, extras: Extras) -> Result<How, Error> {
    extras.of(Options {
        mode: mode.into(),
        atomicity: if atomic { Atomicity::Atomic } else { Atomicity::EachAlone },
        on_multiple: match on_multiple {
            OnMultipleParam::All => OnMultiple::All,
            OnMultipleParam::Fail => OnMultiple::Fail,
        },
        ..Options::default()
    })
}

/// That a deletion can be done in batches, in the background.
///
/// # Errors
///
/// [`Error::Invalid`] that names the parameter which stands against it.
pub fn require_batches(how: &How) -> Result<(), Error> {
    if how.options.atomicity == Atomicity::Atomic {
        return Err(Error::invalid("atomic", "what is done in the background is not all or nothing"));
    }
    if how.options.validate_only {
        let message = "only of up to 1,000 things, a filter or all it can be said what would be done";
        return Err(Error::invalid("validate_only", message));
    }
    Ok(())
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
