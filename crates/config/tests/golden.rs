//! Every `cases/NAME.conf` means what `NAME.dump` says, or is refused as `NAME.errors` says.
//!
//! `NAME.json` holds the document of `--check --json`, for a few. `NAME.advice` holds what is worth advice; without the file there is none. When
//! a change is meant, `PROVOST_BLESS=1` writes the files anew: read the difference.

mod common;

use std::path::PathBuf;

use provost_config::{MemoryFiles, effective};

#[test]
fn every_case_means_what_was_written_down() {
    let machine = common::machine();
    let mut wrong = Vec::new();
    for name in common::case_names() {
        for (extension, now) in told(&name, &machine) {
            let file = common::cases_dir().join(format!("{name}.{extension}"));
            if blessing() {
                write(&file, now.as_deref());
            }
            let before = read(&file);
            if before != now {
                wrong.push(format!(
                    "{}\n--- written down\n{}--- now\n{}",
                    file.display(),
                    before.unwrap_or_default(),
                    now.unwrap_or_default()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Cases whose document of `--check --json` is written down too: each member of it is in one of them.
const JSON: [&str; 6] =
    ["everything", "error-near", "logging", "policies", "real-fcgi-unix", "real-unknown-things"];

/// The files that may lie beside a case, and what should be in them.
fn told(name: &str, machine: &MemoryFiles) -> [(&'static str, Option<String>); 4] {
    let read = common::read(name, machine);
    let json = JSON.contains(&name).then(|| format!("{}\n", effective(&read.config, &read.ctl)));
    let (dump, errors, advice) = match &read.config {
        Ok(config) => {
            let advice: String = config.advice.iter().map(|advice| format!("{advice}\n")).collect();
            (Some(common::dump(config, &read.ctl)), None, (!advice.is_empty()).then_some(advice))
        }
        Err(errors) => (None, Some(format!("{}\n", errors.for_people())), None),
    };
    [("dump", dump), ("errors", errors), ("advice", advice), ("json", json)]
}

#[expect(clippy::disallowed_methods, reason = "a switch for people; the crate is pure, its tests are not")]
fn blessing() -> bool {
    std::env::var_os("PROVOST_BLESS").is_some()
}

#[expect(clippy::disallowed_methods, reason = "golden files lie on the disk")]
fn read(file: &PathBuf) -> Option<String> {
    std::fs::read_to_string(file).ok()
}

#[expect(clippy::disallowed_methods, reason = "golden files lie on the disk")]
fn write(file: &PathBuf, content: Option<&str>) {
    match content {
        Some(content) => std::fs::write(file, content).expect("a golden file can be written"),
        None if file.is_file() => std::fs::remove_file(file).expect("a golden file can be removed"),
        None => {}
    }
}
