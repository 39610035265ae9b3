//! Bytes to values. A message is read into a small tree first, then the tree is understood.
//!
//! The tree has limits, so that a hostile message costs its sender more than us;
//! the size of the body is limited by whoever received it. Supervisor's reader
//! looks at elements only and does not mind what surrounds them, and neither do we.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use super::encoding::decode;
use super::{is_xml_char, plain};
use crate::{Fault, Value};

/// A method and its positional arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// As sent: not checked, not trimmed, never empty.
    pub method: String,
    pub params: Vec<Value>,
}

impl Call {
    /// About how many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        self.method.capacity() + self.params.iter().map(Value::footprint).sum::<usize>()
    }
}

/// Why a body is no call; the server answers 400.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRequest(pub String);

/// Why a body is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadResponse(pub String);

pub fn parse_call(body: &[u8]) -> Result<Call, BadRequest> {
    let text = decode(body).map_err(BadRequest)?;
    if let Some(char) = text.chars().find(|&char| !is_xml_char(char)) {
        return Err(BadRequest(format!("character {char:?} is not allowed in XML")));
    }
    call(&text, &REQUEST).map_err(BadRequest)
}

/// The result, or the fault that the server raised.
///
/// More forgiving than [`parse_call`]: Supervisor sends the control characters of
/// coloured logs as they are, and somebody wants to read those logs.
pub fn parse_response(body: &[u8]) -> Result<Result<Value, Fault>, BadResponse> {
    let plain = std::str::from_utf8(body).ok().and_then(plain::response);
    plain.map_or_else(|| parse_any_response(body), |value| Ok(Ok(value)))
}

/// The same without the short way; for those who compare the two.
#[doc(hidden)]
pub fn parse_any_response(body: &[u8]) -> Result<Result<Value, Fault>, BadResponse> {
    response(&String::from_utf8_lossy(body), &RESPONSE).map_err(BadResponse)
}

impl std::fmt::Display for BadRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not an XML-RPC call: {}", self.0)
    }
}

impl std::fmt::Display for BadResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not an XML-RPC response: {}", self.0)
    }
}

impl std::error::Error for BadRequest {}
impl std::error::Error for BadResponse {}

struct Limits {
    depth: usize,
    elements: usize,
}

/// A `system.multicall` of ten thousand calls with three arguments each fits, as Python writes it.
const REQUEST: Limits = Limits { depth: 64, elements: 250_000 };
/// `getAllConfigInfo` of twenty thousand processes fits.
const RESPONSE: Limits = Limits { depth: 64, elements: 4_000_000 };

/// No element of the format has a name of more than seventeen.
const LONGEST_NAME: usize = 256;

fn call(text: &str, limits: &Limits) -> Result<Call, String> {
    let mut call = Call { method: String::new(), params: Vec::new() };
    let (mut tree, root) = tree(text, limits)?;
    find_call(&mut tree, root, &mut call)?;
    if call.method.is_empty() {
        return Err("no method name".to_owned());
    }
    Ok(call)
}

/// Name and arguments, wherever they stand: Supervisor does not mind, and takes the last of each.
fn find_call(tree: &mut Tree<'_>, parent: Place, call: &mut Call) -> Result<(), String> {
    let mut next = tree.first_child(parent);
    while let Some(child) = next {
        match tree.name(child) {
            "methodName" => call.method = tree.take_text(child),
            "params" => call.params = values(tree, child)?,
            _ => find_call(tree, child, call)?,
        }
        next = tree.sibling(child);
    }
    Ok(())
}

fn response(text: &str, limits: &Limits) -> Result<Result<Value, Fault>, String> {
    let (mut tree, root) = tree(text, limits)?;
    let Some(answer) = tree.first_child(root) else {
        return Err(format!("<{}> is empty", tree.name(root)));
    };
    match tree.name(answer) {
        "params" => {
            values(&mut tree, answer)?.into_iter().next().map(Ok).ok_or_else(|| "no result".to_owned())
        }
        "fault" => {
            let fault = value(&mut tree, answer)?;
            let code =
                fault.get("faultCode").and_then(Value::as_int).and_then(|code| i32::try_from(code).ok());
            let text = fault.get("faultString").and_then(Value::as_str);
            match (code, text) {
                (Some(code), Some(text)) => Ok(Err(Fault { code, text: text.to_owned() })),
                _ => Err("the fault has no code or no text".to_owned()),
            }
        }
        other => Err(format!("<{other}> where <params> or <fault> belongs")),
    }
}

