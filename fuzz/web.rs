//! What the web page reads of an address, under the path that it has in the api. It is private to it, and needs nothing else of it.

#[path = "addresses.rs"]
pub(crate) mod bodies;
#[path = "../crates/api/src/web/form.rs"]
pub(crate) mod form;
