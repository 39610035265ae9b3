//! The bodies of the fuzz targets for XML-RPC and for listeners, on seeds and some thousand mutations of them.
//!
//! The seeds are requests of several clients, and the recorded answers. The mutations are the same in every run.

use std::path::Path;

#[path = "../../../fuzz/listener.rs"]
mod listener;
#[path = "../../../fuzz/mutations.rs"]
mod mutations;
#[path = "../../../fuzz/xml.rs"]
mod xml;

use mutations::mutate;

/// As Python, PHP, Perl and JavaScript write them, and as they should not be written.
const CALLS: [&str; 8] = [
    "<?xml version='1.0'?>\n<methodCall>\n<methodName>supervisor.startProcess</methodName>\n<params>\n<param>\n<value><string>web:*</string></value>\n</param>\n<param>\n<value><boolean>1</boolean></value>\n</param>\n</params>\n</methodCall>\n",
    "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><methodCall><methodName>a.b</methodName><params><param><value><i4>-12</i4></value></param><param><value><string>&#233;&amp;</string></value></param></params></methodCall>",
    "<methodCall><methodName>system.multicall</methodName><params><param><value><array><data><value><struct><member><name>methodName</name><value>a.b</value></member><member><name>params</name><value><array><data><value><nil/></value></data></array></value></member></struct></value></data></array></value></param></params></methodCall>",
    "<methodCall><methodName>x.y</methodName></methodCall>",
    "<methodCall><methodName>x</methodName><params><param><value><double>1.5e3</double></value></param><param><value><base64>aMOpbGxv</base64></value></param><param><value><dateTime.iso8601>20260101T00:00:00</dateTime.iso8601></value></param></params></methodCall>",
    "<!-- a --><?b c?><methodCall a='1'><methodName><![CDATA[a.b]]></methodName><params><param><value> bare &lt; </value></param></params></methodCall>",
    "<!DOCTYPE a [<!ENTITY b 'c'><!ENTITY d '&b;&b;&b;'>]><methodCall><methodName>&d;</methodName></methodCall>",
    "\u{feff}<methodCall><methodName>a.b</methodName><params><param><value><int>99999999999999999999</int></value></param><param><value><struct></struct></value></param></params></methodCall>",
];

const WORDS: [&str; 34] = [
    "<",
    ">",
    "/",
    "&",
    ";",
    "\"",
    "'",
    "=",
    "<value>",
    "</value>",
    "<int>",
    "</int>",
    "<string>",
    "<nil/>",
    "<array><data>",
    "</data></array>",
    "<struct>",
    "<member>",
    "<name>",
    "</params>",
    "&#0;",
    "&#xd800;",
    "&#13;",
    "&#xFFFE;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?",
    "<!DOCTYPE",
    "\r\n",
    "\u{fffd}",
    "\u{10ffff}",
    "99999999999",
];

#[test]
fn calls() {
    let seeds = CALLS.map(|seed| seed.as_bytes().to_owned());
    mutate(&seeds, &WORDS, 20_000, xml::call);
    let wide =
        CALLS.map(|seed| format!("\u{feff}{seed}").encode_utf16().flat_map(u16::to_le_bytes).collect());
    mutate(&wide, &WORDS, 5_000, xml::call);
}

#[test]
fn responses() {
    mutate(&recorded(), &WORDS, 6_000, xml::response);
}

#[test]
fn texts() {
    let seeds = [
        "\u{1b}[31mred\u{1b}[0m\r\n",
        "a]]>b",
        "\u{0}\u{b}\u{fffe}\u{ffff}\u{85}",
        "h\u{e4}ll\u{f6} \u{1f600}",
    ];
    mutate(&seeds.map(|seed| seed.as_bytes().to_owned()), &WORDS, 20_000, xml::text);
}

#[test]
fn listeners() {
    let seeds = [
        "READY\n\0RESULT 2\nOKREADY\n\0RESULT 4\nFAIL",
        "x\nREADY\n\0RESULT 0\n\0READY\n",
        "READY\n\0RESULT x\n",
    ];
    let mut both: Vec<Vec<u8>> = Vec::new();
    for (how, seed) in [2, 3, 10, 11].into_iter().flat_map(|how| seeds.map(|seed| (how, seed))) {
        both.push([&[how], seed.as_bytes()].concat());
    }
    let words = ["READY\n", "\0", "RESULT ", "2\nOK", "\n", "READY", "99999999999\n", "-1\n"];
    mutate(&both, &words, 60_000, listener::listener);
}

/// The answers that were recorded.
fn recorded() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .expect("the recorded answers can be listed")
        .map(|entry| entry.expect("the recorded answers can be listed").path())
        .collect();
    // The same order everywhere.
    files.sort();
    let seeds: Vec<Vec<u8>> =
        files.iter().map(|path| std::fs::read(path).expect("a recorded answer can be read")).collect();
    assert!(seeds.len() > 40, "{} answers are recorded", seeds.len());
    seeds
}
