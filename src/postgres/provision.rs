//! A database of our own on a server that we are the superuser of: the private
//! server of `dev`, and the one that tests run on.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor};

/// The role that owns the tables there. No superuser, so that what row security
/// does in production it does there too.
pub const OWNER_ROLE: &str = "expunge_owner";

/// Creates the owner's role and a database of its own, where they are missing.
///
/// # Errors
///
/// When the server cannot be reached or refuses.
pub async fn create_database(superuser: &PgConnectOptions, name: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect_with(&superuser.clone().database("postgres")).await?;
    let owner: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)")
        .bind(OWNER_ROLE)
        .fetch_one(&mut connection)
        .await?;
    if !owner {
        connection.execute("CREATE ROLE expunge_owner LOGIN CREATEROLE").await?;
    }
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(&mut connection)
        .await?;
    if !there {
        let statement: String = sqlx::query_scalar("SELECT format('CREATE DATABASE %I OWNER expunge_owner', $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        connection.execute(sqlx::AssertSqlSafe(statement)).await?;
    }
    connection.close().await
}
