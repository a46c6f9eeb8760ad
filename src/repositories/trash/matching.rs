//! The rows of a kind that a filter takes, in the order of their ids: those after a
//! place, or those of the given ids that it still takes.

use uuid::Uuid;

use crate::domain::filter::{Among, Filter};
use crate::domain::ids::{self, AccountId};
use crate::repositories::{Connection, Result, Written};

/// Which of the rows that match are asked for.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// The next after this id, so many at most.
    After(&'a str, i64),
    /// Those of these ids, all of which come after this one: a place to begin to look at.
    Of(&'a str, &'a [&'a str]),
}

impl<'a> Part<'a> {
    pub(super) fn place(self) -> &'a str {
        match self {
            Part::After(place, _) | Part::Of(place, _) => place,
        }
    }

    pub(super) fn ids(self) -> Option<&'a [&'a str]> {
        match self {
            Part::After(..) => None,
            Part::Of(_, ids) => Some(ids),
        }
    }

    pub(super) fn limit(self) -> i64 {
        match self {
            Part::After(_, limit) => limit,
            Part::Of(_, ids) => i64::try_from(ids.len()).unwrap_or(i64::MAX),
        }
    }

    /// The same, of ids that are UUIDs.
    pub(super) fn uuid_place(self) -> Uuid {
        ids::parse_uuid(self.place()).unwrap_or(Uuid::nil())
    }

    pub(super) fn uuids(self) -> Option<Vec<Uuid>> {
        self.ids().map(|texts| texts.iter().filter_map(|id| ids::parse_uuid(id)).collect())
    }
}

/// The end of the numbers that begin so: the character after 9 comes after all digits.
pub(super) fn prefix_end(prefix: Option<&str>) -> Option<String> {
    prefix.map(|prefix| format!("{prefix}:"))
}

pub(super) fn name(among: Among) -> &'static str {
    match among {
        Among::Live => "live",
        Among::Trashed => "trashed",
        Among::All => "all",
    }
}

/// The text of the rows' ids, and what chooses them.
macro_rules! found {
    ({ $conn:ident, $id:literal } $rows:literal, $($value:expr),+ $(,)?) => {
        sqlx::query_as!(
            Written,
            "SELECT " + $id + r#" AS "id!", t.version FROM "# + $rows + " ORDER BY t.id LIMIT $12",
            $($value),+
        )
        .fetch_all($conn)
        .await
    };
}

/// Which contacts of a stream a filter takes, for a macro that makes a statement of it: what chooses them, after `FROM`,
/// and its values, `$1` to `$16`, of which `$12` is how many at most.
macro_rules! contacts_matching {
    ($make:ident!, $account:ident, $within:expr, $filter:ident, $among:expr, $part:ident, $($more:tt)*) => {
        $make!(
            { $($more)* }
            r#"
            contacts t
            WHERE t.account_id = $1 AND t.stream_id = $2
              AND ($3 = 'all' OR ($3 = 'trashed') = (t.deleted_at IS NOT NULL))
              AND ($4::timestamptz IS NULL OR t.created_at >= $4) AND ($5::timestamptz IS NULL OR t.created_at <= $5)
              AND ($6::timestamptz IS NULL OR t.updated_at >= $6) AND ($7::timestamptz IS NULL OR t.updated_at <= $7)
              AND ($8::timestamptz IS NULL OR t.deleted_at >= $8) AND ($9::timestamptz IS NULL OR t.deleted_at <= $9)
              AND t.id > $10 AND ($11::text[] IS NULL OR t.id = ANY($11))
              AND ($13::text IS NULL OR ltrim(t.country_code, '+0') = $13)
              AND ($14::text IS NULL OR (t.phone_key >= $14 AND t.phone_key < $15))
              AND ($16::text IS NULL OR EXISTS (
                  SELECT FROM contact_list_members m
                  JOIN contact_lists l ON l.account_id = m.account_id AND l.id = m.list_id AND l.deleted_at IS NULL
                  WHERE m.account_id = $1 AND m.list_id = $16 AND m.phone_key = t.phone_key AND m.deleted_at IS NULL
              ))
            "#,
            $account.as_str(),
            $within,
            name($among),
            $filter.created.after,
            $filter.created.before,
            $filter.updated.after,
            $filter.updated.before,
            $filter.deleted.after,
            $filter.deleted.before,
            $part.place(),
            $part.ids() as _,
            $part.limit(),
            $filter.country_code,
            $filter.number_prefix,
            prefix_end($filter.number_prefix.as_deref()),
            $filter.member_of,
        )
    };
}
pub(super) use contacts_matching;

/// Contacts of a stream.
pub async fn contacts(
    conn: &mut Connection,
    account: &AccountId,
    within: &str,
    filter: &Filter,
    among: Among,
    part: Part<'_>,
) -> Result<Vec<Written>> {
    contacts_matching!(found!, account, within, filter, among, part, conn, "t.id")
}

/// Contact lists of a stream.
pub async fn contact_lists(
    conn: &mut Connection,
    account: &AccountId,
    within: &str,
    filter: &Filter,
    among: Among,
    part: Part<'_>,
) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        SELECT t.id, t.version
        FROM contact_lists t
        WHERE t.account_id = $1 AND t.stream_id = $2
          AND ($3 = 'all' OR ($3 = 'trashed') = (t.deleted_at IS NOT NULL))
          AND ($4::timestamptz IS NULL OR t.created_at >= $4) AND ($5::timestamptz IS NULL OR t.created_at <= $5)
          AND ($6::timestamptz IS NULL OR t.updated_at >= $6) AND ($7::timestamptz IS NULL OR t.updated_at <= $7)
          AND ($8::timestamptz IS NULL OR t.deleted_at >= $8) AND ($9::timestamptz IS NULL OR t.deleted_at <= $9)
          AND t.id > $10 AND ($11::text[] IS NULL OR t.id = ANY($11))
        ORDER BY t.id
        LIMIT $12
        "#,
        account.as_str(),
        within,
        name(among),
        filter.created.after,
        filter.created.before,
        filter.updated.after,
        filter.updated.before,
        filter.deleted.after,
        filter.deleted.before,
        part.place(),
        part.ids() as _,
        part.limit(),
    )
    .fetch_all(conn)
    .await
}

