//! The data: accounts with contacts, contact lists and record lists, whose ids are numbers in the dress of ids, so that
//! a script of pgbench, which can count and no more, names the same rows as a request.

use std::sync::Arc;

use anyhow::ensure;
use expunge::clock::Clock;
use expunge::domain::identity::{Scope, TokenExpiry};
use expunge::domain::ids::{self, AccountId, StreamId};
use expunge::repositories::identity;
use expunge::sealing::Sealer;
use expunge::services::operator::Operator;
use expunge::services::tokens;
use secrecy::SecretString;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};

/// What is in front of a number of 19 digits in every id.
const PREFIX: &str = "65f1a";
const FIRST: u64 = 1_000_000_000_000_000_000;
/// How far the ids of one account's things are from the next one's.
const APART: u64 = 1_000_000;
/// What a row's place is multiplied with, so that neighbours in time are none on disk. A prime.
const STRIDE: u64 = 7_919;

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Accounts.
    pub accounts: u64,
    /// Contacts of each.
    pub contacts: u64,
    /// Contact lists of each.
    pub lists: u64,
    /// Record lists in all, one for each connection of a bulk load, and records in each.
    pub record_lists: u64,
    /// Records in each of them.
    pub records: u64,
}

/// An account and whoever calls for it.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// Its one stream.
    pub stream: String,
    /// A client's token, valid for an hour.
    pub token: String,
}

impl Account {
    /// Somebody without any right.
    pub fn nobody() -> Self {
        Self { id: String::new(), stream: String::new(), token: String::new() }
    }

    /// A path of the contacts family.
    pub fn contacts(&self, rest: &str) -> String {
        format!("/agentassist/api/v1/public/{}/contacts{rest}", self.stream)
    }

    /// A path of the campaigns family.
    pub fn campaign(&self, rest: &str) -> String {
        format!("/agentassist/api/v1/public/{}/campaign{rest}", self.stream)
    }
}

/// The id of a contact of an account by its place among the things to delete.
pub fn contact_id(account: u64, place: u64, contacts: u64) -> String {
    format!("{PREFIX}{}", FIRST + account * APART + place * STRIDE % contacts)
}

/// The id of a contact list of an account.
pub fn list_id(account: u64, place: u64) -> String {
    format!("cl-00000000-0000-4000-8000-{}", 100_000_000_000 + account * APART + place)
}

/// The id of a record list.
pub fn record_list_id(list: u64) -> String {
    format!("00000000-0000-4000-8000-{}", 100_000_000_000 + list)
}

/// The number, and the external id, of a record by its place in its list.
pub fn record_number(list: u64, place: u64) -> String {
    (12_000_000_000 + list * APART + place).to_string()
}

/// Creates accounts, each with a stream and a client.
pub async fn create_accounts(owner: &PgConnectOptions, key: &SecretString, count: u64) -> anyhow::Result<Vec<Account>> {
    let clock = Clock::system();
    let mut connection = PgConnection::connect_with(owner).await?;
    let mut operator =
        Operator::new(PgConnection::connect_with(owner).await?, clock.clone(), Arc::new(Sealer::new(key)?));
    let mut accounts = Vec::new();
    for account in 0..count {
        let id = AccountId::parse(&format!("{PREFIX}{}", FIRST + account)).expect("made to be an id");
        let stream = StreamId::parse(&stream_id(account)).expect("made to be an id");
        let now = clock.now();
        identity::insert_account(&mut connection, &id, &ids::generate_org_id(), "bench", now).await?;
        identity::insert_stream(&mut connection, &id, &stream, "bench", now).await?;
        let new = operator.create_client(&id, "bench", &Scope::ALL, TokenExpiry::Strict).await?;
        let token = tokens::sign(&new.client_id, &new.secret, now)?;
        accounts.push(Account { id: id.to_string(), stream: stream.to_string(), token });
    }
    Ok(accounts)
}

fn stream_id(account: u64) -> String {
    format!("st-00000000-0000-4000-8000-{:012}", account)
}

/// Loads everything, and prepares what the scripts take from a table.
pub async fn load(admin: &mut PgConnection, size: Size) -> anyhow::Result<()> {
    admin
        .execute(
            "CREATE SCHEMA bench;
             GRANT USAGE ON SCHEMA bench TO expunge_app;
             CREATE TABLE bench.sealed (items bigint PRIMARY KEY, sealed bytea NOT NULL);
             GRANT SELECT ON bench.sealed TO expunge_app;
             INSERT INTO bench.sealed
             SELECT items, (
                 SELECT substr(string_agg(sha256((items || ' ' || part)::bytea), ''), 1, (items * 27 + 30)::int)
                 FROM generate_series(0, items) AS part
             )
             FROM unnest(ARRAY[1, 100, 1000]) AS items
             ON CONFLICT DO NOTHING",
        )
        .await?;
    refill(admin, size).await
}

