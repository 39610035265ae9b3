//! What holds for any input at all: the bodies of the fuzz targets.
//!
//! In: bytes. Out: nothing, or a panic. The targets in `fuzz_targets/` run them
//! for as long as one likes, and crates/config/tests/fuzz.rs on a fixed set of
//! inputs in every `cargo test`.

use std::path::Path;

use provost_config::expand::{Scope, expand};
use provost_config::{CliOverrides, Error, Lenient, MemoryFiles, effective, environment, load, load_ctl};

/// A file, and an included one, that consist of these bytes.
pub(crate) fn parser(bytes: &[u8]) {
    let mut machine = MemoryFiles::with("/etc/s.conf", "");
    machine.add("/etc/conf.d/more.conf", "[program:more]\ncommand=x\n");
    machine.files.insert("/etc/s.conf".into(), bytes.to_owned());
    let files = Lenient::new(&machine);
    let path = Path::new("/etc/s.conf");
    let config = load(path, &CliOverrides::default(), &files);
    let ctl = load_ctl(path, &files);
    for errors in [config.as_ref().err(), ctl.as_ref().err()].into_iter().flatten() {
        errors.iter().for_each(assert_placed);
        errors.advice().for_each(|advice| assert!(advice.line.is_some(), "{advice}"));
    }
    for advice in config.iter().flat_map(|config| &config.advice) {
        assert!(advice.line.is_some(), "{advice}");
    }
    if let Ok(config) = &config {
        let processes: usize = config.groups.iter().map(|group| group.processes.len()).sum();
        // The document of a large configuration takes longer than it teaches.
        if processes > 1000 {
            return;
        }
    }
    assert!(effective(&config, &ctl).to_string().ends_with('}'));
}

/// A value with names that are known and unknown, texts and numbers.
pub(crate) fn expansion(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let outer = Scope::default().text("here", "/etc").text("ENV_X", "100%");
    let scope = Scope::within(&outer).integer("process_num", -7).text("é", "ä\u{10ffff}");
    match expand(&text, &scope, "s.key") {
        Ok(expanded) => assert!(expanded.len() <= 2 << 20, "{} bytes", expanded.len()),
        Err(message) => assert!(message.starts_with("Format string "), "{message}"),
    }
}

/// A value of `environment=`.
pub(crate) fn environment(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(read) = environment::parse(&text) {
        let size: usize = read.pairs.iter().map(|(key, value)| key.len() + value.len()).sum();
        assert!(size <= text.len(), "{size} bytes out of {}", text.len());
        assert!(read.losses.len() <= text.len());
    }
}

/// Whatever stands in a file is blamed with its line.
fn assert_placed(error: &Error) {
    let nowhere = error.section.is_none() && error.text.starts_with(".ini file does not include");
    assert!(error.line.is_some() != nowhere, "{error:?}");
}