fn values(tree: &mut Tree<'_>, parent: Place) -> Result<Vec<Value>, String> {
    let mut values = Vec::with_capacity(tree.count(parent));
    let mut next = tree.first_child(parent);
    while let Some(child) = next {
        values.push(value(tree, child)?);
        next = tree.sibling(child);
    }
    Ok(values)
}

/// What an element means. `<value>`, `<param>` and the like mean what their first child means.
fn value(tree: &mut Tree<'_>, place: Place) -> Result<Value, String> {
    let (name, child) = (tree.name(place), tree.first_child(place));
    match (name, child) {
        ("int" | "i4" | "i8", _) => integer(name, tree.text(place)).map(Value::Int),
        ("boolean", _) => Ok(Value::Bool(tree.text(place) == "1")),
        ("string", _) => Ok(Value::Str(tree.take_text(place))),
        ("double", _) => Ok(Value::Double(number(name, tree.text(place))?)),
        ("base64", _) => base64(tree.text(place)).map(Value::Str),
        ("struct", _) => members(tree, place).map(Value::Struct),
        ("array", Some(data)) => values(tree, data).map(Value::Array),
        ("array", None) => Err("<array> without <data>".to_owned()),
        ("value" | "param" | "fault", Some(inner)) => value(tree, inner),
        ("value", None) => Ok(Value::Str(tree.take_text(place))),
        ("param" | "fault", None) => Err(format!("<{name}> without <value>")),
        // `nil`, `dateTime.iso8601` and whatever else there is.
        _ if tree.text(place).is_empty() => Ok(Value::Nil),
        _ => Ok(Value::Str(tree.take_text(place))),
    }
}

fn members(tree: &mut Tree<'_>, parent: Place) -> Result<Vec<(String, Value)>, String> {
    let mut members = Vec::with_capacity(tree.count(parent));
    let mut next = tree.first_child(parent);
    while let Some(child) = next {
        members.push(member(tree, child)?);
        next = tree.sibling(child);
    }
    Ok(members)
}

fn member(tree: &mut Tree<'_>, place: Place) -> Result<(String, Value), String> {
    let name = tree.first_child(place);
    let inner = name.and_then(|name| tree.sibling(name));
    match (name, inner, tree.count(place)) {
        (Some(name), Some(inner), 2) => Ok((tree.take_text(name), value(tree, inner)?)),
        (.., parts) => Err(format!("a struct member has {parts} parts, not name and value")),
    }
}

/// One that is too large is the largest that there is.
fn integer(name: &str, text: &str) -> Result<i64, String> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.trim().parse().or_else(|error: std::num::ParseIntError| match error.kind() {
        PosOverflow => Ok(i64::MAX),
        NegOverflow => Ok(i64::MIN),
        _ => number(name, text),
    })
}

fn number<N: std::str::FromStr>(name: &str, text: &str) -> Result<N, String> {
    text.trim().parse().map_err(|_| format!("<{name}> holds {text:?}, no number"))
}

/// As Python decodes it: characters outside the alphabet are skipped, but the padding must be there.
fn base64(text: &str) -> Result<String, String> {
    let (digits, padding) = text.split_at(text.find('=').unwrap_or(text.len()));
    let digits: Vec<u8> = digits.bytes().filter_map(base64_digit).collect();
    let padding = padding.bytes().filter(|&byte| byte == b'=').count();
    if digits.len() % 4 == 1 || padding < (4 - digits.len() % 4) % 4 {
        return Err("base64 text is cut off".to_owned());
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut bits = group.iter().fold(0, |bits, &digit| bits << 6 | u32::from(digit));
        bits <<= 6 * (4 - group.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    String::from_utf8(bytes).map_err(|_| "base64 text does not hold UTF-8".to_owned())
}

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// All elements of a document, in the order in which they begin. They lie in one piece of memory, and their text is the
/// document's own where that is possible: a list of a thousand processes has more than a hundred thousand elements.
struct Tree<'a>(Vec<Element<'a>>);

/// Where an element is in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(u32);

/// One element: its text up to the first child, and its children.
struct Element<'a> {
    /// One of [`TAGS`], or `unknown`.
    name: &'static str,
    text: Cow<'a, str>,
    children: u32,
    /// It stands right behind its parent.
    last_child: Option<Place>,
    sibling: Option<Place>,
}

