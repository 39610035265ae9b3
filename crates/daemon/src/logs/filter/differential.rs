//! The same reads through the dispatcher of Supervisor 4.3.0 and through a [`Filter`]: the same log, the same events in the
//! same order.
//!
//! `PROVOST_ORACLE_PYTHON` names a Python that has Supervisor 4.3.0 installed; the Makefile sets it. Where Supervisor loses or leaks
//! something there is nothing to compare (docs/differences.md), so the streams here do not go there: no escape sequence is cut by a
//! read, nor left without its end, and behind everything comes enough for what is held back to come out.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::generated::Dice;
use super::{Filter, FilterSettings, Told};

const BEGIN: &[u8] = b"<!--XSUPERVISOR:BEGIN-->";
const END: &[u8] = b"<!--XSUPERVISOR:END-->";
/// Longer than a token, and none begins in it.
const TAIL: &[u8] = b"........................................";

struct Case {
    settings: FilterSettings,
    reads: Vec<Vec<u8>>,
}

#[test]
fn supervisor_filters_as_we_do() {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut cases: Vec<Case> = (0..3000).map(|_| mixed(&mut dice)).collect();
    cases.extend((0..300).map(|_| too_long(&mut dice)));
    let answers = ask_supervisor(&cases);
    assert_eq!(answers.len(), cases.len());
    let mut messages = 0;
    for (case, theirs) in cases.iter().zip(&answers) {
        let ours = ours(case);
        messages += ours[1].as_array().unwrap().iter().filter(|event| event[0] == "message").count();
        let theirs = json!([theirs[0], joined(theirs[1].as_array().unwrap())]);
        assert_eq!(ours, theirs, "{:?}, reads {:?}", case.settings, texts(&case.reads));
    }
    assert!(messages > 1000, "only {messages} messages were compared");
}

/// Text, sequences, tokens and what looks like them. Reads end anywhere, but not within a sequence where these are stripped.
fn mixed(dice: &mut Dice) -> Case {
    const ATOMS: &[&[u8]] = &[
        BEGIN,
        BEGIN,
        END,
        END,
        b"<!--XSUPERVISOR:",
        b"<!--XSUPERVISOR:END--",
        b"BEGIN-->",
        b"<",
        b"<!--",
        b"a word\n",
        b"a longer text without anything in it\n",
        b"\xff\xfe\0",
        b"\x1b[1;31m",
        b"\x1b[0m",
        b"\x1b[<35h",
        b"\x1b[2Gnot shown, as far as an m",
        b"\x1b]0;title\x07",
        b"\x1b",
    ];
    let strip_ansi = dice.below(2) == 0;
    let capture = [0, 1 << 20, 1 << 20][dice.below(3)];
    let mut reads = vec![Vec::new()];
    for _ in 0..dice.below(40) {
        let atom = ATOMS[dice.below(ATOMS.len())];
        let cut = if strip_ansi { 0 } else { dice.below(atom.len()) };
        reads.last_mut().unwrap().extend(&atom[..cut]);
        if dice.below(3) == 0 {
            reads.push(Vec::new());
        }
        reads.last_mut().unwrap().extend(&atom[cut..]);
    }
    reads.push(TAIL.to_vec());
    // To Supervisor an empty read is the end.
    reads.retain(|read| !read.is_empty());
    Case { settings: FilterSettings { strip_ansi, capture }, reads }
}

/// A message that is longer than it may be, in reads that Supervisor does not join.
fn too_long(dice: &mut Dice) -> Case {
    let mut reads = vec![BEGIN.to_vec()];
    for n in 0..1 + dice.below(12) {
        let size = END.len() + 1 + dice.below(90);
        reads.push((0..size).map(|byte| b'a' + u8::try_from((n * 7 + byte) % 26).unwrap()).collect());
    }
    reads.extend([END.to_vec(), TAIL.to_vec()]);
    let capture = 1 + dice.below(300) as u64;
    Case { settings: FilterSettings { strip_ansi: dice.below(2) == 0, capture }, reads }
}

fn ours(case: &Case) -> Value {
    let (mut out, mut events) = (Vec::new(), Vec::new());
    let mut tell = |told: Told<'_>| {
        events.push(match told {
            Told::Plain(bytes) => json!(["plain", text(bytes)]),
            Told::Captured(bytes) => json!(["captured", text(bytes)]),
            Told::Communication(bytes) => json!(["message", text(bytes)]),
        });
    };
    match Filter::new(case.settings) {
        Some(mut filter) => {
            case.reads.iter().for_each(|read| filter.take(read, &mut out, &mut tell));
            filter.end(&mut out, &mut tell);
        }
        None => {
            out = case.reads.concat();
            tell(Told::Plain(&out));
        }
    }
    json!([text(&out), joined(&events)])
}

/// Neighbours of one kind are one: which pieces output is told in depends on what Supervisor held back. It also tells empty ones, of
/// which all was stripped.
fn joined(events: &[Value]) -> Vec<Value> {
    let mut joined: Vec<(String, String)> = Vec::new();
    for event in events {
        let [kind, data] = [&event[0], &event[1]].map(|value| value.as_str().unwrap());
        match joined.last_mut() {
            _ if kind != "message" && data.is_empty() => {}
            Some(last) if last.0 == kind && kind != "message" => last.1 += data,
            _ => joined.push((kind.to_owned(), data.to_owned())),
        }
    }
    joined.iter().map(|(kind, data)| json!([kind, data])).collect()
}

fn ask_supervisor(cases: &[Case]) -> Vec<Value> {
    let python = std::env::var_os("PROVOST_ORACLE_PYTHON").expect(
        "PROVOST_ORACLE_PYTHON must name a Python with supervisor 4.3.0 installed; \
         `make test` makes one and sets it",
    );
    let input: Vec<Value> = cases
        .iter()
        .map(|case| json!([case.settings.strip_ansi, case.settings.capture, texts(&case.reads)]))
        .collect();
    let mut oracle = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/logs/filter/oracle.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("PROVOST_ORACLE_PYTHON can be run");
    // It reads everything before it writes anything.
    let mut stdin = oracle.stdin.take().unwrap();
    stdin.write_all(json!(input).to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = oracle.wait_with_output().unwrap();
    assert!(output.status.success(), "the oracle failed; see above");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn texts(reads: &[Vec<u8>]) -> Vec<String> {
    reads.iter().map(|read| text(read)).collect()
}

/// A character for each byte.
fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
