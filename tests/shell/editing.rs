//! Keys at the prompt: editing, history, Tab.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use provost_testkit::{Implementation, Pty};

use crate::{PROMPT, UP, daemon, file, shell};

#[test]
fn a_shell_shows_the_status_and_then_asks() {
    let daemon = daemon();
    for implementation in [Implementation::ours(), Implementation::supervisor_4_3()] {
        let mut shell = Pty::start(&daemon.ctl_command(&implementation, &[]));
        let shown = shell.wait_for(PROMPT);
        assert!(shown.contains("cat                              RUNNING   pid "), "{shown}");
        assert!(shown.contains("web                              STOPPED   Not started\r\n"), "{shown}");
        shell.types("frobnicate\r");
        shell.wait_for("*** Unknown syntax: frobnicate\r\n");
        shell.types("?version\r");
        shell.wait_for("version");
        shell.wait_for(PROMPT);
        shell.types("help\r");
        shell.wait_for("default commands (type help <topic>):\r\n");
        shell.wait_for(PROMPT);
        shell.types("\r");
        shell.wait_for(PROMPT);
        shell.types("quit\r");
        assert_eq!(shell.wait_for_end().code(), Some(0));
    }
}

#[test]
fn a_line_is_mended_before_it_is_sent() {
    let daemon = daemon();
    let mut shell = shell(&daemon);
    // Begin, end, a word killed and yanked again, a letter deleted, two exchanged.
    shell.types("cat\x01pd \x02\x02i\x05x\x08\r");
    shell.wait_for("pid cat");
    shell.wait_for(PROMPT);
    shell.types("cat pid\x17\x01\x19 \r");
    shell.wait_for("pid cat");
    let pid = shell.wait_for(PROMPT);
    assert!(pid.trim().lines().any(|line| line.trim().parse::<u32>().is_ok()), "{pid:?}");
    // Letters of several bytes go as wholes.
    shell.types("häß\x7f\x7f\x7f\x7fpid nöd\r");
    shell.wait_for("No such process nöd\r\n");
}

#[test]
fn earlier_lines_come_back() {
    let daemon = daemon();
    let mut shell = shell(&daemon);
    shell.types("pid cat\r");
    shell.wait_for(PROMPT);
    shell.types("avail\r");
    shell.wait_for("in use");
    shell.wait_for(PROMPT);
    shell.types(&format!("{UP}{UP}"));
    shell.wait_for_last_line("supervisor> pid cat");
    shell.types("\x1b[B");
    shell.wait_for_last_line("supervisor> avail");
    shell.types("\x15\x12pid c");
    shell.wait_for_last_line("(reverse-i-search)`pid c': pid cat");
    shell.types("\r");
    shell.wait_for(PROMPT);
}

#[test]
fn a_history_is_kept_for_later_and_for_both_clients() {
    let daemon = daemon();
    let kept = file(&daemon, "history");
    let theirs = || {
        let mut shell = Pty::start(&daemon.ctl_command(&Implementation::supervisor_4_3(), &[]));
        shell.wait_for(PROMPT);
        shell
    };
    let mut first = theirs();
    first.types("pid cat\r");
    first.wait_for(PROMPT);
    first.types("quit\r");
    assert_eq!(first.wait_for_end().code(), Some(0));
    assert!(fs::read_to_string(&kept).unwrap().starts_with("pid cat\n"));

    let mut one = shell(&daemon);
    let mut other = shell(&daemon);
    one.types(&format!("{UP}{UP}"));
    one.wait_for_last_line("supervisor> pid cat");
    one.types("\x15version\r");
    one.wait_for(PROMPT);
    other.types("open http://jo:secret@127.0.0.1:1\r");
    other.wait_for(PROMPT);
    other.types("avail\r");
    other.wait_for(PROMPT);
    // Even of one that is killed.
    drop(other);
    one.types("quit\r");
    assert_eq!(one.wait_for_end().code(), Some(0));
    assert_eq!(fs::read_to_string(&kept).unwrap(), "pid cat\nquit\nversion\navail\nquit\n");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);

    let mut last = theirs();
    last.types(&format!("{UP}{UP}"));
    last.wait_for_last_line("supervisor> avail");
}

