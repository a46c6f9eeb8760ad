//! What must be true of a database before the service serves from it. Read from
//! the catalog at every start, so that a forgotten policy or a right too many
//! stops the service and not a tenant's privacy.

use sqlx::{Connection, PgConnection, PgPool};

use super::{WORKER_ROLE, migrations};

/// Tables of the migration tool, which hold nothing of any account.
const EXEMPT_TABLES: [&str; 1] = ["_sqlx_migrations"];

/// Unique indexes that are not led by the account, each with its reason: a token
/// names a client and no account.
const EXEMPT_INDEXES: [&str; 1] = ["clients_by_client_id"];

/// Functions that run with their owner's rights: from a client to its account, and to the next job, whosever it is.
const EXEMPT_FUNCTIONS: [&str; 2] = ["sign_in", "next_job"];

/// Tables that hold who there is and not what they have; nothing in them is trashed.
const IDENTITY_TABLES: [&str; 3] = ["accounts", "streams", "clients"];

/// Tables that are never deleted from.
const APPEND_ONLY_TABLES: [&str; 3] = ["ledger", "contact_imports", "contact_import_batches"];

/// Tables that hold nothing that can be in the trash: what is kept for a time and then dropped, and settings.
const PASSING_TABLES: [&str; 5] = ["idempotency_keys", "deletions", "deletion_chunks", "jobs", "retention"];

/// Policies that let the owner of the tables see all accounts, and nobody else.
const OWNER_POLICY: &str = "operator";

/// The tables that may have one: who there is, and what is to be done.
const OWNER_TABLES: [&str; 4] = ["accounts", "streams", "clients", "jobs"];

/// What the policy `tenant` says, without white space and quotes, as Postgres prints it.
const TENANT: &str = "(account_id=(SELECTNULLIF(current_setting('app.account_id'::text,true),''::text)ASnullif))";

/// What the policy `only_trash_is_removed` says, without white space: of a row
/// that has a life, of a number that its record no longer has or goes with, and of an attachment.
const LINES: [(&str, &str); 4] = [
    ("", "((deleted_atISNOTNULL)AND(NOTheld))"),
    (
        "record_phones",
        "(replacedOR(EXISTS(SELECTFROMrecordsrWHERE((r.account_id=record_phones.account_id)\
         AND(r.record_list_id=record_phones.record_list_id)AND(r.id=record_phones.record_id)\
         AND(r.deleted_atISNOTNULL)AND(NOTr.held)))))",
    ),
    ("campaign_contact_lists", "(list_liveISNULL)"),
    ("campaign_record_lists", "(list_liveISNULL)"),
];

/// Why the service refuses to serve.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The database could not be asked.
    #[error("the database does not answer: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema is older than this version.
    #[error("the schema lacks migration {missing}, which this version needs: run `expunge migrate`")]
    OldSchema {
        /// The first migration that has not been applied.
        missing: i64,
    },
    /// Something is not as it must be.
    #[error("the database is not safe to serve from:\n  - {}", .0.join("\n  - "))]
    Unsafe(Vec<String>),
}

/// Checks the schema's version, the role's rights, the policies and the keys.
///
/// # Errors
///
/// Everything that is wrong, in one error.
pub async fn check(pool: &PgPool) -> Result<(), GuardError> {
    reach(pool).await?;
    check_version(pool).await?;
    let mut wrong = role_faults(pool).await?;
    if !wrong.is_empty() {
        // Whoever owns the tables or bypasses their policies fails all the rest too.
        return Err(GuardError::Unsafe(wrong));
    }
    wrong.extend(table_faults(pool).await?);
    wrong.extend(policy_faults(pool).await?);
    wrong.extend(bypass_faults(pool).await?);
    wrong.extend(key_faults(pool).await?);
    if wrong.is_empty() { Ok(()) } else { Err(GuardError::Unsafe(wrong)) }
}

/// The pool tries again until its time is up and then does not say what was
/// wrong; one more try on its own does.
async fn reach(pool: &PgPool) -> Result<(), sqlx::Error> {
    match pool.acquire().await {
        Err(sqlx::Error::PoolTimedOut) => PgConnection::connect_with(&pool.connect_options()).await?.close().await,
        reached => reached.map(drop),
    }
}

