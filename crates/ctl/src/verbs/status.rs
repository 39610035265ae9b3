//! `status`: a line for each process.

use std::borrow::Cow;

use super::Verb;
use crate::call::CallError;
use crate::info::Info;
use crate::manual::{Flag, Page, Takes};
use crate::session::{Session, exit};
use crate::terminal::Terminal;
use crate::words::Words;
use crate::{state, targets};

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "status",
        Takes::Processes,
        &[
            ("status", "Show every process."),
            ("status <name> ...", "Show these processes."),
            ("status <group>:*", "Show a whole group."),
            ("status <pattern>", "Show what a pattern fits: 'web-*', 'grp:*_0?', '[a-c]*'."),
        ],
    )
    .flags(&[FAILED, EXIT_ZERO])
    .about(
        "A line has the name, the state (STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL or UNKNOWN) and what \
         there is to say of it. Behind the uptime of an event listener it stands if it gets no events since it broke the protocol, or how many \
         events its pool is behind, if one waits for more than five seconds. The exit status is 3 if one is STOPPED, EXITED, FATAL or UNKNOWN.",
    ),
    run,
};

const FAILED: Flag = Flag {
    name: "--failed",
    value: None,
    does: "Only what is FATAL, BACKOFF or UNKNOWN, or has EXITED and should not have; the exit status is 3 if there is any.",
};
const EXIT_ZERO: Flag =
    Flag { name: "--exit-zero", value: None, does: "Exit with 0 also where processes do not run." };

/// Not up, and not on the way.
const DOWN: &[i64] = &[state::STOPPED, state::EXITED, state::FATAL, state::UNKNOWN];

pub(super) fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !session.is_up()? {
        session.status = exit::STATUS_UNKNOWN;
        return Ok(());
    }
    let all = targets::listing(session)?;
    let all = targets::infos(&all)?;
    let names = words.names();
    let mut shown = if names.is_empty() || names.contains(&"all") {
        all.iter().collect()
    } else {
        pick(session, &all, &names)
    };
    let (only_failed, forgives) = (words.has(FAILED.name), words.has(EXIT_ZERO.name));
    shown.retain(|info| !only_failed || info.has_failed());
    let terminal = session.report.terminal;
    for (line, info) in table(&shown, terminal).iter().zip(&shown) {
        session.report.tell_painted(line, || info.object());
        if !forgives && (only_failed || DOWN.contains(&info.state)) {
            session.status = exit::SOME_STOPPED;
        }
    }
    Ok(())
}

