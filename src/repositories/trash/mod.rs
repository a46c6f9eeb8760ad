//! What all kinds have in common in the trash: found by filter or by what they were known by, restored, and purged when
//! their time is over.

pub mod matching;
pub mod purge;
pub mod restore;
pub mod search;
pub mod sweep;
