//! The bodies of the fuzz targets for XML-RPC, on seeds and some thousand mutations of them.
//!
//! The seeds are requests of several clients, and the recorded answers. The mutations are the same in every run.

use std::path::Path;

#[path = "../../../fuzz/xml.rs"]
mod xml;

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
    mutate(&seeds, 20_000, xml::call);
    let wide =
        CALLS.map(|seed| format!("\u{feff}{seed}").encode_utf16().flat_map(u16::to_le_bytes).collect());
    mutate(&wide, 5_000, xml::call);
}

#[test]
fn responses() {
    mutate(&recorded(), 6_000, xml::response);
}

#[test]
fn texts() {
    let seeds = [
        "\u{1b}[31mred\u{1b}[0m\r\n",
        "a]]>b",
        "\u{0}\u{b}\u{fffe}\u{ffff}\u{85}",
        "h\u{e4}ll\u{f6} \u{1f600}",
    ];
    mutate(&seeds.map(|seed| seed.as_bytes().to_owned()), 20_000, xml::text);
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

fn mutate(seeds: &[Vec<u8>], rounds: usize, body: fn(&[u8])) {
    seeds.iter().for_each(|seed| body(seed));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..rounds {
        let mut input = seeds[round % seeds.len()].clone();
        for _ in 0..=dice.below(5) {
            change(&mut input, seeds, &mut dice);
        }
        // A panic names no input by itself.
        let shown = input.clone();
        if std::panic::catch_unwind(|| body(&input)).is_err() {
            panic!("in round {round}, on {:?}", String::from_utf8_lossy(&shown));
        }
    }
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let end = (at + dice.below(40)).min(input.len());
    match dice.below(6) {
        0 if at < input.len() => input[at] ^= 1 << dice.below(8),
        1 => drop(input.drain(at..end)),
        2 => {
            let again = input[at..end].to_vec();
            input.splice(at..at, again);
        }
        3 => {
            let other = &seeds[dice.below(seeds.len())];
            let from = dice.below(other.len() + 1);
            let to = (from + dice.below(80)).min(other.len());
            input.splice(at..at, other[from..to].iter().copied());
        }
        _ => drop(input.splice(at..at, WORDS[dice.below(WORDS.len())].bytes())),
    }
}

/// Xorshift: the same numbers everywhere, for ever.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits fit") % bound
    }
}
