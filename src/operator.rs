//! What an operator types, and what is printed.

use std::sync::Arc;

use anyhow::Context;
use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection};

use crate::clock::Clock;
use crate::config::{AccountCommand, ClientCommand, OperatorArgs, StreamCommand};
use crate::domain::identity::{NewSecret, TokenExpiry};
use crate::postgres;
use crate::sealing::Sealer;
use crate::services::operator::Operator;

/// `expunge account …`
///
/// # Errors
///
/// What the database refuses.
pub async fn account(command: AccountCommand) -> anyhow::Result<()> {
    match command {
        AccountCommand::Create { name, operator } => {
            let (account, org) = connect(&operator).await?.create_account(&name).await?;
            println!("account_id {account}\norg_id {org}");
        }
        AccountCommand::List { operator } => {
            for (account, org, name) in connect(&operator).await?.accounts().await? {
                println!("{account}\t{org}\t{name}");
            }
        }
    }
    Ok(())
}

/// `expunge stream …`
///
/// # Errors
///
/// An unknown account, or what the database refuses.
pub async fn stream(command: StreamCommand) -> anyhow::Result<()> {
    match command {
        StreamCommand::Create { account, name, operator } => {
            println!("stream_id {}", connect(&operator).await?.create_stream(&account, &name).await?);
        }
        StreamCommand::List { account, operator } => {
            for (stream, name) in connect(&operator).await?.streams(&account).await? {
                println!("{stream}\t{name}");
            }
        }
    }
    Ok(())
}

/// `expunge client …`
///
/// # Errors
///
/// An unknown account or client, or what the database refuses.
pub async fn client(command: ClientCommand) -> anyhow::Result<()> {
    match command {
        ClientCommand::Create { account, name, scopes, allow_tokens_without_expiry, operator } => {
            let expiry = if allow_tokens_without_expiry { TokenExpiry::Optional } else { TokenExpiry::Strict };
            print_secret(&connect(&operator).await?.create_client(&account, &name, &scopes, expiry).await?);
        }
        ClientCommand::List { account, operator } => {
            for client in connect(&operator).await?.clients(&account).await? {
                let scopes: Vec<&str> = client.scopes.iter().map(|scope| scope.name()).collect();
                let state = match (client.revoked, client.expiry) {
                    (true, _) => "revoked",
                    (false, TokenExpiry::Strict) => "strict",
                    (false, TokenExpiry::Optional) => "tokens may not expire",
                };
                println!("{}\t{state}\t{}\t{}", client.client_id, scopes.join(","), client.name);
            }
        }
        ClientCommand::Rotate { client, operator } => {
            print_secret(&connect(&operator).await?.rotate_client(&client).await?);
        }
        ClientCommand::Revoke { client, operator } => {
            connect(&operator).await?.revoke_client(&client).await?;
            println!("{client} is revoked");
        }
    }
    Ok(())
}

async fn connect(args: &OperatorArgs) -> anyhow::Result<Operator> {
    let options = postgres::connect_options(&args.owner_database_url).context("EXPUNGE_OWNER_DATABASE_URL")?;
    let connection = PgConnection::connect_with(&options).await.context("the database cannot be reached")?;
    Ok(Operator::new(connection, Clock::system(), Arc::new(Sealer::new(&args.secret_key)?)))
}

fn print_secret(new: &NewSecret) {
    println!("client_id {}\nclient_secret {}", new.client_id, new.secret.expose_secret());
    eprintln!("The secret is shown this once.");
}
