//! `%(name)s` in a value, on whatever bytes the fuzzer comes up with.
//!
//! What must hold stands in `bodies.rs`, which `cargo test` runs too.
#![no_main]

#[path = "../bodies.rs"]
#[expect(dead_code, reason = "each target runs one of the bodies")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::expansion(bytes));
