//! What is on the page, for whom, and that nobody's name gets out of its place.

use super::*;
use provost_core::{ExitStatus, Wall};

const ALL: May = May { start: true, stop: true, restart: true, clear: true, logs: true, main_log: true };

fn process(group: &str, name: &str, state: State) -> ProcessInfo {
    ProcessInfo {
        name: name.into(),
        group: group.into(),
        state,
        pid: (state == State::Running).then_some(7),
        start: Some(Wall(0)),
        stop: None,
        now: Wall(61_000),
        spawnerr: None,
        exit: None,
        restarts: 0,
        stdout_logfile: None,
        stderr_logfile: None,
    }
}

fn page_of(infos: &[ProcessInfo], may: May, query: &str) -> String {
    let site = Site { identifier: "supervisor", version: "1", user: None };
    let filter = Filter::of(&Form::new(query, b""));
    let troubles = Troubles::default();
    page(site, infos, View { may, token: "T0", version: "1-1", filter: &filter, troubles: &troubles }, None)
}

/// The words on the buttons and links of the row that is about a program.
fn offered(page: &str, name: &str) -> Vec<String> {
    let row = page.split("<tr class=\"process\"").find(|row| row.contains(&format!("data-name=\"{name}\"")));
    let actions = row.unwrap().split("<td class=\"action\">").nth(1).unwrap().split("</td>").next().unwrap();
    let ends = actions.split("</").filter_map(|piece| piece.rsplit_once('>'));
    ends.map(|(_, word)| word.to_owned()).filter(|word| !word.is_empty()).collect()
}

#[test]
fn a_row_offers_what_the_state_allows() {
    for (state, expected) in [
        (State::Running, &["Restart", "Stop", "Clear Log", "Stdout", "Stderr"][..]),
        (State::Starting, &["Stop", "Clear Log", "Stdout", "Stderr"]),
        (State::Backoff, &["Stop", "Clear Log", "Stdout", "Stderr"]),
        (State::Fatal, &["Start", "Clear Log", "Stdout", "Stderr"]),
        (State::Exited, &["Start", "Clear Log", "Stdout", "Stderr"]),
        (State::Stopping, &["Clear Log", "Stdout", "Stderr"]),
    ] {
        let page = page_of(&[process("a", "a", state)], ALL, "");
        assert_eq!(offered(&page, "a"), expected, "{state:?}");
    }
}

#[test]
fn each_button_comes_with_its_right() {
    let infos = [process("g", "a", State::Running), process("g", "b", State::Stopped)];
    let none = page_of(&infos, May::default(), "");
    assert_eq!(none.matches("formaction").count(), 0, "{none}");
    assert!(!none.contains("tail.html") && !none.contains("mainlog.html"), "{none}");
    for (may, expected) in [
        (May { start: true, ..May::default() }, &["start"][..]),
        (May { stop: true, ..May::default() }, &["stop"]),
        (May { restart: true, ..May::default() }, &["restart"]),
        (May { clear: true, ..May::default() }, &["clearlog"]),
    ] {
        let page = page_of(&infos, may, "");
        let mut actions: Vec<&str> =
            page.split("data-action=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        actions.sort_unstable();
        actions.dedup();
        let all = format!("{}all", expected[0]);
        actions.retain(|action| *action != all);
        assert_eq!(actions, expected, "{may:?}");
    }
}

#[test]
fn the_classes_and_words_of_supervisors_page_are_there() {
    let infos = [
        process("a", "a", State::Running),
        process("b", "b", State::Fatal),
        process("c", "c", State::Stopped),
    ];
    let page = page_of(&infos, ALL, "");
    for expected in [
        "<span class=\"statusrunning\">running</span>",
        "<span class=\"statuserror\">fatal</span>",
        "<span class=\"statusnominal\">stopped</span>",
        "pid 7, uptime 0:01:01",
        "index.html?action=restart&amp;processname=a\"",
        "tail.html?processname=a\"",
        "name=\"token\" value=\"T0\"",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert!(page_of(&[], ALL, "").contains("No programs to manage"));
}

#[test]
fn nobodys_name_gets_out_of_its_place() {
    let hostile = "\"><script>alert(1)</script>&amp;'\u{202e}";
    let error = Some(format!("<img src=x onerror=alert(1)>{hostile}"));
    let infos = [
        ProcessInfo { spawnerr: error, ..process(hostile, hostile, State::Fatal) },
        process("g", hostile, State::Running),
    ];
    let page = page_of(&infos, ALL, "q=%22%3E%3Cscript%3E&state=%22%3E");
    assert_eq!(page.matches("<script").count(), 1, "our own: {page}");
    assert!(!page.contains("<img") && !page.contains('\u{202e}'), "{page}");
    // Every tag is one of ours: no attribute has been ended by what was in it.
    for tag in page.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        assert!(!tag.contains("onerror"), "{tag}");
    }
}

#[test]
fn the_filter_hides_what_does_not_fit() {
    let ended = ProcessInfo {
        spawnerr: Some("Bad exit code 3".into()),
        exit: Some(ExitStatus::Code(3)),
        ..process("jobs", "night", State::Exited)
    };
    let infos = [ended, process("web", "one", State::Running), process("web", "two", State::Stopped)];
    let seen = |query: &str| {
        let page = page_of(&infos, ALL, query);
        let rows =
            page.split("<tr class=\"process\"").skip(1).map(|row| row.split('>').next().unwrap().to_owned());
        let rows: Vec<String> = rows.filter(|row| !row.contains(" hidden")).collect();
        let nothing = page.contains("<p id=\"nothing\">");
        assert_eq!(nothing, rows.is_empty());
        rows.iter().map(|row| row.split('"').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(seen(""), ["jobs%3Anight", "web%3Aone", "web%3Atwo"]);
    assert_eq!(seen("q=WEB"), ["web%3Aone", "web%3Atwo"]);
    assert_eq!(seen("state=running"), ["web%3Aone"]);
    assert_eq!(seen("state=down&q=web"), ["web%3Atwo"]);
    assert_eq!(seen("state=failed"), ["jobs%3Anight"]);
    assert_eq!(seen("state=nonsense&q=x"), Vec::<String>::new());
    assert_eq!(Filter::of(&Form::new("q=a%20b&state=down", b"")).query(), "&q=a%20b&state=down");
}
