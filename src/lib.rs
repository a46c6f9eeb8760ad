//! Expunge, the deletion service of a contact-center platform.
//!
//! # The map
//!
//! | where | what |
//! |---|---|
//! | `main.rs` | the subcommands |
//! | [`app`] | the composition root, which the program and the tests both start from |
//! | [`config`], [`telemetry`] | the command line and the environment; the log |
//! | [`domain`] | plain types and rules; [`domain::deletion::decide`] is what a deletion decides |
//! | [`handlers`] | HTTP in and out, one file or folder for each family of paths |
//! | [`services`] | one method is one use case is one transaction; [`services::deletions`] is the engine |
//! | [`workers`] | what goes on in the background: large deletions and undos, and the emptying of the trash |
//! | [`repositories`] | SQL, one file for each family of tables |
//! | [`postgres`] | transactions, migrations, the guards that read the catalog at start, the private server |
//! | [`services::tokens`], [`services::issuers`], [`services::recent`] | what tokens are, the keys of those who sign them, and who showed one a moment ago |
//! | [`dev`], [`operator`] | `expunge dev` with its demo; accounts, streams and clients from the command line |
//! | [`clock`], [`sealing`], [`json`], [`error`] | the time, secrets at rest, strict JSON, what can go wrong |
//!
//! `benches` measures what a deletion costs over what Postgres takes for it.
//!
//! # The layers
//!
//! | layer | may use | never contains |
//! |---|---|---|
//! | domain | the standard library, times, ids | actix, sqlx, wire formats, other layers |
//! | repositories | domain, sqlx | actix, `begin`, `commit`, decisions |
//! | services | domain, repositories, the database's transactions | actix, SQL |
//! | handlers | domain, services, error | sqlx, repositories |
//! | workers | services | SQL, HTTP |
//! | app, main, dev, operator | everything | rules |
//!
//! A test reads the sources and fails when a layer names what it must not.
//!
//! # The trip of a bulk deletion
//!
//! A handler (`handlers/contacts/delete.rs`) signs the caller in by the type of its
//! first argument, reads the query and the body, and turns the ids into keys.
//! [`services::deletions::Deletions::delete_many`] opens a transaction that sees
//! one account, locks the rows in the order of their ids, looks for obstacles in
//! statements of their own, lets [`domain::deletion::decide`] decide, marks the
//! rows, removes them when the deletion is hard, writes the ledger and commits.
//! The handler says the outcomes in its family's words. The number of statements
//! does not grow with the number of ids.
//!
//! A soft deletion of one contact has a shorter way where nothing more is asked of
//! it: `services/deletions/together.rs` writes those that come at the same time in
//! one statement, each with an answer of its own. What that leaves alone, because
//! it is locked, in the trash or not there, takes the way above.
//!
//! Under an `Idempotency-Key`, [`handlers::idempotency`] is around that: the
//! transaction claims the key first, stays open until the handler has answered,
//! and is committed with the answer, which [`postgres::idempotency`] sees to.
//!
//! # How to add an operation
//!
//! * A new path: a handler with a `#[utoipa::path]` in its family's file, in the
//!   family's `configure`, and a test over HTTP. Then
//!   `cargo run -- openapi > openapi/openapi.json`.
//! * A new kind of thing to delete: a migration, a repository, a
//!   [`domain::deletion::Target`] and an arm of each function in
//!   `services/deletions/kinds.rs`.
//! * A new family: a folder in `handlers` with a
//!   [`Family`](handlers::error::Family) and an
//!   [`Access`](handlers::auth::Access).
#![warn(missing_docs)]

pub mod app;
pub mod clock;
pub mod config;
pub mod dev;
pub mod domain;
pub mod error;
pub mod handlers;
pub mod json;
pub mod operator;
pub mod postgres;
pub mod repositories;
pub mod sealing;
pub mod services;
pub mod telemetry;
pub mod workers;
