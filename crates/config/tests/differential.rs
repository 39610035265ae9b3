//! Every case, read by Supervisor 4.3.0 itself and by us: the same values, or the same refusal.
//!
//! `PROVOST_ORACLE_PYTHON` names a Python that has Supervisor 4.3.0 installed; the
//! Makefile sets it. A case in which we differ on purpose says so in its first
//! line, `; differs: WHY`, and then has to differ.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn supervisor_reads_every_case_as_we_do() {
    let names = common::case_names();
    let oracle = ask_supervisor(&names);
    let machine = common::machine();
    let mut wrong = Vec::new();
    for name in &names {
        let read = common::read(name, &machine);
        let ours = match read.config {
            Ok(config) => common::dump(&config, &read.ctl),
            Err(errors) => format!("refused\n{}\n", errors.first().as_supervisor_says()),
        };
        let theirs = &oracle[name];
        let conf = &machine.files[Path::new(&format!("/cases/{name}.conf"))];
        let on_purpose = conf.starts_with(b"; differs: ");
        let same = comparable(&ours) == comparable(theirs);
        if same && on_purpose {
            wrong.push(format!("{name}: says that it differs, and does not"));
        } else if !same && !on_purpose {
            wrong.push(format!("{name}\n{}", difference(theirs, &ours)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The answers by case.
fn ask_supervisor(names: &[String]) -> BTreeMap<String, String> {
    let dir = common::cases_dir();
    #[expect(clippy::disallowed_methods, reason = "which oracle to ask is for the caller to say")]
    let python = std::env::var_os("PROVOST_ORACLE_PYTHON").expect(
        "PROVOST_ORACLE_PYTHON must name a Python with supervisor 4.3.0 installed; \
         `make test` makes one and sets it",
    );
    #[expect(clippy::disallowed_types, reason = "the oracle is another program")]
    let output = std::process::Command::new(python)
        .arg(dir.with_file_name("oracle.py"))
        .arg(&dir)
        .args(names.iter().map(|name| format!("{name}.conf")))
        .env_clear()
        .envs(common::VARIABLES)
        .output()
        .expect("PROVOST_ORACLE_PYTHON can be run");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the oracle failed: {complaint}");
    let text = String::from_utf8(output.stdout).expect("it prints UTF-8");
    let text = text.replace(&*dir.to_string_lossy(), "/cases");
    let answers: BTreeMap<String, String> = text
        .split("== ")
        .filter_map(|part| part.split_once(".conf\n"))
        .map(|(name, answer)| (name.to_owned(), answer.to_owned()))
        .collect();
    assert_eq!(answers.len(), names.len(), "the oracle must answer every case");
    answers
}

/// Without the list of names that could have been used, which we shorten on purpose.
fn comparable(answer: &str) -> &str {
    answer.split("Available names: ").next().unwrap_or(answer).trim_end()
}

fn difference(theirs: &str, ours: &str) -> String {
    let missing = theirs.lines().filter(|line| !ours.lines().any(|other| other == *line));
    let added = ours.lines().filter(|line| !theirs.lines().any(|other| other == *line));
    let lines: Vec<String> = missing
        .map(|line| format!("  supervisor: {line}"))
        .chain(added.map(|line| format!("  ours:       {line}")))
        .collect();
    if lines.is_empty() { format!("same lines in another order:\n{ours}") } else { lines.join("\n") }
}
