//! Headers that say where a request comes from, and by which name it was sent.
//!
//! What must hold stands in `strangers.rs`, which `cargo test` runs too.
#![no_main]

#[path = "../strangers.rs"]
#[expect(dead_code, reason = "each target runs one of the bodies")]
mod bodies;
#[path = "../../crates/api/src/certificate.rs"]
mod certificate;
#[path = "../gate.rs"]
mod gate;
#[path = "../../crates/api/src/origin.rs"]
#[expect(dead_code, reason = "tokens and the headers of answers are no input")]
mod origin;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::origin(bytes));
