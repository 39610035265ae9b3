//! Bodies as they come: other encodings, other layouts, half XML and none. What 4.3.0 understands, we understand.

use provost_testkit::{Daemon, HEAD, Implementation};

use super::line::{Asked, answer, request};

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let name = |value: &str| request("supervisor.getProcessInfo", &[value]).into_bytes();
    let bare = |xml: &str| xml.as_bytes().to_vec();
    let call = "<methodCall><methodName>supervisor.getProcessInfo</methodName><params><param><value>\u{e9}</value></param></params></methodCall>";
    let declared = |encoding: &str| format!("<?xml version='1.0' encoding='{encoding}'?>\n{call}");
    let latin =
        |text: &str| text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect::<Vec<u8>>();
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let mut surrogate = name("<string>XX</string>");
    let at = surrogate.windows(2).position(|w| w == b"XX").expect("it is there");
    surrogate.splice(at..at + 2, *b"\xed\xa0\x80");
    vec![
        ("declared as UTF-8", declared("UTF-8").into_bytes()),
        ("declared as latin-1, and UTF-8 all the same", declared("iso-8859-1").into_bytes()),
        ("declared as nonsense, and UTF-8", declared("nonsense").into_bytes()),
        ("declared as UTF-16, and UTF-8", declared("utf-16").into_bytes()),
        ("latin-1", latin(&declared("iso-8859-1"))),
        ("latin-1 that nobody declared", latin(call)),
        ("UTF-16", wide(&format!("\u{feff}{}", declared("utf-16")))),
        ("a byte order mark", [b"\xef\xbb\xbf", call.as_bytes()].concat()),
        ("version 1.1", bare(&format!("<?xml version='1.1'?>{call}"))),
        ("half a surrogate pair by number", name("<string>&#xd800;</string>")),
        ("half a surrogate pair in bytes", surrogate),
        ("U+FFFE", name("<string>\u{fffe}</string>")),
        ("U+FFFF by number", name("<string>&#xffff;</string>")),
        ("a zero by number", name("<string>&#0;</string>")),
        ("a control character by number", name("<string>&#27;</string>")),
        ("a control character", name("<string>\u{1b}</string>")),
        ("a control character in a comment", bare(&format!("<!-- \u{1} -->{call}"))),
        ("DEL and C1", name("<string>\u{7f}\u{85}\u{9f}</string>")),
        ("line ends", name("<string>a\r\nb\rc&#13;d\te\nf</string>")),
        ("the end of a CDATA", name("<string>a]]>b</string>")),
        ("a CDATA", name("<string><![CDATA[<a>&amp;]]></string>")),
        ("a comment inside", name("<string>a<!-- b -->c</string>")),
        ("a comment with two hyphens", name("<string>a<!-- b -- -->c</string>")),
        ("an instruction inside", name("<string>a<?b c?>d</string>")),
        ("an instruction called xml", name("<string>a<?xml version='1.0'?>d</string>")),
        ("all entities", name("<string>&amp;&lt;&gt;&quot;&apos;&#65;&#x42;</string>")),
        ("an entity of nobody", name("<string>&nobody;</string>")),
        ("an ampersand", name("<string>a & b</string>")),
        ("a doctype", bare(&format!("<!DOCTYPE methodCall>{call}"))),
        ("an entity of its own", bare(&format!("<!DOCTYPE a [<!ENTITY b 'c'>]>{call}"))),
        ("an external entity", bare(&format!("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>{}", call.replace('\u{e9}', "&b;")))),
        ("no params", bare("<methodCall><methodName>supervisor.getState</methodName></methodCall>")),
        ("another root", bare("<x><methodName>supervisor.getState</methodName></x>")),
        ("a deeper name", bare("<x><y><methodName>supervisor.getState</methodName></y></x>")),
        ("two names", bare("<x><methodName>supervisor.getPID</methodName><methodName>supervisor.getState</methodName></x>")),
        ("two lists of params", bare(&call.replace("<params>", "<params><param><value>a</value></param></params><params>"))),
        ("params first", bare("<x><params><param><value>a</value></param></params><methodName>supervisor.getProcessInfo</methodName></x>")),
        ("a deeper list of params", bare("<x><methodName>supervisor.getProcessInfo</methodName><y><params><param><value>a</value></param></params></y></x>")),
        ("blanks around the name", bare("<x><methodName> supervisor.getState </methodName></x>")),
        ("blanks behind", bare(&format!("{call}\n\n "))),
        ("blanks before", bare(&format!("\n {call}"))),
        ("blanks before the declaration", bare(&format!("\n{}", declared("utf-8")))),
        ("a zero behind", bare(&format!("{call}\0"))),
        ("text behind", bare(&format!("{call}x"))),
        ("a second document", bare(&format!("{call}{call}"))),
        ("an attribute", bare(&call.replace("<methodCall>", "<methodCall a='1'>"))),
        ("an attribute twice", bare(&call.replace("<methodCall>", "<methodCall a='1' a='2'>"))),
        ("an attribute without quotes", bare(&call.replace("<methodCall>", "<methodCall a=1>"))),
        ("an attribute without a value", bare(&call.replace("<methodCall>", "<methodCall a>"))),
        ("< in an attribute", bare(&call.replace("<methodCall>", "<methodCall a='<'>"))),
        ("an entity of nobody in an attribute", bare(&call.replace("<methodCall>", "<methodCall a='&b;'>"))),
        ("a default namespace", bare(&call.replace("<methodCall>", "<methodCall xmlns='urn:x'>"))),
        ("another namespace", bare(&call.replace("<methodCall>", "<methodCall xmlns:x='urn:x'>"))),
        ("a prefix of nobody", bare(&call.replace("<methodCall>", "<x:methodCall>").replace("</methodCall>", "</x:methodCall>"))),
        ("no name that XML knows", bare(&call.replace("<params>", "<params><1></1>"))),
        ("never closed", bare(&call.replace("</methodCall>", ""))),
        ("closed in the wrong order", name("<string>a</value></string>")),
        ("capitals", bare("<METHODCALL><METHODNAME>supervisor.getState</METHODNAME></METHODCALL>")),
        ("no method", bare("<methodCall/>")),
        ("an empty name", bare("<methodCall><methodName/></methodCall>")),
        ("a name with a child", bare("<x><methodName><b>supervisor.getState</b></methodName></x>")),
        ("a name before a child", bare("<x><methodName>supervisor.getState<b/>x</methodName></x>")),
        ("no XML", bare("hello")),
        ("JSON", bare("{\"method\":\"supervisor.getState\"}")),
        ("int and blanks", name("<int> 5 </int>")),
        ("int and a plus", request("supervisor.readProcessLog", &["x", "<int>+5</int>", "<int>0</int>"]).into_bytes()),
        ("int and underscores", request("supervisor.readProcessLog", &["x", "<int>1_000</int>", "<int>0</int>"]).into_bytes()),
        ("int of 70 bits", request("supervisor.readProcessLog", &["x", "<int>999999999999999999999</int>", "<int>0</int>"]).into_bytes()),
        ("int in Arabic digits", request("supervisor.readProcessLog", &["x", "<int>\u{663}</int>", "<int>0</int>"]).into_bytes()),
        ("int of nothing", request("supervisor.readProcessLog", &["x", "<int></int>", "<int>0</int>"]).into_bytes()),
        ("int in words", request("supervisor.readProcessLog", &["x", "<int>five</int>", "<int>0</int>"]).into_bytes()),
        ("int with a fraction", request("supervisor.readProcessLog", &["x", "<int>1.5</int>", "<int>0</int>"]).into_bytes()),
        ("infinity", request("supervisor.readProcessLog", &["x", "<double>1e999</double>", "<int>0</int>"]).into_bytes()),
        ("not a number", request("supervisor.readProcessLog", &["x", "<double>nan</double>", "<int>0</int>"]).into_bytes()),
        ("double in words", request("supervisor.readProcessLog", &["x", "<double>half</double>", "<int>0</int>"]).into_bytes()),
        ("a date that is none", name("<dateTime.iso8601>x</dateTime.iso8601>")),
        ("base64", name("<base64>w6k=</base64>")),
        ("base64 in lines", name("<base64>\n w6k=\n</base64>")),
        ("base64 of no UTF-8", name("<base64>/////w==</base64>")),
        ("base64 without its end", name("<base64>w6k</base64>")),
        ("base64 of nothing", name("<base64/>")),
        ("an unknown type", name("<thing>x</thing>")),
        ("an unknown type of nothing", name("<thing/>")),
        ("blanks around a type", name("  <string>x</string> ")),
        ("text around a type", name("a<string>x</string>b")),
        ("two types", name("<string>x</string><string>y</string>")),
        ("a string with a child", name("<string>a<b>c</b>d</string>")),
        ("a value in a value", name("<value>x</value>")),
        ("a param without a value", bare("<x><methodName>supervisor.getProcessInfo</methodName><params><param><string>x</string></param></params></x>")),
        ("a param of text", bare("<x><methodName>supervisor.getProcessInfo</methodName><params><param>x</param></params></x>")),
        ("a param with two values", bare("<x><methodName>supervisor.getProcessInfo</methodName><params><param><value>x</value><value>y</value></param></params></x>")),
        ("params of values", bare("<x><methodName>supervisor.getProcessInfo</methodName><params><value>x</value></params></x>")),
        ("params of something", bare("<x><methodName>supervisor.getProcessInfo</methodName><params><y>x</y></params></x>")),
        ("params of nothing", bare("<x><methodName>supervisor.getState</methodName><params/></x>")),
        ("an array without data", name("<array></array>")),
        ("an array with two data", request("system.multicall", &["<array><data></data><data><value>x</value></data></array>"]).into_bytes()),
        ("a member without a value", name("<struct><member><name>x</name></member></struct>")),
        ("a member with too much", name("<struct><member><name>x</name><value>y</value><value>z</value></member></struct>")),
        ("a member the wrong way round", request("system.multicall", &["<array><data><value><struct><member><value>x</value><name>methodName</name></member></struct></value></data></array>"]).into_bytes()),
        ("a struct of something", name("<struct><x><name>a</name><value>b</value></x></struct>")),
        ("true in words", request("supervisor.stopAllProcesses", &["<boolean>true</boolean>"]).into_bytes()),
        ("a boolean with blanks", request("supervisor.stopAllProcesses", &["<boolean> 1 </boolean>"]).into_bytes()),
        ("a hundred arrays", name(&("<array><data><value>".repeat(100) + &"</value></data></array>".repeat(100)))),
        ("one dot too many", request("supervisor.getState.x", &[]).into_bytes()),
        ("no dot", request("getState", &[]).into_bytes()),
        ("only a dot", request(".", &[]).into_bytes()),
        ("nothing before the dot", request(".getState", &[]).into_bytes()),
        ("a private method", request("supervisor._update", &["x"]).into_bytes()),
        ("a private attribute", request("supervisor.__class__", &[]).into_bytes()),
        ("an attribute that is no method", request("supervisor.supervisord", &[]).into_bytes()),
        ("what CVE-2017-11610 walked along", request("supervisor.supervisord.options.warnings.linecache.os.system", &["true"]).into_bytes()),
        ("a name of other case", request("supervisor.getstate", &[]).into_bytes()),
        ("a name with a zero width", request("supervisor.getState\u{200b}", &[]).into_bytes()),
        ("a name of a megabyte", request(&"x".repeat(1 << 20), &[]).into_bytes()),
        ("an argument of a megabyte", request("system.methodHelp", &[&"x".repeat(1 << 20)]).into_bytes()),
        ("a thousand arguments", request("system.methodHelp", &["x"; 1000]).into_bytes()),
    ]
}

fn play(implementation: &Implementation) -> Vec<Asked> {
    let daemon = Daemon::start(implementation, HEAD);
    bodies()
        .into_iter()
        .map(|(call, body)| Asked { call: call.to_owned(), answer: answer(&daemon, "x", &body) })
        .collect()
}

#[test]
fn whatever_a_body_holds() {
    super::same_answers("bodies", play);
}
