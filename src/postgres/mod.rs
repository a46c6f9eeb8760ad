//! The database as the services see it: transactions that are set to an account
//! and tried again when they lost a race. Beside it what prepares a database
//! and what checks it.

use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Postgres, SqlSafeStr, SqlStr, Transaction};
use uuid::Uuid;

use self::idempotency::Keyed;
use crate::domain::ids::AccountId;
use crate::error::Error;

pub mod embedded;
pub mod guards;
pub mod idempotency;
pub mod migrations;
pub mod provision;

/// The role that serves requests.
pub const APP_ROLE: &str = "expunge_app";
/// The role that empties the trash.
pub const WORKER_ROLE: &str = "expunge_worker";

/// How often a transaction that lost a race is tried in all.
const TRIES: u32 = 4;

/// A connection that has been idle for longer is asked whether it still lives
/// before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);

/// For how long a connection goes from one use to the next at most, before the pool, which tests what comes back to it and
/// bounds how long it lives, has it again.
const KEPT_FROM_POOL: Duration = Duration::from_secs(30);

/// No statement of a request runs for longer, and no transaction waits for its
/// client for longer.
const STATEMENT_TIMEOUT: &str = "60s";

/// What the database says of a statement that ran for longer, or that its operator ended.
const CANCELED: &str = "57014";

/// How long a probe waits for its connection.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// A pool of connections as the application's role.
#[derive(Clone)]
pub struct Database {
    pool: PgPool,
    spares: Arc<Mutex<Spares>>,
    probe: PgPool,
    lock_timeout: String,
}

/// How many connections there are, and how long things may wait.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// The most connections; beside them there is one for probes.
    pub max_connections: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// How long one try waits for a lock.
    pub lock_timeout: Duration,
}

impl PoolSettings {
    /// The part of one of several threads that have a pool each.
    pub fn shared_by(self, threads: usize) -> Self {
        let threads = u32::try_from(threads).unwrap_or(u32::MAX).max(1);
        Self { max_connections: self.max_connections.div_ceil(threads), ..self }
    }
}

/// Connections that were used a moment ago and are known to be good: to give one back to the pool takes a round trip.
#[derive(Default)]
struct Spares {
    free: Vec<Held>,
    /// How many wait for the pool; what is given back is theirs.
    waiting: usize,
}

impl Drop for Spares {
    fn drop(&mut self) {
        for spare in self.free.drain(..) {
            // The pool takes nothing back where no runtime runs any more.
            drop(spare.connection.detach());
        }
    }
}

/// A connection that is out of the pool.
struct Held {
    connection: PoolConnection<Postgres>,
    /// When it came out.
    since: Instant,
    /// When it was used last.
    used: Instant,
}

impl Held {
    /// Whether it has been used so lately that it lives, as far as anybody knows.
    fn is_trusted(&self) -> bool {
        self.used.elapsed() < TRUSTED_IDLE
    }
}

impl Deref for Held {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// Somebody who waits for the pool, until they have what they wait for or go away.
struct Waiter<'a>(&'a Mutex<Spares>);

impl<'a> Waiter<'a> {
    fn new(spares: &'a Mutex<Spares>) -> Self {
        lock(spares).waiting += 1;
        Self(spares)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        lock(self.0).waiting -= 1;
    }
}

/// What is believed of a connection that the pool gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// That it lives, unless it has been idle for long.
    Idle,
    /// Nothing: one of its like has just died.
    Nothing,
}

/// What became of a claim.
pub enum Claim<J> {
    /// There was nothing to claim.
    Nothing,
    /// It was worked on.
    Done,
    /// The work failed, and nothing of it was done.
    Failed(J, Error),
}

/// Which try of a transaction this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Try {
    /// Another follows if this one loses a race.
    Early,
    /// None follows.
    Last,
}