/// Campaigns of a stream.
pub async fn campaigns(
    conn: &mut Connection,
    account: &AccountId,
    within: &str,
    filter: &Filter,
    among: Among,
    part: Part<'_>,
) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        SELECT t.id, t.version
        FROM campaigns t
        WHERE t.account_id = $1 AND t.stream_id = $2
          AND ($3 = 'all' OR ($3 = 'trashed') = (t.deleted_at IS NOT NULL))
          AND ($4::timestamptz IS NULL OR t.created_at >= $4) AND ($5::timestamptz IS NULL OR t.created_at <= $5)
          AND ($6::timestamptz IS NULL OR t.updated_at >= $6) AND ($7::timestamptz IS NULL OR t.updated_at <= $7)
          AND ($8::timestamptz IS NULL OR t.deleted_at >= $8) AND ($9::timestamptz IS NULL OR t.deleted_at <= $9)
          AND t.id > $10 AND ($11::text[] IS NULL OR t.id = ANY($11))
        ORDER BY t.id
        LIMIT $12
        "#,
        account.as_str(),
        within,
        name(among),
        filter.created.after,
        filter.created.before,
        filter.updated.after,
        filter.updated.before,
        filter.deleted.after,
        filter.deleted.before,
        part.place(),
        part.ids() as _,
        part.limit(),
    )
    .fetch_all(conn)
    .await
}

/// Record lists; `within` is empty.
pub async fn record_lists(
    conn: &mut Connection,
    account: &AccountId,
    within: &str,
    filter: &Filter,
    among: Among,
    part: Part<'_>,
) -> Result<Vec<Written>> {
    sqlx::query_as!(
        Written,
        r#"
        SELECT t.id::text AS "id!", t.version
        FROM record_lists t
        WHERE t.account_id = $1 AND $2 = ''
          AND ($3 = 'all' OR ($3 = 'trashed') = (t.deleted_at IS NOT NULL))
          AND ($4::timestamptz IS NULL OR t.created_at >= $4) AND ($5::timestamptz IS NULL OR t.created_at <= $5)
          AND ($6::timestamptz IS NULL OR t.updated_at >= $6) AND ($7::timestamptz IS NULL OR t.updated_at <= $7)
          AND ($8::timestamptz IS NULL OR t.deleted_at >= $8) AND ($9::timestamptz IS NULL OR t.deleted_at <= $9)
          AND t.id > $10 AND ($11::uuid[] IS NULL OR t.id = ANY($11))
        ORDER BY t.id
        LIMIT $12
        "#,
        account.as_str(),
        within,
        name(among),
        filter.created.after,
        filter.created.before,
        filter.updated.after,
        filter.updated.before,
        filter.deleted.after,
        filter.deleted.before,
        part.uuid_place(),
        part.uuids() as _,
        part.limit(),
    )
    .fetch_all(conn)
    .await
}

/// The same of records of a list.
macro_rules! records_matching {
    ($make:ident!, $account:ident, $within:expr, $filter:ident, $among:expr, $part:ident, $($more:tt)*) => {
        $make!(
            { $($more)* }
            r#"
            records t
            WHERE t.account_id = $1 AND t.record_list_id = $2
              AND ($3 = 'all' OR ($3 = 'trashed') = (t.deleted_at IS NOT NULL))
              AND ($4::timestamptz IS NULL OR t.created_at >= $4) AND ($5::timestamptz IS NULL OR t.created_at <= $5)
              AND ($6::timestamptz IS NULL OR t.updated_at >= $6) AND ($7::timestamptz IS NULL OR t.updated_at <= $7)
              AND ($8::timestamptz IS NULL OR t.deleted_at >= $8) AND ($9::timestamptz IS NULL OR t.deleted_at <= $9)
              AND t.id > $10 AND ($11::uuid[] IS NULL OR t.id = ANY($11))
              AND ($13::smallint IS NULL OR t.priority = $13)
              AND ($14::text IS NULL OR t.external_provider = $14)
              AND ($15::text IS NULL OR EXISTS (
                  SELECT FROM record_phones p
                  WHERE p.account_id = $1 AND p.record_list_id = $2 AND p.record_id = t.id AND NOT p.replaced
                    AND p.phone_key >= $15 AND p.phone_key < $16
              ))
            "#,
            $account.as_str(),
            $within,
            name($among),
            $filter.created.after,
            $filter.created.before,
            $filter.updated.after,
            $filter.updated.before,
            $filter.deleted.after,
            $filter.deleted.before,
            $part.uuid_place(),
            $part.uuids() as _,
            $part.limit(),
            $filter.priority,
            $filter.external_provider,
            $filter.number_prefix,
            prefix_end($filter.number_prefix.as_deref()),
        )
    };
}
pub(super) use records_matching;

/// Records of a list.
pub async fn records(
    conn: &mut Connection,
    account: &AccountId,
    within: Uuid,
    filter: &Filter,
    among: Among,
    part: Part<'_>,
) -> Result<Vec<Written>> {
    records_matching!(found!, account, within, filter, among, part, conn, "t.id::text")
}
