//! Accounts, streams and clients. All but `sign_in` runs as the owner of the
//! tables: the application's role sees none of them.

use time::OffsetDateTime;

use super::{Connection, Result, unknown_value};
use crate::domain::identity::{Client, Scope, SignIn, TokenExpiry};
use crate::domain::ids::{AccountId, ClientId, StreamId, UserId};

/// What is known of a client that has not been revoked. The one look-up that is
/// made before an account is known.
pub async fn sign_in(conn: &mut Connection, client: &ClientId, streams: &[StreamId]) -> Result<Option<SignIn>> {
    let streams: Vec<&str> = streams.iter().map(StreamId::as_str).collect();
    let row = sqlx::query!(
        r#"
        SELECT account_id AS "account_id!", org_id AS "org_id!", agent_id AS "agent_id!", user_id AS "user_id!",
               scopes AS "scopes!", sealed_secret AS "sealed_secret!", expiry_optional AS "expiry_optional!",
               streams_known AS "streams_known!"
        FROM sign_in($1, $2)
        "#,
        client.as_str(),
        &streams as _,
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(SignIn {
            account_id: account(&row.account_id)?,
            org_id: row.org_id,
            agent_id: row.agent_id,
            user_id: UserId::parse(&row.user_id).ok_or_else(|| unknown_value("user_id", &row.user_id))?,
            scopes: scopes(&row.scopes),
            sealed_secret: row.sealed_secret,
            expiry: expiry(row.expiry_optional),
            streams_known: row.streams_known,
        })
    })
    .transpose()
}

/// Inserts an account.
pub async fn insert_account(
    conn: &mut Connection,
    id: &AccountId,
    org_id: &str,
    name: &str,
    now: OffsetDateTime,
) -> Result<()> {
    // It is kept up from its beginning.
    sqlx::query!(
        r#"
        WITH account AS (
            INSERT INTO accounts (account_id, org_id, name, created_at) VALUES ($1, $2, $3, $4)
        )
        INSERT INTO jobs (account_id, id, kind, due_at) VALUES ($1, gen_random_uuid(), 'upkeep', $4)
        "#,
        id.as_str(),
        org_id,
        name,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Every account: id, organisation and name, oldest first.
pub async fn accounts(conn: &mut Connection) -> Result<Vec<(String, String, String)>> {
    let rows = sqlx::query!("SELECT account_id, org_id, name FROM accounts ORDER BY created_at, account_id")
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.account_id, row.org_id, row.name)).collect())
}

/// Whether there is such an account.
pub async fn account_exists(conn: &mut Connection, id: &AccountId) -> Result<bool> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM accounts WHERE account_id = $1) AS "exists!""#, id.as_str())
        .fetch_one(conn)
        .await
}

/// Inserts a stream.
pub async fn insert_stream(
    conn: &mut Connection,
    account: &AccountId,
    id: &StreamId,
    name: &str,
    now: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO streams (account_id, stream_id, name, created_at) VALUES ($1, $2, $3, $4)",
        account.as_str(),
        id.as_str(),
        name,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An account's streams: id and name, oldest first.
pub async fn streams(conn: &mut Connection, account: &AccountId) -> Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        "SELECT stream_id, name FROM streams WHERE account_id = $1 ORDER BY created_at, stream_id",
        account.as_str(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.stream_id, row.name)).collect())
}

/// Inserts a client with its sealed secret.
pub async fn insert_client(
    conn: &mut Connection,
    client: &Client,
    agent_id: &str,
    user_id: &UserId,
    sealed_secret: &[u8],
    now: OffsetDateTime,
) -> Result<()> {
    let scopes: Vec<&str> = client.scopes.iter().map(|scope| scope.name()).collect();
    sqlx::query!(
        r#"
        INSERT INTO clients (account_id, client_id, name, agent_id, user_id, scopes, sealed_secret, expiry_optional, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        "#,
        client.account_id.as_str(),
        client.client_id.as_str(),
        client.name,
        agent_id,
        user_id.as_str(),
        &scopes as _,
        sealed_secret,
        client.expiry == TokenExpiry::Optional,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An account's clients, oldest first, revoked ones included.
pub async fn clients(conn: &mut Connection, account_id: &AccountId) -> Result<Vec<Client>> {
    let rows = sqlx::query!(
        r#"
        SELECT client_id, name, scopes, expiry_optional, revoked_at IS NOT NULL AS "revoked!"
        FROM clients
        WHERE account_id = $1
        ORDER BY created_at, client_id
        "#,
        account_id.as_str(),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Client {
                account_id: account_id.clone(),
                client_id: ClientId::parse(&row.client_id).ok_or_else(|| unknown_value("client_id", &row.client_id))?,
                name: row.name,
                scopes: scopes(&row.scopes),
                expiry: expiry(row.expiry_optional),
                revoked: row.revoked,
            })
        })
        .collect()
}

/// The account of a client that has not been revoked.
pub async fn client_account(conn: &mut Connection, client: &ClientId) -> Result<Option<AccountId>> {
    sqlx::query_scalar!("SELECT account_id FROM clients WHERE client_id = $1 AND revoked_at IS NULL", client.as_str())
        .fetch_optional(conn)
        .await?
        .map(|id| account(&id))
        .transpose()
}

/// Replaces a client's secret. Answers whether there was such a client.
pub async fn replace_secret(
    conn: &mut Connection,
    account: &AccountId,
    client: &ClientId,
    sealed_secret: &[u8],
    now: OffsetDateTime,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"
        UPDATE clients SET sealed_secret = $3, rotated_at = $4
        WHERE account_id = $1 AND client_id = $2 AND revoked_at IS NULL
        "#,
        account.as_str(),
        client.as_str(),
        sealed_secret,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Revokes a client. Answers whether there was such a client.
pub async fn revoke(
    conn: &mut Connection,
    account: &AccountId,
    client: &ClientId,
    now: OffsetDateTime,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE clients SET revoked_at = $3 WHERE account_id = $1 AND client_id = $2 AND revoked_at IS NULL",
        account.as_str(),
        client.as_str(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn account(id: &str) -> Result<AccountId> {
    AccountId::parse(id).ok_or_else(|| unknown_value("account_id", id))
}

/// A scope that this version does not know was given by a later one, and allows nothing here.
fn scopes(names: &[String]) -> Vec<Scope> {
    names.iter().filter_map(|name| Scope::parse(name)).collect()
}

fn expiry(optional: bool) -> TokenExpiry {
    if optional { TokenExpiry::Optional } else { TokenExpiry::Strict }
}
