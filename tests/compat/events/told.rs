//! What a listener was told, as text that can be read and compared.
//!
//! In: the file that a listener has written, and whom the pids belong to. Out: its lines, a header and its payload in two of
//! them. A pid becomes the number of its child among those of its process, `#1` and so on, `len` what it would be with that,
//! and the time of a tick what it is after the first. Anything else stays to the byte.

use std::collections::HashMap;

/// Which child of a process a pid is, by the names that the main log has for them.
#[derive(Debug, Default)]
pub(super) struct Children(HashMap<(String, i32), usize>);

impl Children {
    pub(super) fn of(log: &[String]) -> Children {
        let (mut children, mut counts) = (HashMap::new(), HashMap::new());
        for line in log {
            let Some((_, spawned)) = line.split_once(" INFO spawned: '") else { continue };
            let (name, pid) = spawned.split_once("' with pid ").expect("it says who was spawned");
            let count = counts.entry(name.to_owned()).or_insert(0);
            *count += 1;
            children.insert((name.to_owned(), pid.parse().expect("a pid is a number")), *count);
        }
        Children(children)
    }

    fn ordinal(&self, name: &str, pid: i32) -> String {
        match self.0.get(&(name.to_owned(), pid)) {
            _ if pid == 0 => "0".to_owned(),
            Some(number) => format!("#{number}"),
            None => panic!("{name} never had a child with pid {pid}"),
        }
    }
}

/// The lines of a listener's file.
pub(super) fn shown(lines: &[String], children: &Children) -> Vec<String> {
    let mut first_tick = None;
    lines.iter().flat_map(|line| one(line, children, &mut first_tick)).collect()
}

fn one(line: &str, children: &Children, first_tick: &mut Option<u64>) -> Vec<String> {
    let parts: Vec<&str> = line.split('\t').collect();
    let &["told", header, payload, behind] = parts.as_slice() else { return vec![line.to_owned()] };
    let same = |payload: String| if payload.is_empty() { "|".to_owned() } else { format!("| {payload}") };
    let shown = if header.contains(" eventname:TICK_") {
        with_ticks(payload, first_tick)
    } else {
        with_ordinal(payload, children)
    };
    let (start, length) = header.rsplit_once(" len:").expect("a header ends with the length");
    let length: usize = length.parse().expect("a length is a number");
    // What was put in its place is ASCII, too.
    let length = (length + shown.len()).checked_sub(payload.len()).expect("a payload is as long as its pid");
    let mut lines = vec![format!("{start} len:{length}"), same(short(&shown))];
    if !behind.is_empty() {
        lines.push(format!("+ {behind}"));
    }
    lines
}

/// The pid stands in the first line, behind the name; what follows it a program may have written.
fn with_ordinal(payload: &str, children: &Children) -> String {
    let end = payload.find("\\n").unwrap_or(payload.len());
    let (first, rest) = payload.split_at(end);
    let Some((before, tail)) = first.split_once(" pid:") else { return payload.to_owned() };
    let name = before.strip_prefix("processname:").and_then(|rest| rest.split(' ').next());
    let digits = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (pid, tail) = tail.split_at(digits);
    let pid = pid.parse().expect("a pid is a number");
    format!("{before} pid:{}{tail}{rest}", children.ordinal(name.expect("it is somebody's pid"), pid))
}

fn with_ticks(payload: &str, first: &mut Option<u64>) -> String {
    let when = payload.strip_prefix("when:").and_then(|when| when.parse().ok());
    let when: u64 = when.unwrap_or_else(|| panic!("a tick says {payload:?}"));
    assert!(when.is_multiple_of(5) && when > 1_700_000_000, "{when} is no time of a tick");
    format!("when:T+{}", when - *first.get_or_insert(when))
}

/// The beginning of what is too long to be read, and a number that another text will not have; its length is in the header.
fn short(text: &str) -> String {
    const MOST: usize = 300;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let start: String = text.chars().take(60).collect();
    let sum = text.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("{start}… and so on: {sum:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str]) -> Vec<String> {
        let log = ["T INFO spawned: 'x' with pid 123", "T INFO spawned: 'x' with pid 4567"];
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        shown(&lines, &Children::of(&log.map(str::to_owned)))
    }

    #[test]
    fn a_pid_becomes_the_number_of_the_child_and_the_length_follows() {
        let seen = told(&[
            "begins",
            "told\tver:3.0 len:26\tprocessname:x pid:4567 more\t",
            "told\tver:3.0 len:3\ta\\nb\t\\xc3",
            "told\tver:3.0 len:30\tprocessname:x pid:123\\nand pid:9\t",
            "told\tver:3.0 len:19\tprocessname:x pid:0\t",
        ]);
        let expected = [
            "begins",
            "ver:3.0 len:24",
            "| processname:x pid:#2 more",
            "ver:3.0 len:3",
            "| a\\nb",
            "+ \\xc3",
            "ver:3.0 len:29",
            "| processname:x pid:#1\\nand pid:9",
            "ver:3.0 len:19",
            "| processname:x pid:0",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn ticks_count_from_the_first() {
        let seen = told(&[
            "told\tv eventname:TICK_5 len:15\twhen:1795344765\t",
            "told\tv eventname:TICK_5 len:15\twhen:1795344770\t",
        ]);
        assert_eq!(seen[1], "| when:T+0");
        assert_eq!(seen[3], "| when:T+5");
    }

    #[test]
    #[should_panic(expected = "never had a child with pid 77")]
    fn a_pid_that_nobody_had_is_noticed() {
        told(&["told\tver:3.0 len:20\tprocessname:x pid:77\t"]);
    }
}
