//! How long an account keeps its trash.

use time::OffsetDateTime;

use super::{Connection, Result, unknown_value};
use crate::domain::identity::Caller;
use crate::domain::ids::AccountId;
use crate::domain::operation::Resource;
use crate::domain::trash::Retention;

/// What has been set, or switched off.
pub async fn all(conn: &mut Connection, account: &AccountId) -> Result<Vec<Retention>> {
    let rows = sqlx::query!(
        r#"
        SELECT resource, days, promised_until, set_by, set_by_client
        FROM retention
        WHERE account_id = $1
        ORDER BY resource
        "#,
        account.as_str(),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Retention {
                resource: Resource::parse(&row.resource).ok_or_else(|| unknown_value("resource", &row.resource))?,
                days: row.days,
                promised_until: row.promised_until,
                set_by: row.set_by,
                set_by_client: row.set_by_client,
            })
        })
        .collect()
}

/// Sets how long one kind is kept. What is in the trash without a time to go is promised to stay so many days from now,
/// or as long as it has been promised to stay before.
pub async fn set(
    conn: &mut Connection,
    caller: &Caller,
    resource: Resource,
    days: Option<i32>,
    at: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO retention (account_id, resource, days, promised_until, set_by, set_by_client, set_at)
        VALUES ($1, $2, $3, $6::timestamptz + $3::integer * interval '1 day', $4, $5, $6)
        ON CONFLICT (account_id, resource) DO UPDATE
        SET days = excluded.days, set_by = excluded.set_by, set_by_client = excluded.set_by_client,
            set_at = excluded.set_at,
            -- A change of the days of what is on promises nothing anew: what is in the trash has its time.
            promised_until = CASE
                WHEN retention.days IS NOT NULL OR excluded.days IS NULL THEN retention.promised_until
                ELSE greatest(retention.promised_until, excluded.promised_until)
            END
        "#,
        caller.account_id.as_str(),
        resource.name(),
        days,
        caller.user_id.as_str(),
        caller.client_id.as_str(),
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
