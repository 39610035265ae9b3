//! The bodies of the fuzz targets on seeds and some thousand mutations of them.
//!
//! The mutations are the same in every run. What the fuzzer itself finds belongs
//! into `cases/`, where it becomes a seed.

use std::path::Path;

#[path = "../../../fuzz/bodies.rs"]
mod bodies;
#[path = "../../../fuzz/mutations.rs"]
mod mutations;

use mutations::mutate;

#[test]
fn whole_files() {
    let seeds = files();
    let words = [
        "[program:x]",
        "\n",
        "=",
        "%(",
        ")s",
        "%%",
        "\"",
        "'",
        " ;",
        "[include]\nfiles=conf.d/*\n",
        "\u{feff}",
        "numprocs=30\n",
        "\n  ",
        "environment=",
        "[group:g]\nprograms=x,x\n",
        "startretries=infinite\n",
        "maxbackoff=0.",
        "backoffjitter=1\n",
        "startlimit=5/",
        "exit_on=all_exited\n",
        "leftovers=adopt\n",
        "stdout_logfile=",
        ", /dev/stdout",
        ", @tcp:[",
        ",syslog ",
        "stderr_logfile_format=",
        "%(message)s",
        "stdout_syslog_address=@udp:",
        "logfile_mkdir=true\n",
    ];
    mutate(&seeds, &words, 4000, bodies::parser);
}

#[test]
fn expansions() {
    let seeds = [
        "%(here)s/%(process_num)02d",
        "%%%(ENV_X)-5.3r|%(é)c",
        "%(process_num)#+ 0x%(here)%s",
        "%(a(b)c)s %d",
    ];
    let seeds: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.as_bytes().to_owned()).collect();
    let words = [
        "%(here)",
        "%(process_num)",
        "999999",
        ".",
        "*",
        "s",
        "d",
        "i",
        "u",
        "x",
        "X",
        "o",
        "e",
        "E",
        "f",
        "g",
        "r",
        "c",
        "a",
        "%",
        "0",
        "-",
        "+",
        "#",
        " ",
        "l",
    ];
    mutate(&seeds, &words, 60_000, bodies::expansion);
}

#[test]
fn environments() {
    let seeds = ["A=1,B=\"x, y\",C='z'", r#"A="say \"hi\"",B=2"#, "A=a b;B=#c\nD=$X", "A = \"\" ,\n B = é,"];
    let seeds: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.as_bytes().to_owned()).collect();
    let words = ["=", ",", "\"", "'", "\\", "#", " ", "\n", "A", "\u{85}", "$", "A=1", "é"];
    mutate(&seeds, &words, 60_000, bodies::environment);
}

/// All cases.
#[expect(
    clippy::disallowed_methods,
    reason = "the cases lie on the disk; the crate is pure, its tests are not"
)]
fn files() -> Vec<Vec<u8>> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(cases).expect("the cases can be listed") {
        let path = entry.expect("the cases can be listed").path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            let content = std::fs::read(&path).expect("a case can be read");
            found.push((path, content));
        }
    }
    // The same order everywhere, and nothing that only takes long.
    found.sort();
    found.into_iter().map(|(_, content)| content).filter(|content| content.len() < 8000).collect()
}
