//! Lines and formats, on whatever bytes the fuzzer comes up with.
//!
//! What must hold stands in `filters.rs`, which `cargo test` runs too.
#![no_main]

#[path = "../logs.rs"]
#[expect(dead_code, reason = "each target runs one of the bodies")]
mod logs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| logs::bodies::lines(bytes));
