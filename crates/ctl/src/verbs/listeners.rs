//! `listeners`: the pools of event listeners, what waits for them, and how each listener is.
//!
//! Names and patterns are those of processes; the name of a pool is enough for all of it. Each pool is told of once, in the
//! order of names, whatever the words are. Supervisor has no such verb, and its daemon nothing to tell.

use provost_config::NamePattern;
use provost_wire::FaultCode;

use super::Verb;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::namespec;
use crate::pools::{Pool, pools};
use crate::report::Problem;
use crate::results::error_line;
use crate::session::{Session, exit};
use crate::targets;
use crate::terminal::Terminal;
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "listeners",
        Takes::Processes,
        &[
            ("listeners", "Show all event listeners, and the events that wait for them."),
            ("listeners <name> ...", "Show these pools or listeners, or those that a pattern fits."),
        ],
    )
    .about(
        "A pool is an [eventlistener:x]. Its line has the events that wait for it, how many of these are on disk, for how long the oldest \
         waits, how many were delivered, came back, and were discarded, what becomes of events without room, and what it subscribes to. \
         The line of a listener has its state (ACKNOWLEDGED, READY, BUSY or UNKNOWN), for how long it is in that, how many events it was \
         told, the serial of the one that it has not answered, and what the len of its events counts (bytes or characters). Who is UNKNOWN \
         broke the protocol and gets none: why says what to try.",
    ),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    let Some(all) = pools(session)? else {
        // Supervisor's own knows, and tells nobody.
        let reason = "this supervisord tells nothing of listeners";
        let problem = Problem::new(reason).fault(Some(FaultCode::UnknownMethod));
        session.fail(&error_line(VERB.page.name, reason), &problem, exit::GENERIC);
        return Ok(());
    };
    let names = words.names();
    let shown = if names.is_empty() || names.contains(&"all") {
        if all.is_empty() {
            session.report.say("There are no event listeners.");
        }
        all
    } else {
        pick(session, all, &names)
    };
    let terminal = session.report.terminal;
    let column = column(&shown, terminal);
    for pool in &shown {
        let mut lines = vec![line(&pool.name, "pool", &pool.line(), column, terminal)];
        for one in &pool.listeners {
            let name = namespec::join(&pool.name, &one.process);
            lines.push(line(&name, &one.state, &one.line(), column, terminal));
        }
        session.report.tell_painted(&lines.join("\n"), || pool.object());
    }
    Ok(())
}

/// The pools that the words mean, each with those of its listeners that they mean.
fn pick(session: &mut Session<'_>, mut all: Vec<Pool>, words: &[&str]) -> Vec<Pool> {
    let words: Vec<Meaning<'_>> = words.iter().map(|word| Meaning::of(word, &all)).collect();
    for meaning in words.iter().filter(|meaning| !meaning.is_of_any(&all)) {
        let reason = "no such listener";
        let problem = Problem::of(meaning.word, reason).fault(Some(FaultCode::BadName));
        session.fail(&error_line(meaning.word, reason), &problem, exit::GENERIC);
    }
    all.retain_mut(|pool| {
        let is_meant = |process: Option<&str>| words.iter().any(|meaning| meaning.is_of(&pool.name, process));
        let is_whole = is_meant(None);
        pool.listeners.retain(|one| is_meant(Some(&one.process)));
        is_whole || !pool.listeners.is_empty()
    });
    all
}

/// What a word means: what is called so, or else what fits it.
struct Meaning<'w> {
    word: &'w str,
    pattern: Option<NamePattern>,
}

impl<'w> Meaning<'w> {
    fn of(word: &'w str, all: &[Pool]) -> Meaning<'w> {
        let exactly = Meaning { word: targets::pattern(word).unwrap_or(word), pattern: None };
        if exactly.is_of_any(all) {
            return exactly;
        }
        Meaning { pattern: NamePattern::parse(exactly.word), ..exactly }
    }

    fn is_of_any(&self, all: &[Pool]) -> bool {
        let is_of = |pool: &Pool| {
            self.is_of(&pool.name, None)
                || pool.listeners.iter().any(|one| self.is_of(&pool.name, Some(&one.process)))
        };
        all.iter().any(is_of)
    }

    /// Whether it means a listener of a pool; `None` is the pool itself, which may have no listener at the moment.
    fn is_of(&self, pool: &str, process: Option<&str>) -> bool {
        let spec = namespec::split(self.word);
        // The name of a pool is enough for all of it.
        let is_bare = !self.word.contains(':');
        match &self.pattern {
            None => {
                let is_whole = is_bare || spec.process.is_none();
                pool == spec.group && (is_whole || (process.is_some() && process == spec.process))
            }
            Some(pattern) => {
                let fits = |process| pattern.reaches(pool, process);
                (is_bare && fits(pool)) || process.map_or(!is_bare && fits(""), fits)
            }
        }
    }
}

/// Where the second column begins.
fn column(shown: &[Pool], terminal: Terminal) -> usize {
    let width = |name: &str| terminal.shown(name).chars().count();
    let of_pool = |pool: &Pool| {
        let listeners = pool.listeners.iter().map(|one| width(&namespec::join(&pool.name, &one.process)));
        listeners.chain([width(&pool.name)]).max()
    };
    shown.iter().filter_map(of_pool).max().unwrap_or(0).max(30) + 3
}

fn line(name: &str, state: &str, text: &str, column: usize, terminal: Terminal) -> String {
    let name = terminal.shown(name);
    // As in `status`: colours have no width, and a name may be longer than what `format!` pads.
    let gap = " ".repeat(column.saturating_sub(name.chars().count()));
    let blanks = " ".repeat(14_usize.saturating_sub(state.chars().count()).max(1));
    format!("{name}{gap}{}{blanks}{}", terminal.state(state), terminal.shown(text))
}

#[cfg(test)]
mod tests {
    use crate::fake::Script;
    use crate::pools::tests::{late, listener, pool};
    use provost_wire::{FaultCode, Value};
    use serde_json::json;

