//! What tests stand on: a real Postgres, the whole application over HTTP, and a
//! database for each test.

pub mod app;
pub mod http;
pub mod postgres;

pub use app::{Account, TestApp};
