//! The command line and the environment. `--help` is the manual.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Parser, Subcommand};
use secrecy::SecretString;

use crate::domain::identity::Scope;
use crate::domain::ids::{AccountId, ClientId};
use crate::handlers::cors;
use crate::postgres::PoolSettings;
use crate::postgres::migrations::RolePasswords;
use crate::services::issuers::Issuer;
use crate::telemetry::LogFormat;

/// The deletion service of a contact-center platform.
#[derive(Debug, Parser)]
#[command(name = "expunge", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try it: a private Postgres, a demo and the service, in one process.
    Dev(DevArgs),
    /// Serve.
    Serve(ServeArgs),
    /// Work in the background only: large deletions and undos, and the emptying of the trash.
    Work(WorkArgs),
    /// Bring a database to this version's schema.
    Migrate(OwnerArgs),
    /// Manage accounts.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Manage the streams (apps) of an account.
    #[command(subcommand)]
    Stream(StreamCommand),
    /// Manage the clients of an account.
    #[command(subcommand)]
    Client(ClientCommand),
    /// Print the OpenAPI document.
    Openapi,
}

/// How to try it.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// Where the database, the secrets and demo.json are kept.
    #[arg(long, default_value = ".expunge")]
    pub data_dir: PathBuf,
    /// Start over: delete what is in the data directory first.
    #[arg(long)]
    pub fresh: bool,
    /// The address to serve on; port 0 takes a free one.
    #[arg(long, env = "EXPUNGE_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// How the log is written.
    #[arg(long, env = "EXPUNGE_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Whose tokens are taken.
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// What the service may use.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// How to serve.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The database, as the role expunge_app: postgres://expunge_app:…@host/database?sslmode=verify-full
    #[arg(long, env = "EXPUNGE_DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,
    /// The key that client secrets and kept answers are sealed with: 32 bytes in base64 or hexadecimal.
    #[arg(long, env = "EXPUNGE_SECRET_KEY", hide_env_values = true)]
    pub secret_key: SecretString,
    /// The address to serve on.
    #[arg(long, env = "EXPUNGE_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where callers find the service, for the links in answers and as the issuer of our own tokens. Without it, the
    /// address.
    #[arg(long, env = "EXPUNGE_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// How the log is written.
    #[arg(long, env = "EXPUNGE_LOG_FORMAT", default_value = "json")]
    pub log_format: LogFormat,
    /// Bring the database to this version's schema first, as the owner.
    #[arg(long, env = "EXPUNGE_MIGRATE", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub migrate: bool,
    /// The database as the role that owns the tables, for --migrate.
    #[arg(long, env = "EXPUNGE_OWNER_DATABASE_URL", hide_env_values = true)]
    pub owner_database_url: Option<SecretString>,
    /// Passwords to set, for --migrate.
    #[command(flatten)]
    pub passwords: PasswordArgs,
    /// Whose tokens are taken.
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// What the service may use.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// How to work in the background.
#[derive(Debug, Args)]
pub struct WorkArgs {
    /// The database, as the role expunge_worker or expunge_app.
    #[arg(long, env = "EXPUNGE_DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,
    /// The key that the service has: what was asked is sealed with it.
    #[arg(long, env = "EXPUNGE_SECRET_KEY", hide_env_values = true)]
    pub secret_key: SecretString,
    /// How the log is written.
    #[arg(long, env = "EXPUNGE_LOG_FORMAT", default_value = "json")]
    pub log_format: LogFormat,
    /// What it may use.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// Whose platform tokens are taken, beside the clients' own.
#[derive(Clone, Debug, Default, Args)]
pub struct IdentityArgs {
    /// An issuer whose platform tokens are taken, as iss=https://id.example;jwks=https://id.example/keys;aud=expunge:
    /// what its tokens say in iss, where its keys are, and, if it is given, what its tokens must say in aud. The keys'
    /// address is https://, or http:// on this machine. May be given more than once.
    #[arg(long = "issuer", env = "EXPUNGE_ISSUERS", value_delimiter = ',', value_parser = Issuer::parse)]
    pub issuers: Vec<Issuer>,
    /// A key that the tokens of POST /oauth/token are signed with: 32 bytes in base64, or the word derived for the one
    /// that is derived from the secret key, which is also the default. May be given more than once: the first signs, all
    /// are published and verified. To rotate, start every process with the new key added at the end, and then with the
    /// new key in front; ten minutes later the old one can be left out.
    #[arg(long = "signing-key", env = "EXPUNGE_SIGNING_KEYS", value_delimiter = ',', hide_env_values = true)]
    pub signing_keys: Vec<SecretString>,
}

/// What the service may use, and which pages may use it.
#[derive(Clone, Debug, Args)]
pub struct LimitArgs {
    /// An origin whose pages may call the service from a browser, such as https://ui.example; may be given more than once.
    #[arg(long = "cors-origin", env = "EXPUNGE_CORS_ORIGINS", value_delimiter = ',', value_parser = cors::parse_origin)]
    pub cors_origins: Vec<String>,
    /// The most connections to the database, shared out among the threads; each thread has one more for probes.
    #[arg(long, env = "EXPUNGE_MAX_CONNECTIONS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,
    /// How long a request waits for a connection, in milliseconds.
    #[arg(long, env = "EXPUNGE_ACQUIRE_TIMEOUT_MS", default_value_t = 10_000)]
    pub acquire_timeout_ms: u64,
    /// How long one try waits for rows that others have locked, in milliseconds; there are four tries.
    #[arg(long, env = "EXPUNGE_LOCK_TIMEOUT_MS", default_value_t = 2_000)]
    pub lock_timeout_ms: u64,
    /// The most items that a bulk deletion of records takes.
    #[arg(long, env = "EXPUNGE_RECORD_BULK_LIMIT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(100..=200))]
    pub record_bulk_limit: u16,
    /// How many batches of large deletions, undos and purges are worked on at once, each on a connection of its own; 0
    /// leaves them to `expunge work`.
    #[arg(long, env = "EXPUNGE_WORKERS", default_value_t = 1)]
    pub workers: u32,
    /// The threads that serve. Without it, one for each core.
    #[arg(long, env = "EXPUNGE_THREADS")]
    pub threads: Option<NonZero<usize>>,
    /// How long a connection stays open without a request, in seconds: longer than a load balancer in front keeps its own,
    /// which would else send requests over connections that have just been closed.
    #[arg(long, env = "EXPUNGE_KEEP_ALIVE_SECONDS", default_value_t = 75, value_parser = clap::value_parser!(u64).range(1..))]
    pub keep_alive_seconds: u64,
    /// How long /readyz answers 503 when the service stops, before it takes no more requests, in seconds: time for a
    /// load balancer to notice.
    #[arg(long, env = "EXPUNGE_DRAIN_SECONDS", default_value_t = 0)]
    pub drain_seconds: u64,
    /// How long requests that are under way may take when the service stops, in seconds.
    #[arg(long, env = "EXPUNGE_SHUTDOWN_TIMEOUT", default_value_t = 20)]
    pub shutdown_timeout: u64,
}

impl LimitArgs {
    /// The part that is the database's.
    pub fn pool(&self) -> PoolSettings {
        PoolSettings {
            max_connections: self.max_connections,
            acquire_timeout: Duration::from_millis(self.acquire_timeout_ms),
            lock_timeout: Duration::from_millis(self.lock_timeout_ms),
        }
    }
}

/// The database as its owner sees it.
#[derive(Debug, Args)]
pub struct OwnerArgs {
    /// The database as the role that owns, or will own, the tables, and may create roles.
    #[arg(long, env = "EXPUNGE_OWNER_DATABASE_URL", hide_env_values = true)]
    pub owner_database_url: SecretString,
    /// Passwords to set.
    #[command(flatten)]
    pub passwords: PasswordArgs,
}

/// Passwords of the roles that a migration creates.
#[derive(Debug, Args)]
pub struct PasswordArgs {
    /// A password to set on the role expunge_app.
    #[arg(long, env = "EXPUNGE_APP_PASSWORD", hide_env_values = true)]
    pub app_password: Option<SecretString>,
    /// A password to set on the role expunge_worker.
    #[arg(long, env = "EXPUNGE_WORKER_PASSWORD", hide_env_values = true)]
    pub worker_password: Option<SecretString>,
}

impl From<&PasswordArgs> for RolePasswords {
    fn from(args: &PasswordArgs) -> Self {
        Self { app: args.app_password.clone(), worker: args.worker_password.clone() }
    }
}

/// The database and the key, for those who manage identity.
#[derive(Debug, Args)]
pub struct OperatorArgs {
    /// The database as the role that owns the tables.
    #[arg(long, env = "EXPUNGE_OWNER_DATABASE_URL", hide_env_values = true)]
    pub owner_database_url: SecretString,
    /// The key that client secrets are sealed with: the one that the service has.
    #[arg(long, env = "EXPUNGE_SECRET_KEY", hide_env_values = true)]
    pub secret_key: SecretString,
}

/// Accounts.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Create an account, and print its id.
    Create {
        /// What to call it.
        #[arg(long)]
        name: String,
        /// The database and the key.
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Print every account.
    List {
        /// The database and the key.
        #[command(flatten)]
        operator: OperatorArgs,
    },
}

/// Streams.
#[derive(Debug, Subcommand)]
pub enum StreamCommand {
    /// Create a stream of an account, and print its id.
    Create {
        /// The account.
        #[arg(long, value_parser = account_id)]
        account: AccountId,
        /// What to call it.
        #[arg(long)]
        name: String,
        /// The database and the key.
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Print an account's streams.
    List {
        /// The account.
        #[arg(long, value_parser = account_id)]
        account: AccountId,
        /// The database and the key.
        #[command(flatten)]
        operator: OperatorArgs,
    },
}

/// Clients.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Create a client of an account, and print its id and its secret. The secret is shown once.
    Create {
        /// The account.
        #[arg(long, value_parser = account_id)]
        account: AccountId,
        /// What to call it.
        #[arg(long)]
        name: String,
        /// A scope; may be given more than once.
        #[arg(long = "scope", required = true, value_delimiter = ',', value_parser = scope)]
        scopes: Vec<Scope>,
        /// Accept tokens that have no `exp` and so never expire. Without it, `exp` must be at most an hour away.
        #[arg(long)]
        allow_tokens_without_expiry: bool,
        /// The database and the key.
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Print an account's clients, without their secrets.
    List {
        /// The account.
        #[arg(long, value_parser = account_id)]
        account: AccountId,
        /// The database and the key.
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Give a client a new secret, and print it. The old one stops working within a second.
    Rotate {
        /// The client.
        #[arg(long, value_parser = client_id)]
        client: ClientId,
        /// The database and the key.
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Revoke a client: its tokens stop working within a second, for good.
    Revoke {
        /// The client.
        #[arg(long, value_parser = client_id)]
        client: ClientId,
        /// The database and the key.
        #[command(flatten)]
        operator: OperatorArgs,
    },
}

fn account_id(text: &str) -> Result<AccountId, String> {
    AccountId::parse(text).ok_or_else(|| "an account's id is 24 lower-case hexadecimal digits".to_owned())
}

fn client_id(text: &str) -> Result<ClientId, String> {
    ClientId::parse(text).ok_or_else(|| "a client's id is cs- and a UUID".to_owned())
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| {
        let names: Vec<&str> = Scope::ALL.into_iter().map(Scope::name).collect();
        format!("the scopes are {}", names.join(", "))
    })
}
