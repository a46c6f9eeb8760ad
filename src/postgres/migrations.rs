//! Brings a database to this version's schema.

use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnection;

use super::{APP_ROLE, WORKER_ROLE};

/// The migrations that this version was built with.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// Passwords to set on the roles that a migration creates. None leaves a role as it is.
#[derive(Default)]
pub struct RolePasswords {
    /// The application's.
    pub app: Option<SecretString>,
    /// The worker's.
    pub worker: Option<SecretString>,
}

/// Applies the migrations that are missing, as the role that owns or will own the
/// tables. Several processes may do so at once: one applies, the others wait.
///
/// # Errors
///
/// When a migration fails, or an applied one is not the one this version knows.
pub async fn migrate(conn: &mut PgConnection, passwords: &RolePasswords) -> Result<(), MigrateError> {
    MIGRATIONS.run(&mut *conn).await?;
    for (role, password) in [(APP_ROLE, &passwords.app), (WORKER_ROLE, &passwords.worker)] {
        if let Some(password) = password {
            // ALTER ROLE takes no parameters; the server quotes the literal for us.
            let statement = sqlx::query_scalar::<_, String>("SELECT format('ALTER ROLE %I PASSWORD %L', $1, $2)")
                .bind(role)
                .bind(password.expose_secret())
                .fetch_one(&mut *conn)
                .await
                .map_err(MigrateError::Execute)?;
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *conn).await.map_err(MigrateError::Execute)?;
        }
    }
    Ok(())
}

/// Every migration that this version knows, oldest first.
pub fn versions() -> impl Iterator<Item = i64> {
    MIGRATIONS.iter().map(|migration| migration.version)
}

/// The newest migration that this version knows.
pub fn newest() -> i64 {
    versions().max().unwrap_or_default()
}
