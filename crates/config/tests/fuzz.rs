//! The bodies of the fuzz targets on seeds and some thousand mutations of them.
//!
//! The mutations are the same in every run. What the fuzzer itself finds belongs
//! into `cases/`, where it becomes a seed.

use std::path::Path;

#[path = "../../../fuzz/bodies.rs"]
mod bodies;

#[test]
fn whole_files() {
    let seeds = files();
    seeds.iter().for_each(|seed| bodies::parser(seed));
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
    seeds.iter().for_each(|seed| bodies::expansion(seed));
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
    seeds.iter().for_each(|seed| bodies::environment(seed));
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

fn mutate(seeds: &[Vec<u8>], words: &[&str], rounds: usize, body: fn(&[u8])) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..rounds {
        let mut input = seeds[round % seeds.len()].clone();
        for _ in 0..=dice.below(5) {
            change(&mut input, seeds, words, &mut dice);
        }
        // A panic names no input by itself.
        let shown = input.clone();
        if std::panic::catch_unwind(|| body(&input)).is_err() {
            panic!("in round {round}, on {:?}", String::from_utf8_lossy(&shown));
        }
    }
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&str], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let end = (at + dice.below(20)).min(input.len());
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
        _ => drop(input.splice(at..at, words[dice.below(words.len())].bytes())),
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
