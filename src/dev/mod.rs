//! `dev`: `serve` with a private Postgres and a demo, on a fresh machine.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::app::{self, Application, Parts, StopSignals};
use crate::clock::Clock;
use crate::config::DevArgs;
use crate::postgres::embedded::{self, Durability, EmbeddedPostgres};
use crate::postgres::migrations::{self, RolePasswords};
use crate::postgres::{APP_ROLE, provision, quiet};
use crate::sealing;
use crate::services::operator::Operator;
use crate::telemetry;

mod demo;

use demo::Demo;

const DATABASE: &str = "expunge";

/// How often the tokens in `demo.json` are made anew; they live for an hour.
const TOKEN_RENEWAL: Duration = Duration::from_secs(30 * 60);

/// Starts everything, and stops all of it at Ctrl-C.
///
/// # Errors
///
/// What keeps it from starting, with a way out.
pub async fn run(args: DevArgs) -> anyhow::Result<()> {
    telemetry::init(args.log_format, "info,actix_server=warn,sqlx=warn");
    // From here on a Ctrl-C is answered by stopping what has been started, and not by dying.
    let mut signals = StopSignals::listen()?;
    let (listener, address) = app::bind(args.listen)?;
    let data_dir = prepare(&args.data_dir, args.fresh).await?;
    let cluster = data_dir.clone();
    let postgres =
        tokio::task::spawn_blocking(move || EmbeddedPostgres::start(&cluster, Durability::Kept, &[])).await??;
    let base_url = format!("http://{address}");
    let application = tokio::select! {
        biased;
        () = signals.received() => Ok(None),
        application = build(&args, &data_dir, &postgres, listener, &base_url) => application.map(Some),
    };
    let served = match application {
        Ok(Some(application)) => application.run(signals).await.map_err(anyhow::Error::from),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    tokio::task::spawn_blocking(move || postgres.stop()).await??;
    served
}

async fn build(
    args: &DevArgs,
    data_dir: &Path,
    postgres: &EmbeddedPostgres,
    listener: TcpListener,
    base_url: &str,
) -> anyhow::Result<Application> {
    let server = quiet(PgConnectOptions::new_without_pgpass().socket(postgres.socket_dir()).port(embedded::PORT));
    provision::create_database(&server.clone().username(postgres.superuser()), DATABASE).await?;
    let owner = server.clone().username(provision::OWNER_ROLE).database(DATABASE);
    let mut connection = PgConnection::connect_with(&owner).await?;
    migrations::migrate(&mut connection, &RolePasswords::default()).await?;

    let keyring = app::keyring(&secret_key(data_dir)?, base_url, &args.identity)?;
    let clock = Clock::system();
    let database = server.username(APP_ROLE).database(DATABASE);
    let parts = Parts::new(database, keyring.clone(), clock.clone(), base_url, &args.limits);
    app::check(&parts).await?;

    let file = data_dir.join("demo.json");
    let there_before = file.exists();
    let mut demo = if there_before {
        let text = fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged; --fresh starts over", file.display()))?
    } else {
        let mut operator = Operator::new(connection, clock.clone(), keyring.sealer);
        demo::load(&mut operator, &app::services(&parts), &clock).await?
    };
    renew(&file, &mut demo, base_url, &clock)?;
    let application = app::build(parts, listener)?;
    println!("{}", demo.greeting(&file));
    if there_before {
        println!(
            "What was deleted before is still deleted, and says so when it is deleted again; --fresh starts over.\n"
        );
    }
    tokio::spawn(keep_renewing(file, demo, base_url.to_owned(), clock));
    Ok(application)
}

async fn prepare(data_dir: &Path, fresh: bool) -> anyhow::Result<PathBuf> {
    if fresh && data_dir.exists() {
        let dir = data_dir.to_owned();
        tokio::task::spawn_blocking(move || embedded::remove(&dir)).await??;
        for file in ["demo.json", "secret.key"] {
            match fs::remove_file(data_dir.join(file)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
    }
    if !data_dir.exists() {
        fs::create_dir_all(data_dir)
            .with_context(|| format!("the data directory {} cannot be made", data_dir.display()))?;
        // Root's database runs under another account, which must be able to pass through; the secrets are for us alone.
        fs::set_permissions(data_dir, fs::Permissions::from_mode(0o711))?;
    }
    Ok(fs::canonicalize(data_dir)?)
}

/// The key that the demo's secrets are sealed with, made at the first start.
fn secret_key(data_dir: &Path) -> anyhow::Result<SecretString> {
    let file = data_dir.join("secret.key");
    match fs::read_to_string(&file) {
        Ok(key) => Ok(SecretString::from(key)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = sealing::generate_key()?;
            write_private(&file, key.expose_secret().as_bytes())?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

fn renew(file: &Path, demo: &mut Demo, base_url: &str, clock: &Clock) -> anyhow::Result<()> {
    demo.renew(base_url, clock.now())?;
    write_private(file, &serde_json::to_vec_pretty(demo)?)
}

async fn keep_renewing(file: PathBuf, mut demo: Demo, base_url: String, clock: Clock) {
    let mut renewals = tokio::time::interval(TOKEN_RENEWAL);
    renewals.tick().await;
    loop {
        renewals.tick().await;
        if let Err(error) = renew(&file, &mut demo, &base_url, &clock) {
            tracing::warn!(%error, "the tokens in demo.json could not be renewed");
        }
    }
}

/// Writes a file that only we can read, whole or not at all.
fn write_private(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    let beside = file.with_extension("new");
    let mut new = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    new.write_all(content)?;
    new.sync_all()?;
    fs::rename(&beside, file)?;
    Ok(())
}
