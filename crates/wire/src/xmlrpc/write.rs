//! Values to bytes, laid out exactly as Python's `xmlrpc.client` does: clients compare, and so do we.
//!
//! Two liberties, where Python's answer could not be read by anybody:
//! numbers are clamped to 32 bits, and characters that XML cannot carry become U+FFFD.

use super::is_xml_char;
use crate::{Fault, Value};

pub fn write_response(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    put(&mut out, "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n");
    put_value(&mut out, value);
    put(&mut out, "</param>\n</params>\n</methodResponse>\n");
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
            let number = (*number).clamp(i32::MIN.into(), i32::MAX.into());
            put(out, &format!("<int>{number}</int>"));
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

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Escapes `& < >` and nothing else, and keeps the text legal XML.
///
/// Stretches that need nothing are copied whole, which is what logs mostly are.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let mut clean_from = 0;
    for (at, char) in text.char_indices() {
        let instead = match char {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            legal if is_xml_char(legal) => continue,
            _ => "\u{fffd}",
        };
        put(out, &text[clean_from..at]);
        put(out, instead);
        clean_from = at + char.len_utf8();
    }
    put(out, &text[clean_from..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaultCode;

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
    fn numbers_are_clamped_to_32_bits() {
        assert!(text(write_response(&Value::Int(1 << 40))).contains("<int>2147483647</int>"));
        assert!(text(write_response(&Value::Int(-(1 << 40)))).contains("<int>-2147483648</int>"));
    }
}