/// Puts everything back as it was loaded: what is in the trash comes back, what is gone is made again, and nothing is
/// left of what was said of it.
pub async fn refill(admin: &mut PgConnection, size: Size) -> anyhow::Result<()> {
    let Size { accounts, contacts, lists, record_lists, records } = size;
    let last = |count: u64| i128::from(count) - 1;
    admin.execute("TRUNCATE ledger, deletions, deletion_chunks, idempotency_keys").await?;
    admin.execute("DELETE FROM jobs WHERE kind = 'deletion'").await?;
    for table in ["contacts", "contact_lists", "records"] {
        let restored = format!(
            "UPDATE {table} SET deleted_at = NULL, deleted_by = NULL, deletion_id = NULL, purge_at = NULL, version = 1
             WHERE deleted_at IS NOT NULL"
        );
        admin.execute(AssertSqlSafe(restored)).await?;
    }
    let contacts_there = live(admin, "contacts").await? == accounts * contacts;
    let statements = [
        format!(
            "INSERT INTO contacts (account_id, stream_id, id, first_name, last_name, salutation, country_code,
                                   phone_number, extension, phone_key, address, twitter_details, created_by,
                                   created_by_aid, created_at, updated_at)
             SELECT '{PREFIX}' || ({FIRST} + a), 'st-00000000-0000-4000-8000-' || lpad(a::text, 12, '0'),
                    '{PREFIX}' || ({FIRST} + a * {APART} + n),
                    (ARRAY['Ada', 'Grace', 'Alan', 'Edsger', 'Barbara', 'Donald', 'Frances'])[1 + n % 7],
                    (ARRAY['Lovelace', 'Hopper', 'Turing', 'Dijkstra', 'Liskov'])[1 + n % 5] || '-' || n, 'ms', '+1',
                    (2000000000 + n)::text, '+', '1' || (2000000000 + n)::text,
                    json_build_object('street', n || ' Analytical Row', 'city', 'Springfield', 'state', 'IL',
                                      'zip', lpad((n % 100000)::text, 5, '0'), 'country', 'US'),
                    json_build_object('handle', '@person' || n),
                    'u-00000000-0000-4000-8000-000000000001', 'ag-00000000-0000-4000-8000-000000000001',
                    timestamptz '2026-01-01' + n * interval '1 second', timestamptz '2026-01-01' + n * interval '1 second'
             FROM generate_series(0, {}) AS a, generate_series(0, {}) AS n
             WHERE NOT EXISTS (
                 SELECT FROM contacts c
                 WHERE c.account_id = '{PREFIX}' || ({FIRST} + a) AND c.id = '{PREFIX}' || ({FIRST} + a * {APART} + n)
             )",
            last(accounts),
            last(contacts)
        ),
        format!(
            "INSERT INTO contact_lists (account_id, stream_id, id, name, lname, description, source, allow_duplicates,
                                        list_type, status, mapping, files, created_by, updated_by, created_at, updated_at)
             SELECT '{PREFIX}' || ({FIRST} + a), 'st-00000000-0000-4000-8000-' || lpad(a::text, 12, '0'),
                    'cl-00000000-0000-4000-8000-' || (100000000000 + a * {APART} + n), 'List ' || n, 'list ' || n, 'made to be measured',
                    'passiveApi', true, 'static', 'Active', '[]', '[]', 'u-00000000-0000-4000-8000-000000000001',
                    'u-00000000-0000-4000-8000-000000000001', timestamptz '2026-01-01', timestamptz '2026-01-01'
             FROM generate_series(0, {}) AS a, generate_series(0, {}) AS n
             ON CONFLICT (account_id, id) DO NOTHING",
            last(accounts),
            last(lists)
        ),
        format!(
            "INSERT INTO record_lists (account_id, id, name, unique_identifier_type, status, created_by, created_at,
                                       updated_at)
             SELECT '{PREFIX}' || ({FIRST} + l % {accounts}), ('00000000-0000-4000-8000-' || (100000000000 + l))::uuid,
                    'List ' || l, 'PHONE_NUMBER', 'ACTIVE', 'u-00000000-0000-4000-8000-000000000001',
                    timestamptz '2026-01-01', timestamptz '2026-01-01'
             FROM generate_series(0, {}) AS l
             ON CONFLICT (account_id, id) DO NOTHING",
            last(record_lists)
        ),
        format!(
            "WITH place AS (
                 SELECT '{PREFIX}' || ({FIRST} + l % {accounts}) AS account_id,
                        ('00000000-0000-4000-8000-' || (100000000000 + l))::uuid AS list_id,
                        md5(l || ' ' || n)::uuid AS id, (12000000000 + l * {APART} + n)::text AS number
                 FROM generate_series(0, {}) AS l, generate_series(0, {}) AS n
             ), record AS (
                 INSERT INTO records (account_id, record_list_id, id, first_name, last_name, external_provider,
                                      external_id, sync_external_id, extra_data, unique_key, created_by, created_at,
                                      updated_at)
                 SELECT account_id, list_id, id, 'Ada', 'Lovelace', 'crm', number, false, '{{\"plan\": \"gold\"}}', number,
                        'u-00000000-0000-4000-8000-000000000001', timestamptz '2026-01-01', timestamptz '2026-01-01'
                 FROM place
                 ON CONFLICT (account_id, record_list_id, id) DO NOTHING
                 RETURNING account_id, record_list_id, id, external_id
             )
             INSERT INTO record_phones (account_id, record_list_id, record_id, position, phone_number, phone_type,
                                        phone_key)
             SELECT account_id, record_list_id, id, 0, '+' || external_id, 'mobile', external_id FROM record",
            last(record_lists),
            last(records)
        ),
    ];
    // To look for what is missing takes longer than to count.
    for statement in &statements[usize::from(contacts_there)..] {
        admin.execute(AssertSqlSafe(statement.clone())).await?;
    }
    settle(admin).await?;
    let live = live(admin, "contacts").await?;
    ensure!(live == accounts * contacts, "there are {live} contacts and not {accounts} times {contacts}");
    Ok(())
}

/// Cleans up after what was written, so that it burdens nothing that follows.
pub async fn settle(admin: &mut PgConnection) -> anyhow::Result<()> {
    admin.execute("VACUUM (ANALYZE)").await?;
    admin.execute("CHECKPOINT").await?;
    Ok(())
}

/// How many rows of a table are live.
pub async fn live(admin: &mut PgConnection, table: &str) -> anyhow::Result<u64> {
    let sql = format!("SELECT count(*) FROM {table} WHERE deleted_at IS NULL");
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(admin).await?;
    Ok(count.unsigned_abs())
}