#[test]
fn tab_completes_actions_names_and_groups() {
    let daemon = daemon();
    let mut shell = shell(&daemon);
    for (typed, shown) in [
        ("res\t", "supervisor> restart"),
        ("pid c\t", "supervisor> pid cat"),
        ("start work:\t\x08\t1\t", "supervisor> start work:1"),
        ("update wo\t", "supervisor> update work"),
        ("signal US\t1 w\x08cat\t", "supervisor> signal USR1 cat"),
        ("tail -f cat stde\t", "supervisor> tail -f cat stderr"),
        ("help ver\t", "supervisor> help version"),
        ("status --js\t", "supervisor> status --json"),
        ("start nosuch\t", "supervisor> start nosuch"),
    ] {
        shell.types(typed);
        shell.wait_for_last_line(shown);
        shell.types("\x15");
        shell.wait_for_last_line("supervisor>");
    }
    shell.types("start \t\t");
    shell.wait_for("work:*");
    shell.wait_for_last_line("supervisor> start");
    let screen = shell.screen().join(" ");
    for name in ["cat", "web", "work:0", "work:1", "work:*"] {
        assert!(screen.contains(name), "{screen}");
    }
    // A completed line is a line.
    shell.types("we\t\r");
    shell.wait_for("web: started\r\n");
}

#[test]
fn in_a_narrow_window_lines_wrap_and_stay_whole() {
    let daemon = daemon();
    let mut shell = Pty::with_columns(&daemon.ctl_command(&Implementation::ours(), &[]), 40);
    shell.wait_for(PROMPT);
    let names = "aaaaaaaaaa bbbbbbbbbb cccccccccc dddddddddd";
    shell.types(&format!("pid {names}\x01\x1b[3~\x1b[3~\x1b[3~stat\x05 eee"));
    shell.wait_for_last_line("ccccccccc dddddddddd eee");
    let screen = shell.screen();
    let begins = screen.iter().rposition(|line| line.starts_with(PROMPT)).unwrap();
    assert_eq!(
        screen[begins..begins + 2],
        ["supervisor> stat aaaaaaaaaa bbbbbbbbbb c", "ccccccccc dddddddddd eee"].map(str::to_owned)
    );
    shell.types("\x15pid cat\r");
    shell.wait_for(PROMPT);
}

#[test]
fn what_is_pasted_is_run_line_by_line_and_only_when_confirmed() {
    let daemon = daemon();
    let mut shell = shell(&daemon);
    shell.types("\x1b[200~version\npid nosuch\x1b[201~");
    shell.wait_for_last_line("pid nosuch");
    assert!(!shell.all().contains("No such process"));
    shell.types("\r");
    shell.wait_for("No such process nosuch\r\n");
    shell.wait_for(PROMPT);
    // Without the marks of a paste each line is a line.
    shell.types("pid one\rpid two\r");
    shell.wait_for("No such process one\r\n");
    shell.wait_for("No such process two\r\n");
}

#[test]
fn a_terminal_that_cannot_be_edited_on_is_read_line_by_line() {
    let daemon = daemon();
    let mut command = daemon.ctl_command(&Implementation::ours(), &[]);
    command.env("TERM", "dumb");
    let mut shell = Pty::start(&command);
    shell.wait_for(PROMPT);
    assert!(shell.echoes());
    shell.types("pid nosuch\n");
    shell.wait_for("No such process nosuch\r\n");
    shell.wait_for(PROMPT);
    shell.types("\x04");
    assert_eq!(shell.wait_for_end().code(), Some(0));
    assert!(!shell.all().contains('\x1b'), "{:?}", shell.all());
}