impl Database {
    /// A pool that connects when it is first used.
    pub fn new(options: PgConnectOptions, settings: PoolSettings) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, connected| {
                Box::pin(async move { Ok(connected.idle_for < TRUSTED_IDLE || connection.ping().await.is_ok()) })
            })
            .connect_lazy_with(options.clone());
        let probe = PgPoolOptions::new().max_connections(1).acquire_timeout(PROBE_TIMEOUT).connect_lazy_with(options);
        let spares = Arc::default();
        Self { pool, spares, probe, lock_timeout: format!("{}ms", settings.lock_timeout.as_millis().max(1)) }
    }

    /// A connection apart, for health and the catalog: requests cannot take it.
    pub fn probe(&self) -> &PgPool {
        &self.probe
    }

    /// Closes every connection.
    pub async fn close(&self) {
        lock(&self.spares).free.clear();
        self.pool.close().await;
        self.probe.close().await;
    }

    /// Runs a read on a connection that is set to no account, and again when the
    /// connection broke off.
    ///
    /// # Errors
    ///
    /// What `work` fails with; [`Error::Overloaded`] when no connection comes free
    /// in time, or two broke off.
    pub async fn read<T>(&self, work: impl AsyncFn(&mut PgConnection) -> Result<T, sqlx::Error>) -> Result<T, Error> {
        for trust in [Trust::Idle, Trust::Nothing] {
            let mut connection = self.acquire(trust).await?;
            match work(&mut connection).await {
                Ok(done) => {
                    self.keep(connection);
                    return Ok(done);
                }
                Err(error) if broke_off(&error) => tracing::warn!(%error, "a connection to the database broke off"),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Overloaded)
    }

    /// Runs one statement that is a transaction of its own and sees to its account itself, and to how long it waits for
    /// locks, which it is told. It is not tried again: when the connection breaks off, nobody knows whether it was
    /// committed.
    ///
    /// # Errors
    ///
    /// What `work` fails with; [`Error::Overloaded`] when no connection comes free in time.
    pub async fn statement<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection, &str) -> Result<T, sqlx::Error>,
    ) -> Result<T, Error> {
        let mut connection = self.acquire(Trust::Idle).await?;
        let done = work(&mut connection, &self.lock_timeout).await?;
        self.keep(connection);
        Ok(done)
    }

    async fn acquire(&self, trust: Trust) -> Result<Held, Error> {
        match trust {
            Trust::Idle => {
                if let Some(mut spare) = self.spare()
                    && (spare.is_trusted() || spare.ping().await.is_ok())
                {
                    return Ok(spare);
                }
            }
            Trust::Nothing => lock(&self.spares).free.clear(),
        }
        loop {
            let connection = {
                let _waiter = Waiter::new(&self.spares);
                self.pool.acquire().await
            };
            let mut connection = connection.map_err(|error| match error {
                sqlx::Error::PoolTimedOut => Error::Overloaded,
                other => Error::Database(other),
            })?;
            if trust == Trust::Idle || connection.ping().await.is_ok() {
                let now = Instant::now();
                return Ok(Held { connection, since: now, used: now });
            }
            // A dead one goes, and the pool opens another in its place.
            connection.close_on_drop();
        }
    }

    /// The connection that was used last. Others that are idle go back to the pool, which may close them.
    fn spare(&self) -> Option<Held> {
        let mut spares = lock(&self.spares);
        let last = spares.free.pop();
        spares.free.retain(Held::is_trusted);
        last
    }

    /// Keeps a connection for the next use. What was done on it must have ended well; any other is dropped, and the pool
    /// sees to it.
    fn keep(&self, connection: Held) {
        let mut spares = lock(&self.spares);
        if spares.waiting == 0 && connection.since.elapsed() < KEPT_FROM_POOL {
            spares.free.push(Held { used: Instant::now(), ..connection });
        }
    }

    /// Runs `work` in a transaction that sees one account only. Commits when it
    /// answers, rolls back when it fails, and runs it again when it lost a race
    /// against another transaction: at most four times in all, with a growing,
    /// random pause.
    ///
    /// Of a request under an idempotency key, all such transactions are one, which
    /// claims the key first and is committed with the request's answer; what a
    /// later one of them fails with is failed for all of them.
    ///
    /// # Errors
    ///
    /// What `work` fails with; [`Error::Busy`] when it lost every race;
    /// [`Error::Overloaded`] when a statement took too long;
    /// [`Error::OutcomeUnknown`] when the connection broke in the commit.
    /// Under a key: [`Error::Replayed`], [`Error::IdempotencyKeyReused`] and
    /// [`Error::IdempotencyKeyInUse`].
    pub async fn transaction<T>(
        &self,
        account: &AccountId,
        work: impl AsyncFnMut(&mut PgConnection, Try) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match Keyed::current().filter(|keyed| keyed.key().is_some()) {
            // On the heap: what waits for a transaction is large, and those who need none carry it along.
            Some(keyed) => Box::pin(self.transaction_under(&keyed, account, work)).await,
            None => Box::pin(self.transaction_alone(account, work)).await,
        }
    }

    /// The same, but committed at once, whatever else the request does: for what
    /// is done in several transactions on purpose. Under an idempotency key, the
    /// first of a request claims the key.
    ///
    /// # Errors
    ///
    /// As [`Database::transaction`].
    pub async fn transaction_apart<T>(
        &self,
        account: &AccountId,
        work: impl AsyncFnMut(&mut PgConnection, Try) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match Keyed::current().filter(|keyed| keyed.key().is_some()) {
            Some(keyed) => Box::pin(self.transaction_apart_under(&keyed, account, work)).await,
            None => Box::pin(self.transaction_alone(account, work)).await,
        }
    }

    async fn transaction_alone<T>(
        &self,
        account: &AccountId,
        mut work: impl AsyncFnMut(&mut PgConnection, Try) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.tried(async |which, trust| {
            let mut connection = self.acquire(trust).await?;
            let mut transaction = connection.begin_with(self.begin(account)).await?;
            let done = work(&mut transaction, which).await;
            match done {
                Ok(_) => commit(transaction).await?,
                // A dropped transaction holds its locks until its connection is used again.
                Err(_) => transaction.rollback().await?,
            }
            self.keep(connection);
            done
        })
        .await
    }

    /// Tries again what lost a race or its connection.
    async fn tried<T>(&self, mut attempt: impl AsyncFnMut(Try, Trust) -> Result<T, Error>) -> Result<T, Error> {
        let mut trust = Trust::Idle;
        for tried in 1..=TRIES {
            let which = if tried == TRIES { Try::Last } else { Try::Early };
            match attempt(which, trust).await {
                // Nothing was committed: what broke off can begin again on another connection.
                Err(Error::Database(error)) if broke_off(&error) => {
                    tracing::warn!(tried, %error, "a connection to the database broke off");
                    if which == Try::Last {
                        return Err(Error::Overloaded);
                    }
                    trust = Trust::Nothing;
                }
                Err(Error::Database(error)) if lost_a_race(&error) => {
                    tracing::debug!(tried, code = code(&error).as_deref(), "a transaction lost a race");
                    if which == Try::Early {
                        tokio::time::sleep(pause(tried)).await;
                    }
                }
                // It ran for too long, or the operator ended it: it may fare better when there is less to do.
                Err(Error::Database(error)) if was_canceled(&error) => {
                    tracing::warn!("a statement was canceled");
                    return Err(Error::Overloaded);
                }
                done => return done,
            }
        }
        Err(Error::Busy)
    }

    /// Claims something, whosever it is, and works on it in the same transaction, which then sees that account only.
    ///
    /// # Errors
    ///
    /// When nothing could be claimed for a fault of the database's. What the work fails with is an answer.
    pub async fn claim<J>(
        &self,
        claim: impl AsyncFnOnce(&mut PgConnection) -> Result<Option<(AccountId, J)>, sqlx::Error>,
        work: impl AsyncFnOnce(&mut PgConnection, &J) -> Result<(), Error>,
    ) -> Result<Claim<J>, Error> {
        let mut connection = self.acquire(Trust::Idle).await?;
        let mut transaction = connection.begin().await?;
        let Some((account, claimed)) = claim(&mut transaction).await? else {
            transaction.rollback().await?;
            self.keep(connection);
            return Ok(Claim::Nothing);
        };
        sqlx::raw_sql(AssertSqlSafe(self.settings(&account))).execute(&mut *transaction).await?;
        let worked = work(&mut transaction, &claimed).await;
        let ended = match worked {
            Ok(()) => transaction.commit().await.map_err(Error::OutcomeUnknown),
            Err(error) => {
                transaction.rollback().await?;
                Err(error)
            }
        };
        Ok(match ended {
            Ok(()) => {
                self.keep(connection);
                Claim::Done
            }
            Err(Error::Database(error)) if lost_a_race(&error) => Claim::Failed(claimed, Error::Busy),
            Err(error) => Claim::Failed(claimed, error),
        })
    }

    /// Begins a transaction that sees one account only. It owns its connection.
    async fn open(&self, account: &AccountId, trust: Trust) -> Result<Transaction<'static, Postgres>, Error> {
        Ok(Transaction::begin(self.acquire(trust).await?.connection, Some(self.begin(account))).await?)
    }

    /// Begins a transaction, and sets it to an account, in one round trip.
    fn begin(&self, account: &AccountId) -> SqlStr {
        AssertSqlSafe(format!("BEGIN; {}", self.settings(account))).into_sql_str()
    }

    /// What sets a transaction to an account and bounds how long it takes. An account's id is hexadecimal digits, so that
    /// nothing in it could end the string.
    fn settings(&self, account: &AccountId) -> String {
        format!(
            "SET LOCAL app.account_id = '{account}'; SET LOCAL lock_timeout = '{}'; \
             SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'; \
             SET LOCAL idle_in_transaction_session_timeout = '{STATEMENT_TIMEOUT}'",
            self.lock_timeout
        )
    }
}

