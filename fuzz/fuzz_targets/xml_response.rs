//! XML-RPC, as a server answers.
//!
//! What must hold stands in `xml.rs`, which `cargo test` runs too.
#![no_main]

#[path = "../xml.rs"]
#[expect(dead_code, reason = "each target runs one of the bodies")]
mod xml;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| xml::response(bytes));
