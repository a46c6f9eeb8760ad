//! Expunge, the deletion service of a contact-center platform.
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
