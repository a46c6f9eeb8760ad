//! Pages of the families that speak camelCase, and the opaque places that pages
//! of every family begin after.

use std::fmt::Display;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use time::OffsetDateTime;

use crate::domain::page::{LastChange, Listed, Page, Start};
use crate::error::Error;

use super::pages;

/// The deepest row that a numbered page reaches.
pub const MAX_DEPTH: i64 = 10_000;

/// The largest page of the families that speak camelCase.
const MAX_LIMIT: i64 = 100;

/// A place in the order of a list, as a caller carries it: nobody's to read.
///
/// `kind` says which list it is of, so that one list's place is not taken for another's.
pub fn cursor(kind: &str, key: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{kind} {key}"))
}

/// The place that a caller gives back.
///
/// # Errors
///
/// [`Error::Invalid`] that names `after`, for what is no place of that list.
pub fn read_cursor<K>(kind: &str, text: &str, parse: impl FnOnce(&str) -> Option<K>) -> Result<K, Error> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| parse(text.strip_prefix(kind)?.strip_prefix(' ')?))
        .ok_or_else(|| Error::invalid("after", "is not a place in this list; take it from the page before"))
}

/// The key of a place in a list that is in the order of time.
pub fn moment_key(at: OffsetDateTime, id: impl Display) -> String {
    format!("{} {id}", at.unix_timestamp_nanos())
}

/// Reads a key of [`moment_key`]. None when it is none, or of a year that the database does not have.
pub fn read_moment<I>(text: &str, read_id: impl FnOnce(&str) -> Option<I>) -> Option<LastChange<I>> {
    let (at, id) = text.split_once(' ')?;
    let at = OffsetDateTime::from_unix_timestamp_nanos(at.parse().ok()?).ok()?;
    (1..=9999).contains(&at.year()).then_some(LastChange { at, id: read_id(id)? })
}

/// Which page a caller asks for, by the parameters' names.
#[derive(Debug, Default)]
pub struct Asked {
    /// How many to leave out.
    pub skip: Option<i64>,
    /// How many a page has.
    pub limit: Option<i64>,
    /// The page's number, from 1.
    pub page: Option<i64>,
    /// The place after which it begins.
    pub after: Option<String>,
}

impl Asked {
    /// The page; `size` is what it has unless the caller says.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] that names the parameter.
    pub fn read<K>(self, size: i64, read_key: impl FnOnce(&str) -> Result<K, Error>) -> Result<Page<K>, Error> {
        let limit = self.limit.unwrap_or(size);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Error::invalid("limit", format!("must be 1 to {MAX_LIMIT}")));
        }
        if let Some(after) = &self.after {
            if self.skip.is_some() || self.page.is_some() {
                return Err(Error::invalid("after", "cannot be given together with skip or page"));
            }
            return Ok(Page { start: Start::After(read_key(after)?), limit });
        }
        let skip = match (self.skip, self.page) {
            (Some(_), Some(_)) => return Err(Error::invalid("page", "cannot be given together with skip")),
            (Some(skip), None) => skip,
            (None, Some(page)) if page < 1 => return Err(Error::invalid("page", "must be 1 or more")),
            (None, Some(page)) => (page - 1).saturating_mul(limit),
            (None, None) => 0,
        };
        if skip < 0 || skip.saturating_add(limit) > MAX_DEPTH {
            let message = format!("must be 0 or more and reach no further than row {MAX_DEPTH}; after reaches all");
            return Err(Error::invalid(if self.page.is_some() { "page" } else { "skip" }, message));
        }
        Ok(Page { start: Start::Row(skip), limit })
    }
}

/// A page.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageBody<T> {
    /// What is on it.
    results: Vec<T>,
    /// How many were left out before it; 0 when it begins after a place.
    skip: i64,
    /// How many a page has.
    limit: i64,
    /// Whether there are more after it.
    has_more: bool,
    /// How many pages there are.
    total_pages: i64,
    /// How many there are on all pages.
    total_results: i64,
    /// What to send as `after` for the next page. Absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

impl<T> PageBody<T> {
    /// The answer for a page of a list that has no places.
    pub fn numbered<K, D>(asked: &Page<K>, listed: Listed<D>, body: impl Fn(D) -> T) -> Self {
        Self { after: None, ..Self::of(asked, listed, |_| String::new(), body) }
    }

    /// The answer for a page; `place` tells a thing's place in the list.
    pub fn of<K, D>(asked: &Page<K>, listed: Listed<D>, place: impl Fn(&D) -> String, body: impl Fn(D) -> T) -> Self {
        Self {
            after: listed.items.last().filter(|_| listed.has_more).map(place),
            skip: asked.skip(),
            limit: asked.limit,
            has_more: listed.has_more,
            total_pages: pages(listed.total, asked.limit),
            total_results: listed.total,
            results: listed.items.into_iter().map(body).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_in_its_own_list_only() {
        let text = cursor("contact", "abc");
        assert_eq!(read_cursor("contact", &text, |key| Some(key.to_owned())).ok().as_deref(), Some("abc"));
        assert!(read_cursor("member", &text, |key| Some(key.to_owned())).is_err());
        for text in ["", "abc", "%00", "YWJj", "🙂"] {
            assert!(read_cursor("contact", text, |key| Some(key.to_owned())).is_err(), "{text:?}");
        }
    }
}