/// In the order of the names. A name twice is shown twice; a name for nothing is complained about.
fn pick<'a, 'v>(session: &mut Session<'_>, all: &'a [Info<'v>], names: &[&str]) -> Vec<&'a Info<'v>> {
    let mut picked = Vec::new();
    for name in names {
        let (name, reached) = targets::meant(name, all);
        if reached.is_empty() {
            targets::nobody(session, name, exit::STATUS_UNKNOWN);
        }
        picked.extend(reached);
    }
    picked
}

/// Name, state and description in columns that scripts have counted.
fn table(shown: &[&Info<'_>], terminal: Terminal) -> Vec<String> {
    let names: Vec<Cow<'_, str>> = shown.iter().map(|info| terminal.shown(&info.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(30) + 3;
    let line = |(info, name): (&&Info<'_>, &Cow<'_, str>)| {
        // Colours have no width, so the blanks stand outside.
        // A width of more than sixteen bits is one that `format!` does not take, and a name may be as long.
        let gap = " ".repeat(width - name.chars().count());
        let blanks = " ".repeat(10_usize.saturating_sub(info.statename.chars().count()));
        let state = terminal.state(info.statename);
        format!("{name}{gap}{state}{blanks}{}", terminal.shown(info.description))
    };
    shown.iter().zip(&names).map(line).collect()
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, process};
    use provost_wire::{FaultCode, Value};
    use serde_json::json;

    fn three() -> Script {
        Script::default().up().answers(
            "supervisor.getAllProcessInfo",
            vec![
                process("cat", "cat", 20, "RUNNING", "pid 29580, uptime 0:00:11"),
                process("grp", "one", 10, "STARTING", ""),
                process("grp", "two", 200, "FATAL", "Exited too quickly (process log may have details)"),
            ]
            .into(),
        )
    }

    const CAT: &str = "cat                              RUNNING   pid 29580, uptime 0:00:11\n";
    const ONE: &str = "grp:one                          STARTING  \n";
    const TWO: &str =
        "grp:two                          FATAL     Exited too quickly (process log may have details)\n";

    #[test]
    fn everything_is_shown_as_the_daemon_lists_it() {
        for line in ["status", "status all", "status nosuch all"] {
            three().run(line).says(&format!("{CAT}{ONE}{TWO}")).exits(3);
        }
    }

    #[test]
    fn names_pick_and_order() {
        three().run("status cat").says(CAT).exits(0);
        three().run("status grp:one cat cat").says(&format!("{ONE}{CAT}{CAT}")).exits(0);
        three().run("status grp:*").says(&format!("{ONE}{TWO}")).exits(3);
        three().run("status grp:").says(&format!("{ONE}{TWO}")).exits(3);
    }

    #[test]
    fn unknown_names_come_first_and_a_stopped_process_matters_more() {
        three()
            .run("status cat nosuch grp:x")
            .says(&format!("nosuch: ERROR (no such process)\ngrp:x: ERROR (no such process)\n{CAT}"))
            .exits(4);
        three().run("status no:*").says("no: ERROR (no such group)\n").exits(4);
        three()
            .run("status nosuch grp:two")
            .says(&format!("nosuch: ERROR (no such process)\n{TWO}"))
            .exits(3);
    }

    #[test]
    fn times_beyond_all_clocks_are_survived() {
        let all = Value::members([
            ("name", "web".into()),
            ("group", "web".into()),
            ("state", 100.into()),
            ("statename", "EXITED".into()),
            ("description", "".into()),
            ("pid", 5.into()),
            ("start", i64::MIN.into()),
            ("stop", i64::MAX.into()),
            ("now", i64::MAX.into()),
        ]);
        let all = || Value::Array(vec![all.clone()]);
        Script::default().up().answers("supervisor.getAllProcessInfo", all()).run("status --json").exits(3);
        Script::default()
            .up()
            .faults("provost.getProcessHistory", FaultCode::UnknownMethod, None)
            .answers("supervisor.getProcessInfo", all().as_array().unwrap()[0].clone())
            .run("why web")
            .exits(0);
    }

    #[test]
    fn a_long_name_widens_the_column() {
        for length in [40, 70_000] {
            let long = "a".repeat(length);
            let blanks = " ".repeat(length + 2);
            let all = vec![process(&long, &long, 20, "RUNNING", "x"), process("b", "b", 20, "RUNNING", "y")];
            Script::default()
                .up()
                .answers("supervisor.getAllProcessInfo", all.into())
                .run("status")
                .says(&format!("{long}   RUNNING   x\nb{blanks}RUNNING   y\n"))
                .exits(0);
        }
    }

    #[test]
    fn a_document_says_what_is_known_and_null_for_the_rest() {
        Script::default()
            .up()
            .answers(
                "supervisor.getAllProcessInfo",
                vec![process("g", "a", 0, "STOPPED", "Not started")].into(),
            )
            .run("status --json nosuch g:a")
            .documents(json!({
                "verb": "status", "server": "unix:///s", "exit_status": 3,
                "results": [{
                    "name": "g:a", "group": "g", "process": "a", "state": "STOPPED", "state_code": 0,
                    "description": "Not started", "pid": null, "started": null, "stopped": null,
                    "uptime": null, "exit_status": 0, "spawn_error": null,
                    "stdout_logfile": null, "stderr_logfile": null,
                }],
                "errors": [{"name": "nosuch", "fault": "BAD_NAME", "message": "no such process"}],
                "advice": [],
            }));
    }

    #[test]
    fn patterns_pick_as_the_daemon_lists_them() {
        three().run("status grp:t*").says(TWO).exits(3);
        three().run("status '[c-o]?*' cat").says(&format!("{CAT}{ONE}{CAT}")).exits(0);
        three()
            .run("status x* y*:* cat")
            .says(&format!("x*: ERROR (no such process)\ny*: ERROR (no such group)\n{CAT}"))
            .exits(4);
    }

    #[test]
    fn only_what_has_failed() {
        let exited = |spawnerr: &str| {
            let provost_wire::Value::Struct(mut members) =
                process("job", "job", 100, "EXITED", "Nov 22 10:46 AM")
            else {
                panic!("a process is a struct")
            };
            members.push(("spawnerr".to_owned(), spawnerr.into()));
            provost_wire::Value::Struct(members)
        };
        three().run("status --failed").says(TWO).exits(3);
        three().run("status --failed --exit-zero").says(TWO).exits(0);
        three().run("status grp:one cat --failed").says("").exits(0);
        let backoff = process("b", "b", 30, "BACKOFF", "Exited too quickly (process log may have details)");
        for (info, status) in [(exited(""), 0), (exited("Bad exit code 3"), 3), (backoff, 3)] {
            let script = Script::default().up().answers("supervisor.getAllProcessInfo", vec![info].into());
            assert_eq!(script.run("status --failed").exits(status).output().is_empty(), status == 0);
        }
    }

    #[test]
    fn what_does_not_run_may_be_no_failure_but_what_does_not_exist_is() {
        three().run("status --exit-zero").says(&format!("{CAT}{ONE}{TWO}")).exits(0);
        three().run("status --exit-zero nosuch").says("nosuch: ERROR (no such process)\n").exits(4);
        Script::default().refuses_connection().run("status --exit-zero").exits(4);
    }
}
