//! Every `cases/NAME.conf` means what `NAME.dump` says, or is refused as `NAME.errors` says.
//!
//! `NAME.advice` holds what is worth advice; without the file there is none. When
//! a change is meant, `PROVOST_BLESS=1` writes the files anew: read the difference.

mod common;

use std::path::PathBuf;

use provost_config::MemoryFiles;

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

/// The three files that may lie beside a case, and what should be in them.
fn told(name: &str, machine: &MemoryFiles) -> [(&'static str, Option<String>); 3] {
    let (dump, errors, advice) = match common::read(name, machine) {
        Ok(config) => {
            let advice: String = config.advice.iter().map(|advice| format!("{advice}\n")).collect();
            (Some(common::dump(&config)), None, (!advice.is_empty()).then_some(advice))
        }
        Err(errors) => (None, Some(format!("{errors}\n")), None),
    };
    [("dump", dump), ("errors", errors), ("advice", advice)]
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