impl<'a> Tree<'a> {
    fn at(&self, place: Place) -> &Element<'a> {
        &self.0[place.0 as usize]
    }

    fn at_mut(&mut self, place: Place) -> &mut Element<'a> {
        &mut self.0[place.0 as usize]
    }

    fn name(&self, place: Place) -> &'static str {
        self.at(place).name
    }

    fn text(&self, place: Place) -> &str {
        &self.at(place).text
    }

    fn take_text(&mut self, place: Place) -> String {
        std::mem::take(&mut self.at_mut(place).text).into_owned()
    }

    fn count(&self, place: Place) -> usize {
        self.at(place).children as usize
    }

    fn first_child(&self, place: Place) -> Option<Place> {
        (self.count(place) > 0).then_some(Place(place.0 + 1))
    }

    fn sibling(&self, place: Place) -> Option<Place> {
        self.at(place).sibling
    }

    /// An element that begins now, inside `parent`.
    fn push(&mut self, name: &str, parent: Option<Place>) -> Place {
        let name = TAGS.iter().copied().find(|&tag| tag == name).unwrap_or("unknown");
        let place = Place(u32::try_from(self.0.len()).expect("the limits are far below"));
        let text = Cow::Borrowed("");
        self.0.push(Element { name, text, children: 0, last_child: None, sibling: None });
        if let Some(parent) = parent {
            let parent = self.at_mut(parent);
            parent.children += 1;
            if let Some(before) = parent.last_child.replace(place) {
                self.at_mut(before).sibling = Some(place);
            }
        }
        place
    }

    fn append(&mut self, place: Place, text: Cow<'a, str>) {
        let known = &mut self.at_mut(place).text;
        if known.is_empty() {
            *known = text;
        } else {
            known.to_mut().push_str(&text);
        }
    }
}

/// The names that mean something to us; with these at hand no element keeps a name of its own.
const TAGS: &[&str] = &[
    "value",
    "string",
    "int",
    "name",
    "member",
    "boolean",
    "struct",
    "array",
    "data",
    "param",
    "params",
    "methodName",
    "methodCall",
    "methodResponse",
    "fault",
    "i4",
    "i8",
    "double",
    "base64",
    "nil",
    "dateTime.iso8601",
];

/// Reads one whole document, and nothing after it.
fn tree<'a>(text: &'a str, limits: &Limits) -> Result<(Tree<'a>, Place), String> {
    let mut reader = Reader::from_str(text);
    let mut document = Document { limits, tree: Tree(Vec::new()), open: Vec::new() };
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) => document.start(tag.name().into_inner())?,
            Event::Empty(tag) => {
                document.start(tag.name().into_inner())?;
                document.end();
            }
            Event::End(_) => document.end(),
            Event::Text(text) => document.text(text.xml10_content())?,
            Event::CData(text) => document.text(text.xml10_content())?,
            Event::GeneralRef(reference) => document.text(resolve(&reference)?.to_string().into())?,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::DocType(_) => return Err("document types are not accepted".to_owned()),
            Event::Eof => return document.finish(),
        }
    }
}

/// A document while it is being read.
struct Document<'a, 'l> {
    limits: &'l Limits,
    tree: Tree<'a>,
    /// From the root down to where we are.
    open: Vec<Place>,
}

impl<'a> Document<'a, '_> {
    fn start(&mut self, name: &str) -> Result<(), String> {
        if self.tree.0.len() >= self.limits.elements || self.open.len() >= self.limits.depth {
            return Err(format!(
                "more than {} elements, or more than {} inside each other",
                self.limits.elements, self.limits.depth
            ));
        }
        if name.len() > LONGEST_NAME {
            return Err(format!("an element's name is longer than {LONGEST_NAME} bytes"));
        }
        if self.open.is_empty() && !self.tree.0.is_empty() {
            return Err("something follows the document".to_owned());
        }
        let place = self.tree.push(name, self.open.last().copied());
        self.open.push(place);
        Ok(())
    }

    /// The reader has seen to it that an end has a start.
    fn end(&mut self) {
        self.open.pop();
    }

    fn text(&mut self, text: Cow<'a, str>) -> Result<(), String> {
        match self.open.last() {
            Some(&element) if self.tree.count(element) == 0 => self.tree.append(element, text),
            Some(_) => {}
            None if text.trim_ascii().is_empty() => {}
            None => return Err("text outside the document".to_owned()),
        }
        Ok(())
    }

    fn finish(self) -> Result<(Tree<'a>, Place), String> {
        match self.open.last() {
            Some(&open) => Err(format!("<{}> is never closed", self.tree.name(open))),
            None if self.tree.0.is_empty() => Err("it is empty".to_owned()),
            None => Ok((self.tree, Place(0))),
        }
    }
}

