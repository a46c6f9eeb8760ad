//! The whole application over HTTP, on a real Postgres, a database for each test.

mod support;

mod bad_input;
mod campaign_changes;
mod campaigns;
mod concurrency;
mod conformance;
mod contact_lists;
mod contact_updates;
mod contacts;
mod cors;
mod counts;
mod erasure;
mod fields;
mod guards;
mod idempotency;
mod identity;
mod imports;
mod layers;
mod oauth;
mod openapi;
mod platform_tokens;
mod program;
mod record_changes;
mod record_list_races;
mod record_lists;
mod records;
mod seeds;
mod v1_background;
mod v1_deletions;
mod v1_downloads;
mod v1_model;
mod v1_processes;
mod v1_retention;
mod v1_trash;
mod wire;