    fn two() -> Script {
        let mail = pool("mail", vec![listener("mail", "READY", "")]);
        let log = vec![listener("log_00", "BUSY", "4711"), listener("log_01", "UNKNOWN", "")];
        let log = late(pool("log", log), "3", "61000");
        up(vec![log, mail])
    }

    fn up(pools: Vec<Value>) -> Script {
        Script::default().up().answers("provost.getListeners", pools.into())
    }

    const LOG: &str = "log                              pool          waiting 3, on disk 0, oldest 1 min, delivered 5000000000, \
                       rejected 2, discarded 1, overflow spill, events TICK_60 PROCESS_STATE\n";
    const LOG_00: &str = "log:log_00                       BUSY          pid 42, for 12 s, told 9, event 4711, counts characters\n";
    const LOG_01: &str = "log:log_01                       UNKNOWN       pid 42, for 12 s, told 9, event -, counts characters\n";
    const MAIL: &str = "mail                             pool          waiting 0, on disk 0, oldest -, delivered 5000000000, \
                        rejected 2, discarded 1, overflow spill, events TICK_60 PROCESS_STATE\n\
                        mail                             READY         pid 42, for 12 s, told 9, event -, counts characters\n";

    #[test]
    fn each_pool_and_each_listener_has_a_line() {
        let all = format!("{LOG}{LOG_00}{LOG_01}{MAIL}");
        for line in ["listeners", "listeners all", "listeners '*'", "listeners mail log"] {
            two().run(line).says(&all).exits(0);
        }
        up(vec![]).run("listeners").says("There are no event listeners.\n").exits(0);
        let long = "x".repeat(40);
        let ran = up(vec![pool(&long, vec![])]).run("listeners").exits(0);
        assert!(ran.output().starts_with(&format!("{long}   pool          waiting")), "{}", ran.output());
    }

    #[test]
    fn names_and_patterns_pick() {
        for word in ["log", "log:*", "log:", "lo*", "l*:*", "log_0?", "'log_*'"] {
            two().run(&format!("listeners {word}")).says(&format!("{LOG}{LOG_00}{LOG_01}")).exits(0);
        }
        for word in ["mail", "mail:mail", "ma*", "mail:m*"] {
            two().run(&format!("listeners {word}")).says(MAIL).exits(0);
        }
        two().run("listeners log:log_01").says(&format!("{LOG}{LOG_01}")).exits(0);
        two().run("listeners log:*_01 log_00* mail").says(&format!("{LOG}{LOG_00}{LOG_01}{MAIL}"));
        // A pool stays one while none of its listeners may hear anything.
        for word in ["p", "p:*", "p*", "p*:"] {
            let ran = up(vec![pool("p", vec![])]).run(&format!("listeners {word}")).exits(0);
            assert_eq!(ran.output().lines().count(), 1, "{word}");
        }
    }

    #[test]
    fn a_name_comes_before_what_it_could_mean() {
        let ran = up(vec![pool("l*", vec![]), pool("log", vec![])]).run("listeners l*").exits(0);
        assert!(ran.output().starts_with("l* ") && ran.output().lines().count() == 1, "{}", ran.output());
    }

    #[test]
    fn what_is_no_listener_is_complained_about() {
        for word in ["web", "log:log_07", "log_00", "x*", "log:x*", "mail:x"] {
            let line = format!("{word}: ERROR (no such listener)\n");
            two().run(&format!("listeners {word}")).says(&line).exits(1);
        }
        let said = format!("web: ERROR (no such listener)\n{MAIL}");
        two().run("listeners web mail").says(&said).exits(1);
    }

    #[test]
    fn another_daemon_cannot_tell() {
        let refuses =
            || Script::default().up().faults("provost.getListeners", FaultCode::UnknownMethod, None);
        refuses()
            .run("listeners")
            .says("listeners: ERROR (this supervisord tells nothing of listeners)\n")
            .exits(1);
        refuses().run("listeners --json").documents(json!({
            "verb": "listeners", "server": "unix:///s", "exit_status": 1, "results": [], "advice": [],
            "errors": [{"fault": "UNKNOWN_METHOD", "message": "this supervisord tells nothing of listeners"}],
        }));
    }

    #[test]
    fn a_document_has_numbers_and_null_for_nothing() {
        let log = late(pool("log", vec![listener("log_00", "BUSY", "4711")]), "3", "61000");
        let told = |name: &str, waiting: u64, oldest: Option<u64>, listeners: serde_json::Value| {
            json!({
                "name": name, "events": ["TICK_60", "PROCESS_STATE"], "overflow": "spill", "waiting": waiting,
                "waiting_bytes": 0, "on_disk": 0, "oldest_ms": oldest, "delivered": 5_000_000_000_u64,
                "rejected": 2, "discarded": 1, "listeners": listeners,
            })
        };
        let one = json!([{
            "name": "log:log_00", "process": "log_00", "pid": 42, "state": "BUSY", "state_ms": 12500,
            "told": 9, "event": 4711, "counts": "characters",
        }]);
        up(vec![log, pool("mail", vec![])]).run("listeners --json log mail x").documents(json!({
            "verb": "listeners", "server": "unix:///s", "exit_status": 1, "advice": [],
            "errors": [{"name": "x", "fault": "BAD_NAME", "message": "no such listener"}],
            "results": [told("log", 3, Some(61_000), one), told("mail", 0, None, json!([]))],
        }));
    }
}