/// `&amp;` and its four brothers, and characters by number. No other entity exists.
fn resolve(reference: &BytesRef<'_>) -> Result<char, String> {
    match &**reference {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        name => match reference.resolve_char_ref() {
            Ok(Some(char)) if is_xml_char(char) => Ok(char),
            _ => Err(format!("&{name}; is not accepted")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmlrpc::{write_call, write_fault, write_response};

    fn arguments(params: &str) -> Result<Vec<Value>, BadRequest> {
        let body = format!("<methodCall><methodName>m</methodName><params>{params}</params></methodCall>");
        parse_call(body.as_bytes()).map(|call| call.params)
    }

    fn argument(value: &str) -> Option<Value> {
        arguments(&format!("<param><value>{value}</value></param>")).ok()?.pop()
    }

    fn everything() -> Value {
        Value::members([
            ("name", "a<b> & c\n\ttab \u{e9}\u{1f600}".into()),
            ("empty", "".into()),
            ("number", (-17).into()),
            ("truth", false.into()),
            ("half", Value::Double(0.5)),
            ("nothing", Value::Nil),
            ("list", vec![Value::Array(vec![]), Value::Struct(vec![]), "x".into()].into()),
        ])
    }

    #[test]
    fn what_we_write_we_read() {
        let call = parse_call(&write_call("system.multicall", &[everything(), 3.into()])).unwrap();
        assert_eq!(
            call,
            Call { method: "system.multicall".to_owned(), params: vec![everything(), 3.into()] }
        );
        assert_eq!(parse_response(&write_response(&everything())), Ok(Ok(everything())));
        let fault = Fault { code: 10, text: "BAD_NAME: <&>".to_owned() };
        assert_eq!(parse_response(&write_fault(&fault)), Ok(Err(fault)));
    }

    #[test]
    fn types_are_read_as_supervisor_reads_them() {
        assert_eq!(argument("<int> 42 </int>"), Some(Value::Int(42)));
        assert_eq!(argument("<i4>-1</i4>"), Some(Value::Int(-1)));
        assert_eq!(argument("<int>99999999999999999999</int>"), Some(Value::Int(i64::MAX)));
        assert_eq!(argument("<int>-99999999999999999999</int>"), Some(Value::Int(i64::MIN)));
        assert_eq!(argument("<boolean>1</boolean>"), Some(Value::Bool(true)));
        assert_eq!(argument("<boolean>true</boolean>"), Some(Value::Bool(false)));
        assert_eq!(argument("  bare "), Some("  bare ".into()));
        assert_eq!(argument("\n <string> a </string>\n"), Some(" a ".into()));
        assert_eq!(argument("<string/>"), Some("".into()));
        assert_eq!(argument(""), Some("".into()));
        assert_eq!(argument("<nil/>"), Some(Value::Nil));
        assert_eq!(argument("<ex:thing>7</ex:thing>"), Some("7".into()));
        assert_eq!(argument("<base64>aMOp\nbGxv</base64>"), Some("h\u{e9}llo".into()));
        assert_eq!(argument("<base64>aGk=</base64>"), Some("hi".into()));
        assert_eq!(argument("<base64>aQ==</base64>"), Some("i".into()));
        assert_eq!(
            argument("<string>a<!-- c -->b<![CDATA[<&>]]>&#233;&quot;</string>"),
            Some("ab<&>\u{e9}\"".into())
        );
        assert_eq!(argument("<string>a\r\nb</string>"), Some("a\nb".into()));
    }

    #[test]
    fn params_and_declaration_may_be_missing() {
        let bare = parse_call(b"<methodCall><methodName>a.b</methodName></methodCall>").unwrap();
        assert_eq!(bare, Call { method: "a.b".to_owned(), params: vec![] });
        let declared = parse_call(
            b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<methodCall><methodName>a.b</methodName></methodCall>\n",
        );
        assert_eq!(declared.unwrap(), bare);
    }

    #[test]
    fn name_and_params_may_stand_anywhere_and_the_last_count() {
        let call = parse_call(
            b"<x><y><params><param><value>a</value></param></params></y><methodName>m</methodName>\
              <z><methodName>n</methodName></z></x>",
        );
        assert_eq!(call.unwrap(), Call { method: "n".to_owned(), params: vec!["a".into()] });
    }

    #[test]
    fn malformed_calls_are_refused_with_a_reason() {
        for body in [
            "",
            "hello",
            "<methodCall>",
            "<methodCall></methodcall>",
            "<methodCall></methodCall>",
            "<methodCall><methodName/></methodCall>",
            "<methodCall><methodName>m</methodName></methodCall><again/>",
            "<methodCall><methodName>m</methodName></methodCall> trailing",
            "<methodCall><methodName>m\u{0}</methodName></methodCall>",
            "<methodCall><methodName>m\u{1b}</methodName></methodCall>",
            "<methodCall><methodName>m&#0;</methodName></methodCall>",
            "<methodCall><methodName>&unknown;</methodName></methodCall>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><methodCall><methodName>&b;</methodName></methodCall>",
        ] {
            assert!(parse_call(body.as_bytes()).is_err(), "{body:?} was accepted");
        }
        assert!(parse_call(b"<methodCall><methodName>\xff</methodName></methodCall>").is_err());
        assert_eq!(argument("<int>four</int>"), None);
        assert_eq!(argument("<int></int>"), None);
        assert_eq!(argument("<array/>"), None);
        assert_eq!(argument("<struct><member><name>a</name></member></struct>"), None);
        assert_eq!(argument("<base64>aGk</base64>"), None);
        assert_eq!(argument("<base64>/////w==</base64>"), None);
        assert!(arguments("<param/>").is_err());
    }

    #[test]
    fn ten_thousand_calls_in_one_are_no_flood() {
        let argument = "<value><string>a</string></value>\n".repeat(3);
        let one = format!(
            "<value><struct>\n<member>\n<name>methodName</name>\n<value><string>supervisor.signalProcess</string></value>\n</member>\n\
             <member>\n<name>params</name>\n<value><array><data>\n{argument}</data></array></value>\n</member>\n</struct></value>\n"
        );
        let many = one.repeat(10_000);
        let body = format!(
            "<?xml version='1.0'?>\n<methodCall>\n<methodName>system.multicall</methodName>\n<params>\n<param>\n\
             <value><array><data>\n{many}</data></array></value>\n</param>\n</params>\n</methodCall>\n"
        );
        assert!(body.len() < 4 << 20, "{}", body.len());
        let call = parse_call(body.as_bytes()).unwrap();
        assert_eq!(call.params[0].as_array().unwrap().len(), 10_000);
    }

    #[test]
    fn depth_and_size_have_limits() {
        let deep = "<value><array><data>".repeat(50);
        assert!(arguments(&format!("<param>{deep}")).unwrap_err().0.contains("inside each other"));
        let wide = "<param><value>1</value></param>".repeat(130_000);
        assert!(arguments(&wide).is_err());
        let name = "x".repeat(LONGEST_NAME + 1);
        assert!(arguments(&format!("<{name}></{name}>")).unwrap_err().0.contains("longer than"));
        assert_eq!(arguments(&wide[..wide.len() / 2]).map(|params| params.len()), Ok(65_000));
    }

    #[test]
    fn no_prefix_and_no_flipped_byte_makes_the_reader_panic() {
        let whole = write_call("supervisor.x", &[everything(), "&amp;".into()]);
        for end in 0..whole.len() {
            let _ = parse_call(&whole[..end]).is_ok();
            let _ = parse_response(&whole[..end]).is_ok();
            for strange in [0, b'<', b'&', b'>', b'/', 0x80, 0xff] {
                let mut flipped = whole.clone();
                flipped[end] = strange;
                let _ = (parse_call(&flipped).is_ok(), parse_response(&flipped).is_ok());
            }
        }
    }

    #[test]
    fn answers_of_a_python_daemon_are_read_even_where_python_cannot() {
        let raw = b"<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><string>\x1b[31mred\xff</string></value>\n</param>\n</params>\n</methodResponse>\n";
        assert_eq!(parse_response(raw), Ok(Ok("\u{1b}[31mred\u{fffd}".into())));
        assert!(parse_response(b"<methodResponse/>").is_err());
        assert!(parse_response(b"<methodResponse><params/></methodResponse>").is_err());
        assert!(parse_response(b"<methodResponse><fault><value>x</value></fault></methodResponse>").is_err());
        assert!(parse_response(b"<html><body>no</body></html>").is_err());
    }
}
