//! The ledger: what changed, for ever. Append-only.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Connection, Result, Written};
use crate::domain::identity::Caller;

/// What happened to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// They went into the trash.
    Deleted,
    /// They are gone for good, by a hard deletion.
    HardDeleted,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Action::Deleted => "deleted",
            Action::HardDeleted => "hard_deleted",
        }
    }
}

/// What all entries of one deletion share.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The deletion.
    pub deletion_id: Uuid,
    /// The kind of the rows.
    pub resource: &'a str,
    /// The stream or list that they belong to.
    pub within: &'a str,
    /// What happened to them.
    pub action: Action,
    /// When.
    pub at: OffsetDateTime,
}

/// Writes what happened to `rows`, a ledger row for each 1,000 of them.
pub async fn append(conn: &mut Connection, caller: &Caller, entry: &Entry<'_>, rows: &[Written]) -> Result<()> {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let versions: Vec<i64> = rows.iter().map(|row| row.version).collect();
    sqlx::query!(
        r#"
        INSERT INTO ledger (account_id, deletion_id, resource, within, action, actor_user, actor_client, request_id, at,
                            row_ids, versions)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, array_agg(id ORDER BY position), array_agg(version ORDER BY position)
        FROM unnest($10::text[], $11::bigint[]) WITH ORDINALITY AS changed (id, version, position)
        GROUP BY (position - 1) / 1000
        "#,
        caller.account_id.as_str(),
        entry.deletion_id,
        entry.resource,
        entry.within,
        entry.action.name(),
        caller.user_id.as_str(),
        caller.client_id.as_str(),
        caller.request_id,
        entry.at,
        &ids as _,
        &versions,
    )
    .execute(conn)
    .await?;
    Ok(())
}
