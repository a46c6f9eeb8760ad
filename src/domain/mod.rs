//! Plain types and rules: no I/O, no clock of their own, no wire format.

pub mod campaign;
pub mod contact;
pub mod contact_import;
pub mod contact_list;
pub mod deletion;
pub mod filter;
pub mod idempotency;
pub mod identifier;
pub mod identity;
pub mod ids;
pub mod operation;
pub mod page;
pub mod phone;
pub mod record;
pub mod record_list;
pub mod timezone;
pub mod trash;
pub mod version;
