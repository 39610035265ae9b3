//! The daemon's filters under the path that they have there. They are private to it, and need nothing else of it.

#[path = "filters.rs"]
pub(crate) mod bodies;
#[path = "../crates/daemon/src/logs/filter/mod.rs"]
pub(crate) mod filter;
