//! The subcommands, and nothing else.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use expunge::app::{self, Parts, StopSignals};
use expunge::clock::Clock;
use expunge::config::{Cli, Command, IdentityArgs, OwnerArgs, ServeArgs, WorkArgs};
use expunge::handlers::openapi::Document;
use expunge::postgres::migrations::{self, RolePasswords};
use expunge::{dev, operator, postgres, telemetry};
use secrecy::SecretString;
use sqlx::{Connection, PgConnection};

// What serves and what works in the background have threads of their own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("expunge: {}", each_cause_once(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes on one line. Some errors name their cause and some do not.
fn each_cause_once(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.as_str() {
        "" => cause,
        _ if said.contains(&cause) => said,
        _ => format!("{said}: {cause}"),
    })
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Dev(args) => dev::run(args).await,
        Command::Serve(args) => serve(args).await,
        Command::Work(args) => work(args).await,
        Command::Migrate(args) => migrate(&args).await,
        Command::Account(command) => operator::account(command).await,
        Command::Stream(command) => operator::stream(command).await,
        Command::Client(command) => operator::client(command).await,
        Command::Openapi => {
            print!("{}", String::from_utf8_lossy(Document::gather().text()));
            Ok(())
        }
    }
}

async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    telemetry::init(args.log_format, "info,actix_server=warn");
    let signals = StopSignals::listen()?;
    if args.migrate {
        let url = args.owner_database_url.as_ref().context("--migrate needs EXPUNGE_OWNER_DATABASE_URL")?;
        apply_migrations(url, &(&args.passwords).into()).await?;
    }
    let (listener, address) = app::bind(args.listen)?;
    let public_url = args.public_url.unwrap_or_else(|| format!("http://{address}"));
    let database = postgres::connect_options(&args.database_url).context("EXPUNGE_DATABASE_URL")?;
    let keyring = app::keyring(&args.secret_key, &public_url, &args.identity)?;
    let parts = Parts::new(database, keyring, Clock::system(), &public_url, &args.limits);
    app::check(&parts).await?;
    let application = app::build(parts, listener)?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "serving");
    Ok(application.run(signals).await?)
}

async fn work(args: WorkArgs) -> anyhow::Result<()> {
    telemetry::init(args.log_format, "info");
    let signals = StopSignals::listen()?;
    let database = postgres::connect_options(&args.database_url).context("EXPUNGE_DATABASE_URL")?;
    // Workers verify no tokens and make no links.
    let keyring = app::keyring(&args.secret_key, "", &IdentityArgs::default())?;
    let mut parts = Parts::new(database, keyring, Clock::system(), "", &args.limits);
    parts.workers = parts.workers.max(1);
    app::check(&parts).await?;
    tracing::info!(workers = parts.workers, version = env!("CARGO_PKG_VERSION"), "working");
    Ok(app::work(&parts, signals).await?)
}

async fn migrate(args: &OwnerArgs) -> anyhow::Result<()> {
    apply_migrations(&args.owner_database_url, &(&args.passwords).into()).await?;
    println!("the schema is at migration {}", migrations::newest());
    Ok(())
}

async fn apply_migrations(url: &SecretString, passwords: &RolePasswords) -> anyhow::Result<()> {
    let options = postgres::connect_options(url).context("EXPUNGE_OWNER_DATABASE_URL")?;
    let mut connection = PgConnection::connect_with(&options).await.context("the database cannot be reached")?;
    migrations::migrate(&mut connection, passwords).await.context("the migrations could not be applied")?;
    Ok(connection.close().await?)
}
