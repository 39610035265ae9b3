//! Answers that Supervisor 4.3.0 gave, and ours to what only we have, byte for byte: what we read in them we write as the same bytes.
//!
//! In: `recorded/`, where `PROVOST_RECORD=1 cargo test --test compat recorded` puts the answers to every method and every
//! fault, with pids, times and paths put to fixed values; the same test holds a running daemon of ours against them. Here
//! it is the order of members, the layout and the escapes, without any daemon.

use std::path::Path;

use provost_wire::{FaultCode, Value, methods, xmlrpc};

fn recorded() -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .expect("the recorded answers can be listed")
        .map(|entry| {
            let path = entry.expect("the recorded answers can be listed").path();
            let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("a recorded answer can be read"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn what_is_read_in_an_answer_is_written_as_the_same_bytes() {
    for (name, bytes) in recorded() {
        let written = match xmlrpc::parse_response(&bytes).unwrap_or_else(|e| panic!("{name}: {e}")) {
            Ok(value) => xmlrpc::write_response(&value),
            Err(fault) => xmlrpc::write_fault(&fault),
        };
        assert_eq!(String::from_utf8(written), String::from_utf8(bytes), "{name}");
    }
}

#[test]
fn every_method_has_its_answer_there_and_of_its_type() {
    let recorded = recorded();
    for method in methods::METHODS {
        for name in std::iter::once(method.name).chain(method.aliases.iter().copied()) {
            let bytes = recorded.iter().find(|(file, _)| file == name).map(|(_, bytes)| bytes);
            let bytes = bytes.unwrap_or_else(|| panic!("there is no answer to {name}"));
            let answer = xmlrpc::parse_response(bytes).expect("an answer").expect("no fault");
            let kind = match answer {
                Value::Int(_) => "int",
                Value::Bool(_) => "boolean",
                Value::Str(_) => "string",
                Value::Array(_) => "array",
                Value::Struct(_) => "struct",
                Value::Double(_) | Value::Nil => "of a type that no client expects",
            };
            assert_eq!(kind, method.returns.name(), "{name}");
        }
    }
}

#[test]
fn every_fault_that_can_be_raised_is_there_with_its_name() {
    let recorded = recorded();
    for &code in FaultCode::ALL {
        // Never raised.
        if code == FaultCode::Success {
            continue;
        }
        let found = recorded.iter().find_map(|(_, bytes)| {
            let fault = xmlrpc::parse_response(bytes).ok()?.err()?;
            (fault.kind() == Some(code)).then_some(fault)
        });
        let fault = found.unwrap_or_else(|| panic!("{} is not recorded", code.name()));
        assert!(fault.text.starts_with(code.name()), "{fault}");
    }
}
