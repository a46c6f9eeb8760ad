//! What tests stand on: a real Postgres, the whole application over HTTP, and a
//! database for each test.

pub mod app;
pub mod curl;
pub mod http;
pub mod issuer;
pub mod operations;
pub mod postgres;
pub mod refusal;

pub use app::{Account, TestApp, campaign_bases, test_clock};
pub use http::{Answer, redacted_times};
pub use operations::{Operation, Things};
pub use refusal::{Family, fingerprint, things_fingerprint};
