//! The conversation with an event listener, on whatever bytes the fuzzer comes up with.
//!
//! What must hold stands in `fuzz/listener.rs`, which `cargo test` runs too.
#![no_main]

#[path = "../listener.rs"]
mod listener;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| listener::listener(bytes));
