//! Pages of the record lists family: numbered, and linked by places.

use serde::{Deserialize, Serialize};

use super::Link;
use crate::domain::ids;
use crate::domain::page::{LastChange, Page, Start};
use crate::error::Error;
use crate::handlers::pages;
use crate::handlers::paging::{self, MAX_DEPTH};

/// The largest page.
const MAX_PER_PAGE: i64 = 500;

/// Which page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageParams {
    /// The page's number, from 1. Not together with `after`.
    #[param(minimum = 1, default = 1)]
    page: Option<i64>,
    /// How many a page has, 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 50)]
    per_page: Option<i64>,
    /// The order: `updated_at:desc` is the only one.
    #[param(inline)]
    #[expect(dead_code, reason = "there is one order; another is refused when it is read")]
    order_by: Option<Order>,
    /// What comes after a place: `next` carries it.
    after: Option<String>,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
enum Order {
    /// The last changed first.
    #[serde(rename = "updated_at:desc")]
    UpdatedAtDescending,
}

/// The page that is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its number; 1 when it begins after a place.
    pub(super) number: i64,
    /// Which part of the list it is.
    pub(super) page: Page<LastChange>,
    after: Option<String>,
}

impl PageParams {
    /// The page; `kind` says which list it is of.
    pub(super) fn read(self, kind: &str) -> Result<Asked, Error> {
        let (number, limit) = numbered_page(self.page, self.per_page)?;
        let start = match &self.after {
            Some(_) if self.page.is_some() => {
                return Err(Error::invalid("after", "cannot be given together with page"));
            }
            Some(after) => Start::After(paging::read_cursor(kind, after, parse)?),
            None => Start::Row((number - 1) * limit),
        };
        Ok(Asked { number, page: Page { start, limit }, after: self.after })
    }
}

impl Asked {
    /// Where this page of the list at `href` and the others are. `next` is the
    /// place of the last thing on it, unless it is the last page.
    pub(super) fn links(&self, href: &str, kind: &str, total: i64, next: Option<LastChange>) -> PageLinks {
        let limit = self.page.limit;
        let placed = |after: &str| Link { href: format!("{href}{}after={after}&per_page={limit}", joint(href)) };
        let mut links = PageLinks::numbered(href, self.number, limit, total);
        if let Some(after) = &self.after {
            links.this = placed(after);
        }
        links.next = next.map(|place| placed(&paging::cursor(kind, &format(place))));
        links
    }
}

/// `href` with those of the query's parameters that choose what is listed: a
/// link to another page lists the same.
pub(super) fn filtered(href: String, query: &str, filters: &[&str]) -> String {
    let mut kept = form_urlencoded::Serializer::new(String::new());
    kept.extend_pairs(form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| filters.contains(&name.as_ref())));
    match kept.finish() {
        kept if kept.is_empty() => href,
        kept => format!("{href}?{kept}"),
    }
}

fn joint(href: &str) -> char {
    if href.contains('?') { '&' } else { '?' }
}

/// The page of that number and size; the first of 50 unless the caller says.
pub(super) fn numbered_page(page: Option<i64>, per_page: Option<i64>) -> Result<(i64, i64), Error> {
    let limit = per_page.unwrap_or(50);
    if !(1..=MAX_PER_PAGE).contains(&limit) {
        return Err(Error::invalid("per_page", format!("must be 1 to {MAX_PER_PAGE}")));
    }
    let number = page.unwrap_or(1);
    if number < 1 || number.saturating_mul(limit) > MAX_DEPTH {
        return Err(Error::invalid("page", format!("must be 1 or more and reach no further than row {MAX_DEPTH}")));
    }
    Ok((number, limit))
}

impl PageLinks {
    /// The links of a page that has a number.
    pub(super) fn numbered(href: &str, number: i64, limit: i64, total: i64) -> Self {
        let numbered = |page: i64| Link { href: format!("{href}{}page={page}&per_page={limit}", joint(href)) };
        // Pages are numbered to a depth; no numbered link leads beyond it.
        let last = pages(total, limit).clamp(1, MAX_DEPTH / limit);
        PageLinks {
            this: numbered(number),
            first: numbered(1),
            last: numbered(last),
            next: (number < last).then(|| numbered(number + 1)),
            prev: (number > 1).then(|| numbered(number - 1)),
        }
    }
}

/// Where the pages are.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct PageLinks {
    /// This page.
    #[serde(rename = "self")]
    this: Link,
    /// The first page.
    first: Link,
    /// The last page that has a number.
    last: Link,
    /// The next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Link>,
    /// The page before, where this one has a number; absent on the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    prev: Option<Link>,
}

fn format(place: LastChange) -> String {
    paging::moment_key(place.at, place.id)
}

fn parse(text: &str) -> Option<LastChange> {
    paging::read_moment(text, ids::parse_uuid)
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let place =
            LastChange { at: OffsetDateTime::UNIX_EPOCH + time::Duration::microseconds(7), id: uuid::Uuid::max() };
        assert_eq!(parse(&format(place)), Some(place));
        for text in
            ["", "7", "7 x", "x ffffffff-ffff-ffff-ffff-ffffffffffff", "-1e9 ffffffff-ffff-ffff-ffff-ffffffffffff"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
