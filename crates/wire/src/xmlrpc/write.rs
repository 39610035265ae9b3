//! Values to bytes, laid out exactly as Python's `xmlrpc.client` does: clients compare, and so do we.
//!
//! Two liberties, where Python's answer could not be read by anybody:
//! numbers are clamped to 32 bits, and characters that XML cannot carry become U+FFFD.

use crate::value::Members;
use crate::{Fault, Value};

/// What surrounds a result.
const BEFORE: &str = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n";
const AFTER: &str = "</param>\n</params>\n</methodResponse>\n";

pub fn write_response(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    put(&mut out, BEFORE);
    put_value(&mut out, value);
    put(&mut out, AFTER);
    out
}

/// A response that is an array of structs, each written while it is told: of a thousand processes a tree of values would
/// take longer to make than all the rest. A struct takes about so many bytes.
pub fn write_structs<T>(items: &[T], about: usize, tell: impl Fn(&T, &mut dyn Members)) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + about * items.len());
    put(&mut out, BEFORE);
    put(&mut out, "<value><array><data>\n");
    for item in items {
        put(&mut out, "<value><struct>\n");
        tell(item, &mut Written(&mut out));
        put(&mut out, "</struct></value>\n");
    }
    put(&mut out, "</data></array></value>\n");
    put(&mut out, AFTER);
    out
}

pub fn write_fault(fault: &Fault) -> Vec<u8> {
    let fault =
        Value::members([("faultCode", fault.code.into()), ("faultString", fault.text.as_str().into())]);
    let mut out = Vec::with_capacity(384);
    put(&mut out, "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n");
    put_value(&mut out, &fault);
    put(&mut out, "</fault>\n</methodResponse>\n");
    out
}

pub fn write_call(method: &str, params: &[Value]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    put(&mut out, "<?xml version='1.0'?>\n<methodCall>\n<methodName>");
    put_text(&mut out, method);
    put(&mut out, "</methodName>\n<params>\n");
    for param in params {
        put(&mut out, "<param>\n");
        put_value(&mut out, param);
        put(&mut out, "</param>\n");
    }
    put(&mut out, "</params>\n</methodCall>\n");
    out
}

/// A whole `<value>` and the line end after it.
fn put_value(out: &mut Vec<u8>, value: &Value) {
    put(out, "<value>");
    match value {
        Value::Int(number) => {
            put(out, "<int>");
            put_int(out, *number);
            put(out, "</int>");
        }
        Value::Bool(true) => put(out, "<boolean>1</boolean>"),
        Value::Bool(false) => put(out, "<boolean>0</boolean>"),
        Value::Str(text) => {
            put(out, "<string>");
            put_text(out, text);
            put(out, "</string>");
        }
        Value::Double(number) => put(out, &format!("<double>{number:?}</double>")),
        Value::Nil => {
            // Python forgets the line end here, and here only.
            put(out, "<nil/></value>");
            return;
        }
        Value::Array(items) => {
            put(out, "<array><data>\n");
            items.iter().for_each(|item| put_value(out, item));
            put(out, "</data></array>");
        }
        Value::Struct(members) => {
            put(out, "<struct>\n");
            for (name, value) in members {
                put(out, "<member>\n<name>");
                put_text(out, name);
                put(out, "</name>\n");
                put_value(out, value);
                put(out, "</member>\n");
            }
            put(out, "</struct>");
        }
    }
    put(out, "</value>\n");
}

/// Members as bytes.
struct Written<'a>(&'a mut Vec<u8>);

impl Members for Written<'_> {
    fn text(&mut self, name: &str, text: &str) {
        put(self.0, "<member>\n<name>");
        put_text(self.0, name);
        put(self.0, "</name>\n<value><string>");
        put_text(self.0, text);
        put(self.0, "</string></value>\n</member>\n");
    }

    fn int(&mut self, name: &str, number: i64) {
        put(self.0, "<member>\n<name>");
        put_text(self.0, name);
        put(self.0, "</name>\n<value><int>");
        put_int(self.0, number);
        put(self.0, "</int></value>\n</member>\n");
    }
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// In decimal, clamped to 32 bits. A listing has thousands of these, and `format!` takes several times as long.
fn put_int(out: &mut Vec<u8>, number: i64) {
    let number = number.clamp(i32::MIN.into(), i32::MAX.into());
    let mut digits = [0; 10];
    let mut first = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[first..]);
}