fn lock(spares: &Mutex<Spares>) -> MutexGuard<'_, Spares> {
    spares.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn commit(transaction: Transaction<'_, Postgres>) -> Result<(), Error> {
    transaction.commit().await.map_err(|error| match error {
        // The server answered, and not because it is being shut down: it has rolled back.
        sqlx::Error::Database(_) if !broke_off(&error) => Error::Database(error),
        _ => Error::OutcomeUnknown(error),
    })
}

/// The options for a connection string, quiet in the log and with TLS where the
/// string asks for it.
///
/// # Errors
///
/// When the string is not a Postgres URL.
pub fn connect_options(url: &SecretString) -> Result<PgConnectOptions, sqlx::Error> {
    let url = url.expose_secret();
    // The library takes any scheme, and would look for Postgres at a MySQL server's address.
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(sqlx::Error::Configuration("a Postgres URL begins with postgres://".into()));
    }
    Ok(quiet(PgConnectOptions::from_str(url)?))
}

/// The same options with a name for the server's lists and without a statement
/// in the log: statements carry personal data.
pub fn quiet(options: PgConnectOptions) -> PgConnectOptions {
    options.application_name("expunge").disable_statement_logging()
}

/// The five characters that say what the database refused, if it was the database.
pub fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

/// The connection is gone, or the server is about to end it: what it was told
/// before the commit has not been done.
fn broke_off(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_)) || matches!(code(error).as_deref(), Some("57P01" | "57P02" | "57P03"))
}

/// The statement ran for too long, or its operator ended it.
fn was_canceled(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some(CANCELED)
}

/// Serialization failure, deadlock, lock timeout, or a key that another
/// transaction made fail: an attachment or a list that came or went meanwhile, or
/// a unique identifier that was free when it was looked for.
fn lost_a_race(error: &sqlx::Error) -> bool {
    matches!(code(error).as_deref(), Some("40001" | "40P01" | "55P03" | "23503" | "23001" | "23505"))
}

fn pause(tried: u32) -> Duration {
    let most = 10_u64 << tried;
    let random =
        u64::from_be_bytes(Uuid::new_v4().as_bytes()[8..].try_into().expect("a UUID's second half has eight bytes"));
    Duration::from_millis(most / 2 + random % most)
}
