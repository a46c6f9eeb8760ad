//! SQL, one file for each family of tables. A function is one statement, made
//! for one account; absence is `None`, and what it means is decided elsewhere.
//!
//! JSON that is kept as given goes in as text and is cast there: bound as JSON
//! it would pass through `jsonb`, which disorders the keys.

use std::fmt;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::ids::UserId;

pub mod campaign_record_lists;
pub mod campaigns;
pub mod contact_imports;
pub mod contact_list_members;
pub mod contact_lists;
pub mod contacts;
pub mod deletions;
pub mod idempotency;
pub mod identity;
pub mod jobs;
pub mod ledger;
pub mod record_lists;
pub mod records;
pub mod retention;
pub mod singles;
pub mod trash;

/// What a repository answers with.
pub type Result<T> = std::result::Result<T, sqlx::Error>;

/// The connection that a statement runs on: one inside a transaction that is
/// set to an account.
pub type Connection = PgConnection;

/// What is written on a row that goes into the trash.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The deletion.
    pub deletion_id: Uuid,
    /// When.
    pub at: OffsetDateTime,
    /// Who.
    pub by: UserId,
}

/// What to do about a row that another transaction has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Wait for it, as long as the transaction's lock timeout allows.
    Block,
    /// Leave it out.
    Skip,
}

/// Which rows a look-up sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Live ones.
    Live,
    /// Live and trashed ones.
    WithTrash,
}

/// A row in the state in which it was locked.
#[derive(Clone, Debug)]
pub struct LockedRow {
    /// Its id.
    pub id: String,
    /// Where it lies in its table. Good while it is locked and as it was: it is found there without its index.
    pub spot: String,
    /// Whether it is in the trash.
    pub trashed: bool,
    /// How often it has changed.
    pub version: i64,
    /// Whether it is on hold.
    pub held: bool,
    /// The deletion by which it is in the trash.
    pub deletion_id: Option<Uuid>,
}

/// Locks rows of a table that is called `t`: the text of their ids, and what chooses them. Waits for what others have
/// locked, or leaves it out.
macro_rules! locked {
    (@ $lock:literal, $conn:expr, $id:literal, $rows:literal, $($value:expr),+) => {
        sqlx::query_as!(
            LockedRow,
            "SELECT " + $id + r#" AS "id!", t.ctid::text AS "spot!", t.deleted_at IS NOT NULL AS "trashed!",
                    t.version, t.held, t.deletion_id
            FROM "# + $rows + "
            ORDER BY t.id
            " + $lock,
            $($value),+
        )
        .fetch_all($conn)
        .await
    };
    ($conn:expr, $wait:expr, $id:literal, $rows:literal, $($value:expr),+ $(,)?) => {
        match $wait {
            $crate::repositories::Wait::Block => locked!(@ "FOR UPDATE OF t", $conn, $id, $rows, $($value),+),
            $crate::repositories::Wait::Skip => locked!(@ "FOR UPDATE OF t SKIP LOCKED", $conn, $id, $rows, $($value),+),
        }
    };
}
pub(in crate::repositories) use locked;

/// A row with the version that it has now.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: i64,
}

/// Has the statements that follow in the transaction planned for their values, each time.
/// For look-ups with filters: which index serves depends on which filters there are.
pub async fn plan_for_values(conn: &mut Connection) -> Result<()> {
    sqlx::query!("SELECT set_config('plan_cache_mode', 'force_custom_plan', true) AS mode").fetch_one(conn).await?;
    Ok(())
}

/// The same, and has them walk an index in the order that they answer in. For the parts of a long walk: to sort what is
/// left of it for each part takes ever so long, and seems cheap where little is known of how much there is. To start
/// helpers for a part, or to compile it, takes longer than the part.
pub async fn plan_for_a_walk(conn: &mut Connection) -> Result<()> {
    sqlx::query!(
        r#"
        SELECT set_config('plan_cache_mode', 'force_custom_plan', true) AS mode,
               set_config('enable_sort', 'off', true) AS sorts,
               set_config('max_parallel_workers_per_gather', '0', true) AS helpers,
               set_config('jit', 'off', true) AS compiles
        "#
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Has the statements that follow in the transaction planned as they come again, still without helpers.
pub async fn plan_as_it_comes(conn: &mut Connection) -> Result<()> {
    sqlx::query!(
        "SELECT set_config('plan_cache_mode', 'auto', true) AS mode, set_config('enable_sort', 'on', true) AS sorts"
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// An error for a value in the database that the domain does not know.
fn unknown_value(column: &'static str, value: &str) -> sqlx::Error {
    #[derive(Debug)]
    struct UnknownValue(usize);
    impl fmt::Display for UnknownValue {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            // The value may be personal data; its length is enough to find it by.
            write!(f, "a stored value of {} bytes is not one that this version knows", self.0)
        }
    }
    impl std::error::Error for UnknownValue {}
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(UnknownValue(value.len())) }
}