/// Escapes `& < >` and nothing else, and keeps the text legal XML.
///
/// Stretches that need nothing are copied whole, which is what names and logs mostly are.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut clean_from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        // The first bytes of what is not `is_xml_char`, and of nothing else but what begins with 0xef.
        let (instead, length) = match byte {
            b'&' => ("&amp;", 1),
            b'<' => ("&lt;", 1),
            b'>' => ("&gt;", 1),
            0..=8 | 0xb | 0xc | 0xe..=0x1f => ("\u{fffd}", 1),
            0xef if matches!(bytes[at..], [_, 0xbf, 0xbe | 0xbf, ..]) => ("\u{fffd}", 3),
            _ => continue,
        };
        out.extend_from_slice(&bytes[clean_from..at]);
        put(out, instead);
        clean_from = at + length;
    }
    out.extend_from_slice(&bytes[clean_from..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaultCode;
    use crate::xmlrpc::is_xml_char;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    // The expected texts below were written by `xmlrpc.client.dumps` of Python 3.11.

    #[test]
    fn a_response_is_what_python_writes() {
        let value = Value::members([
            ("b", 1.into()),
            ("a", vec![true.into(), "x<&>\"'é".into(), Value::Array(vec![])].into()),
            ("f", Value::Double(1.5)),
            ("big", Value::Struct(vec![])),
        ]);
        assert_eq!(
            text(write_response(&value)),
            "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><struct>\n<member>\n<name>b</name>\n\
             <value><int>1</int></value>\n</member>\n<member>\n<name>a</name>\n<value><array><data>\n\
             <value><boolean>1</boolean></value>\n<value><string>x&lt;&amp;&gt;\"'é</string></value>\n\
             <value><array><data>\n</data></array></value>\n</data></array></value>\n</member>\n<member>\n\
             <name>f</name>\n<value><double>1.5</double></value>\n</member>\n<member>\n<name>big</name>\n\
             <value><struct>\n</struct></value>\n</member>\n</struct></value>\n</param>\n</params>\n</methodResponse>\n"
        );
    }

    #[test]
    fn a_fault_is_what_python_writes() {
        assert_eq!(
            text(write_fault(&Fault::new(FaultCode::BadName, Some("a<b")))),
            "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n\
             <value><int>10</int></value>\n</member>\n<member>\n<name>faultString</name>\n\
             <value><string>BAD_NAME: a&lt;b</string></value>\n</member>\n</struct></value>\n</fault>\n</methodResponse>\n"
        );
    }

    #[test]
    fn a_call_is_what_python_writes() {
        let params = ["a b".into(), 0.into(), true.into(), Value::Array(vec![1.into()])];
        assert_eq!(
            text(write_call("supervisor.startProcess", &params)),
            "<?xml version='1.0'?>\n<methodCall>\n<methodName>supervisor.startProcess</methodName>\n<params>\n\
             <param>\n<value><string>a b</string></value>\n</param>\n<param>\n<value><int>0</int></value>\n</param>\n\
             <param>\n<value><boolean>1</boolean></value>\n</param>\n<param>\n<value><array><data>\n\
             <value><int>1</int></value>\n</data></array></value>\n</param>\n</params>\n</methodCall>\n"
        );
        assert_eq!(
            text(write_call("supervisor.getState", &[])),
            "<?xml version='1.0'?>\n<methodCall>\n<methodName>supervisor.getState</methodName>\n<params>\n</params>\n\
             </methodCall>\n"
        );
        assert_eq!(
            text(write_call("m", &["".into(), Value::Nil])),
            "<?xml version='1.0'?>\n<methodCall>\n<methodName>m</methodName>\n<params>\n<param>\n\
             <value><string></string></value>\n</param>\n<param>\n<value><nil/></value></param>\n</params>\n</methodCall>\n"
        );
    }

    #[test]
    fn what_xml_cannot_carry_is_replaced() {
        let response = text(write_response(&"\u{1b}[31mred\u{0}\ttab\r\n\u{ffff}end".into()));
        assert!(
            response.contains("<string>\u{fffd}[31mred\u{fffd}\ttab\r\n\u{fffd}end</string>"),
            "{response:?}"
        );
    }

    #[test]
    fn every_other_character_is_written_as_it_is() {
        for char in '\0'..=char::MAX {
            let mut out = Vec::new();
            put_text(&mut out, &format!("a{char}b"));
            let expected = match char {
                '&' | '<' | '>' => continue,
                _ if is_xml_char(char) => format!("a{char}b"),
                _ => "a\u{fffd}b".to_owned(),
            };
            assert_eq!(text(out), expected);
        }
    }

    #[test]
    fn numbers_are_clamped_to_32_bits() {
        let written = |number| text(write_response(&Value::Int(number)));
        assert!(written(1 << 40).contains("<int>2147483647</int>"));
        assert!(written(-(1 << 40)).contains("<int>-2147483648</int>"));
        for number in [0, 7, -1, 10, -305, 2_147_483_646] {
            assert!(written(number).contains(&format!("<int>{number}</int>")));
        }
    }

    #[test]
    fn structs_are_written_as_they_are_told_and_as_if_they_had_been_values() {
        let items = [("a<b", -3), ("\u{1b}", 1_795_344_000)];
        fn tell((name, number): &(&str, i64), to: &mut dyn Members) {
            to.text("name", name);
            to.int("number", *number);
        }
        let as_value = |item| {
            let mut members = Vec::new();
            tell(item, &mut members);
            Value::Struct(members)
        };
        let values = Value::Array(items.iter().map(as_value).collect());
        assert_eq!(text(write_structs(&items, 8, tell)), text(write_response(&values)));
    }
}
