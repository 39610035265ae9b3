//! What the gate reads of a header, under the path that it has in the api. It is private to it, and needs nothing else of it.

#[path = "../crates/api/src/gate/claim.rs"]
pub(crate) mod claim;
