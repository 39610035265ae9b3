//! What holds for any XML-RPC message at all: the bodies of its fuzz targets.
//!
//! In: bytes. Out: nothing, or a panic. `fuzz_targets/` runs them for as long as one likes, crates/wire/tests/fuzz.rs on
//! a fixed set of inputs in every `cargo test`.

use provost_wire::{Fault, Value, xmlrpc};

/// A request: what is understood can be written, is read again as the same, and is no larger than what came.
pub(crate) fn call(bytes: &[u8]) {
    let Ok(call) = xmlrpc::parse_call(bytes) else { return };
    assert!(!call.method.is_empty());
    let size = call.params.iter().map(size).sum::<usize>() + call.method.len();
    // Latin-1 and UTF-16 grow when they become UTF-8, characters by number shrink.
    assert!(size <= 2 * bytes.len(), "{size} bytes out of {}", bytes.len());
    let mut written = call.clone();
    written.params.iter_mut().for_each(as_written);
    let again = xmlrpc::parse_call(&xmlrpc::write_call(&call.method, &call.params));
    if deepest(&call.params) < 20 {
        assert_eq!(again.map(|call| call.params), Ok(written.params));
    }
}

/// A response: the same, nothing is ever written that XML cannot carry, and the short way of reading is a way of reading.
pub(crate) fn response(bytes: &[u8]) {
    assert_eq!(xmlrpc::parse_response(bytes), xmlrpc::parse_any_response(bytes));
    let written = match xmlrpc::parse_response(bytes) {
        Ok(Ok(value)) => {
            let written = xmlrpc::write_response(&value);
            let mut expected = value.clone();
            as_written(&mut expected);
            if deepest(&[value]) < 20 {
                assert_eq!(xmlrpc::parse_response(&written), Ok(Ok(expected)));
            }
            written
        }
        Ok(Err(fault)) => xmlrpc::write_fault(&fault),
        Err(_) => return,
    };
    assert_legal(&written);
}

/// A text that a program may have written into its log, in a result and in a fault.
pub(crate) fn text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let response = xmlrpc::write_response(&Value::Array(vec![text.as_str().into(), 1.into(), true.into()]));
    assert_legal(&response);
    let read = xmlrpc::parse_response(&response);
    let mut expected = Value::Array(vec![text.as_str().into(), 1.into(), true.into()]);
    as_written(&mut expected);
    assert_eq!(read, Ok(Ok(expected)));
    let fault = xmlrpc::write_fault(&Fault { code: 30, text });
    assert_legal(&fault);
    assert!(matches!(xmlrpc::parse_response(&fault), Ok(Err(Fault { code: 30, .. }))));
}

/// What comes out at the other end: numbers of 32 bits, line ends and characters as XML has them.
fn as_written(value: &mut Value) {
    match value {
        Value::Int(number) => *number = (*number).clamp(i32::MIN.into(), i32::MAX.into()),
        Value::Str(text) => *text = legal(text),
        // Python's and our spellings of what is no number are read by nobody.
        Value::Double(number) if !number.is_finite() => *number = 0.0,
        Value::Bool(_) | Value::Double(_) | Value::Nil => {}
        Value::Array(items) => items.iter_mut().for_each(as_written),
        Value::Struct(members) => members.iter_mut().for_each(|(name, value)| {
            *name = legal(name);
            as_written(value);
        }),
    }
}

fn legal(text: &str) -> String {
    let kept: String = text.chars().map(|char| if is_legal(char) { char } else { '\u{fffd}' }).collect();
    kept.replace("\r\n", "\n").replace('\r', "\n")
}

fn is_legal(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn assert_legal(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).expect("what is written is UTF-8");
    assert_eq!(text.chars().find(|char| !is_legal(*char)), None);
    assert!(!text.contains("]]>"));
}

fn size(value: &Value) -> usize {
    match value {
        Value::Str(text) => text.len(),
        Value::Int(_) | Value::Bool(_) | Value::Double(_) | Value::Nil => 1,
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Struct(members) => members.iter().map(|(name, value)| name.len() + size(value)).sum(),
    }
}

/// Written out, a value takes more elements than the sloppiest way to say it.
fn deepest(values: &[Value]) -> usize {
    let inside = |value: &Value| match value {
        Value::Array(items) => 1 + deepest(items),
        Value::Struct(members) => {
            1 + members.iter().map(|(_, value)| deepest(std::slice::from_ref(value))).max().unwrap_or(0)
        }
        _ => 1,
    };
    values.iter().map(inside).max().unwrap_or(0)
}