/// Checks that every migration this version needs has been applied.
///
/// # Errors
///
/// [`GuardError::OldSchema`] when one is missing.
pub async fn check_version(pool: &PgPool) -> Result<(), GuardError> {
    let there: bool = sqlx::query_scalar!(r#"SELECT to_regclass('public._sqlx_migrations') IS NOT NULL AS "there!""#)
        .fetch_one(pool)
        .await?;
    let applied = if there {
        sqlx::query_scalar::<_, i64>("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(pool).await?
    } else {
        Vec::new()
    };
    // Each is looked for, because a release may bring a migration that is older than one applied before.
    let missing = migrations::versions().find(|version| !applied.contains(version));
    missing.map_or(Ok(()), |missing| Err(GuardError::OldSchema { missing }))
}

async fn role_faults(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    let roles = sqlx::query!(
        r#"
        SELECT rolname::text AS "name!", rolsuper OR rolbypassrls AS "bypasses!", rolcreaterole AS "creates_roles!",
               EXISTS (
                   SELECT FROM pg_catalog.pg_class c
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND pg_has_role(r.oid, c.relowner, 'MEMBER')
               ) AS "owns!"
        FROM pg_catalog.pg_roles r
        WHERE rolname = current_user OR rolname = $1
        ORDER BY 1
        "#,
        WORKER_ROLE,
    )
    .fetch_all(pool)
    .await?;
    let mut wrong = Vec::new();
    for role in roles {
        let name = role.name;
        if role.bypasses {
            wrong.push(format!("the role {name} is a superuser or bypasses row security"));
        }
        if role.creates_roles {
            wrong.push(format!("the role {name} may create roles"));
        }
        if role.owns {
            wrong.push(format!("the role {name} owns tables, or is a member of the role that does"));
        }
    }
    Ok(wrong)
}

async fn table_faults(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    let tables = sqlx::query!(
        r#"
        SELECT c.relname::text AS "name!", c.relrowsecurity AND c.relforcerowsecurity AS "guarded!",
               has_table_privilege(c.oid, 'TRUNCATE') AS "truncates!",
               has_table_privilege(c.oid, 'TRIGGER') OR has_any_column_privilege(c.oid, 'REFERENCES') AS "reshapes!",
               has_any_column_privilege(c.oid, 'SELECT') AS "reads!",
               has_any_column_privilege(c.oid, 'INSERT') AS "adds!",
               has_any_column_privilege(c.oid, 'UPDATE') OR has_table_privilege(c.oid, 'DELETE') AS "changes!"
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname <> ALL ($1)
        ORDER BY 1
        "#,
        &EXEMPT_TABLES as _,
    )
    .fetch_all(pool)
    .await?;
    let mut wrong = Vec::new();
    for table in tables {
        let name = table.name.as_str();
        if !table.guarded {
            wrong.push(format!("{name}: row security is not enabled and forced"));
        }
        if table.truncates || table.reshapes {
            wrong.push(format!("{name}: the role may TRUNCATE it or hang things on it"));
        }
        if IDENTITY_TABLES.contains(&name) && (table.reads || table.adds || table.changes) {
            wrong.push(format!("{name}: the role may read or change it other than by sign_in()"));
        }
        if APPEND_ONLY_TABLES.contains(&name) && table.changes {
            wrong.push(format!("{name}: the role may UPDATE or DELETE, and it is append-only"));
        }
    }
    Ok(wrong)
}

async fn policy_faults(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    let (lined, lines): (Vec<&str>, Vec<&str>) = LINES.into_iter().unzip();
    let tables = sqlx::query!(
        r#"
        WITH policy AS (
            SELECT c.relname, c.relowner, p.polname, p.polpermissive, p.polcmd, p.polroles, p.polwithcheck,
                   regexp_replace(pg_get_expr(p.polqual, p.polrelid), '[\s"]', '', 'g') AS says
            FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            LEFT JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid
            WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname <> ALL ($1)
        ), line AS (
            SELECT * FROM unnest($5::text[], $6::text[]) AS line (relname, says)
        )
        SELECT relname::text AS "name!",
               coalesce(bool_or(polname = 'tenant' AND polpermissive AND polcmd = '*' AND polroles = '{0}'
                   AND says = $4 AND polwithcheck IS NULL), false) AS "tenant!",
               coalesce(bool_or(polname = 'only_trash_is_removed' AND NOT polpermissive AND polcmd = 'd'
                   AND polroles = '{0}' AND says = coalesce(
                       (SELECT line.says FROM line WHERE line.relname = policy.relname),
                       (SELECT line.says FROM line WHERE line.relname = '')
                   )), false) AS "line!",
               coalesce(bool_or(polpermissive AND polname <> 'tenant'
                   AND NOT (polname = $2 AND relname = ANY ($3) AND polroles = ARRAY[relowner])), false) AS "opened!"
        FROM policy
        GROUP BY relname
        ORDER BY 1
        "#,
        &EXEMPT_TABLES as _,
        OWNER_POLICY,
        &OWNER_TABLES as _,
        TENANT,
        &lined as _,
        &lines as _,
    )
    .fetch_all(pool)
    .await?;
    let mut wrong = Vec::new();
    for table in tables {
        let name = table.name.as_str();
        if !table.tenant {
            wrong.push(format!("{name}: the policy `tenant` is missing or altered"));
        }
        if table.opened {
            wrong.push(format!("{name}: a further permissive policy opens it to other accounts"));
        }
        let is_trashed_from =
            !IDENTITY_TABLES.contains(&name) && !APPEND_ONLY_TABLES.contains(&name) && !PASSING_TABLES.contains(&name);
        if is_trashed_from && !table.line {
            wrong.push(format!("{name}: the restrictive policy `only_trash_is_removed` is missing or altered"));
        }
    }
    Ok(wrong)
}

/// What would see rows with other rights than the caller's.
async fn bypass_faults(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        SELECT format('%s: a view sees rows with the rights of its owner', c.relname) AS "fault!"
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('v', 'm')
        UNION ALL
        SELECT format('%s(): the function runs with the rights of its owner, or lets its caller choose the search path', p.proname)
        FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'public' AND p.prosecdef
          AND NOT (p.proname = ANY ($1) AND p.proconfig = ARRAY['search_path=""'])
        ORDER BY 1
        "#,
        &EXEMPT_FUNCTIONS as _,
    )
    .fetch_all(pool)
    .await
}

async fn key_faults(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    let indexes = sqlx::query_scalar!(
        r#"
        SELECT i.relname::text AS "name!"
        FROM pg_catalog.pg_index x
        JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
        JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]
        WHERE n.nspname = 'public' AND c.relname <> ALL ($1) AND i.relname <> ALL ($2)
          AND a.attname IS DISTINCT FROM 'account_id'
        ORDER BY 1
        "#,
        &EXEMPT_TABLES as _,
        &EXEMPT_INDEXES as _,
    )
    .fetch_all(pool)
    .await?;
    let foreign_keys = sqlx::query!(
        r#"
        SELECT k.conname::text AS "name!", k.confdeltype IN ('a', 'r') AS "keeps!",
               a.attname = 'account_id' AND f.attname = 'account_id' AS "led!"
        FROM pg_catalog.pg_constraint k
        JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
        JOIN pg_catalog.pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = k.confkey[1]
        WHERE n.nspname = 'public' AND k.contype = 'f'
        ORDER BY 1
        "#
    )
    .fetch_all(pool)
    .await?;
    let mut wrong: Vec<String> =
        indexes.into_iter().map(|name| format!("{name}: the index is not led by account_id")).collect();
    for key in foreign_keys {
        if !key.led {
            wrong.push(format!("{}: the foreign key is not led by account_id", key.name));
        }
        if !key.keeps {
            wrong.push(format!("{}: the foreign key deletes or changes rows by itself", key.name));
        }
    }
    Ok(wrong)
}
