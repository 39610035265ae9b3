//! Makes two runs comparable: what differs between any two runs of the same
//! program becomes a word in capitals.
//!
//! In: a line of a log or of supervisorctl, and the sandbox's path. Out: the
//! line with DIR, TIME, PID, UPTIME and DATE in it. Everything else stays as it
//! is, and a zero is never taken for a pid.

/// A line that supervisorctl printed.
pub(crate) fn ctl_line(line: &str, directory: &str) -> String {
    let line = line.replace(directory, "DIR");
    if is_number(&line) && line != "0" {
        return "PID".into();
    }
    if split_time(&line).is_some() {
        return log_line(&line, directory); // maintail shows the main log
    }
    let line = number_after(&line, "pid ", "PID");
    let line = number_after(&line, "pipe:[", "INODE");
    date(&uptime(&line))
}

/// A line of the main log; one without a time is the continuation of another.
pub(crate) fn log_line(line: &str, directory: &str) -> String {
    let line = line.replace(directory, "DIR");
    let line = match split_time(&line) {
        Some(rest) => format!("TIME{rest}"),
        None => line,
    };
    let line = number_after(&line, "pid ", "PID");
    // killing 'x' (123) with SIGKILL
    number_after(&line, "' (", "PID")
}

/// What follows `2026-11-22 13:21:48,959`.
fn split_time(line: &str) -> Option<&str> {
    const SHAPE: &str = "0000-00-00 00:00:00,000";
    let (time, rest) = line.split_at_checked(SHAPE.len())?;
    let fits = time.bytes().zip(SHAPE.bytes()).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        _ => byte == shape,
    });
    fits.then_some(rest)
}

/// Puts `word` in the place of every positive number that follows `before`.
fn number_after(line: &str, before: &str, word: &str) -> String {
    let mut result = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(before) {
        let (head, tail) = rest.split_at(at + before.len());
        let digits = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = tail.split_at(digits);
        result.push_str(head);
        result.push_str(if number.is_empty() || number == "0" { number } else { word });
        rest = tail;
    }
    result + rest
}

/// `uptime 0:00:07` at the end of a line, and days before it.
fn uptime(line: &str) -> String {
    match line.rsplit_once("uptime ") {
        Some((head, time)) if time.contains(':') => format!("{head}uptime UPTIME"),
        _ => line.to_owned(),
    }
}

/// `Nov 22 01:21 PM` at the end of a status line.
fn date(line: &str) -> String {
    const SHAPE: &str = "Aaa 00 00:00 AM";
    let Some(at) = line.len().checked_sub(SHAPE.len()) else { return line.to_owned() };
    let Some((head, date)) = line.split_at_checked(at) else { return line.to_owned() };
    let fits = date.bytes().zip(SHAPE.bytes()).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'A' | b'M' => byte.is_ascii_uppercase(),
        b'a' => byte.is_ascii_lowercase(),
        _ => byte == shape,
    });
    if fits { format!("{head}DATE") } else { line.to_owned() }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[test]
fn what_differs_between_runs_is_made_equal_and_nothing_else() {
    let ctl = |line| ctl_line(line, "/tmp/x-1");
    assert_eq!(
        ctl("a                                RUNNING   pid 4920, uptime 0:00:02"),
        "a                                RUNNING   pid PID, uptime UPTIME"
    );
    assert_eq!(ctl("a    STOPPED   Nov 22 01:21 PM"), "a    STOPPED   DATE");
    assert_eq!(ctl("a    STOPPED   Not started"), "a    STOPPED   Not started");
    assert_eq!([ctl("4711"), ctl("0"), ctl("line 12")], ["PID", "0", "line 12"]);
    assert_eq!(ctl("1 pipe:[4711]"), "1 pipe:[INODE]");
    assert_eq!(ctl("/tmp/x-1/s.sock refused connection"), "DIR/s.sock refused connection");

    let log = |line| log_line(line, "/tmp/x-1");
    assert_eq!(
        log("2026-11-22 13:21:49,965 INFO spawned: 'a' with pid 4920"),
        "TIME INFO spawned: 'a' with pid PID"
    );
    assert_eq!(
        log("2026-11-22 13:21:49,965 WARN killing 'a' (4920) with SIGKILL"),
        "TIME WARN killing 'a' (PID) with SIGKILL"
    );
    assert_eq!(log("exited: a (exit status 3; expected)"), "exited: a (exit status 3; expected)");
}
