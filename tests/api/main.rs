//! The whole application over HTTP, on a real Postgres, a database for each test.

mod support;

mod campaigns;
mod concurrency;
mod contacts;
mod erasure;
mod records;
mod statements;
