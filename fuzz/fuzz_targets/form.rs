//! Queries and forms of the web page, as whoever likes may send them.
//!
//! What must hold stands in `addresses.rs`, which `cargo test` runs too.
#![no_main]

#[path = "../../crates/api/src/log_address.rs"]
mod log_address;
#[path = "../web.rs"]
#[expect(dead_code, reason = "each target runs one of the bodies")]
mod web;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| web::bodies::form(bytes));
