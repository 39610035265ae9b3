//! `restart --rolling`: some processes after the others, so that the rest goes on working; and no further than all goes well.
//!
//! In: names, groups, patterns or `all`. Out: a line for each process, those that were not touched among them.

use std::collections::BTreeMap;

use provost_wire::{FaultCode, Value};
use serde_json::json;

use super::start;
use crate::batch::{Deed, carry_out};
use crate::call::CallError;
use crate::report::Problem;
use crate::results::{Outcome, error_line, full_name, int, items};
use crate::session::{Session, exit};
use crate::targets;

/// Restarts what the words mean, `size` at a time.
pub(super) fn run(session: &mut Session<'_>, words: &[&str], size: usize) -> Result<(), CallError> {
    let Some(names) = in_order(session, words)? else { return Ok(()) };
    // From here on Ctrl-C must leave nobody in the dark about what has been done.
    session.catch_interrupt()?;
    let mut left = names.as_slice();
    while !left.is_empty() {
        let (now, later) = left.split_at(size.min(left.len()));
        match carry_out(session, Deed::Restart, now) {
            Ok(outcomes) => {
                if !tell(session, &outcomes) {
                    return stop_here(session, later);
                }
            }
            Err(CallError::Interrupted) => {
                for name in now {
                    let reason = "interrupted, the restart goes on without anybody waiting for it";
                    session.fail(&error_line(name, reason), &Problem::of(name, reason), exit::GENERIC);
                }
                say_untouched(session, later);
                session.status = exit::GENERIC;
                return Ok(());
            }
            Err(error) => {
                for name in now {
                    let reason = "nobody knows what became of its restart";
                    session.fail(&error_line(name, reason), &Problem::of(name, reason), exit::GENERIC);
                }
                say_untouched(session, later);
                return Err(error);
            }
        }
        left = later;
    }
    Ok(())
}

/// Whether all went well.
fn tell(session: &mut Session<'_>, outcomes: &[Outcome]) -> bool {
    let mut is_well = true;
    for outcome in outcomes {
        let reason = match outcome.kind() {
            // Somebody else has started it meanwhile.
            Some(FaultCode::Success | FaultCode::AlreadyStarted) => {
                session.done(&outcome.namespec, "restarted");
                continue;
            }
            kind => kind.and_then(start::reason).unwrap_or(&outcome.description),
        };
        session.refused(outcome, &error_line(&outcome.namespec, reason), reason, None);
        is_well = false;
    }
    is_well
}

fn stop_here(session: &mut Session<'_>, later: &[String]) -> Result<(), CallError> {
    say_untouched(session, later);
    session.status = exit::NOT_RUNNING;
    Ok(())
}

fn say_untouched(session: &mut Session<'_>, names: &[String]) {
    for name in names {
        session
            .report
            .tell(&format!("{name}: not touched"), || json!({"name": name, "result": "not touched"}));
    }
}

/// All processes that the words mean, each once, and all of one word in the order in which they are started. Nothing, if a word
/// means nobody: then nothing is to be touched.
fn in_order(session: &mut Session<'_>, words: &[&str]) -> Result<Option<Vec<String>>, CallError> {
    let all = targets::listing(session)?;
    let all = targets::infos(&all)?;
    let mut picked: Vec<Vec<&str>> = Vec::new();
    let words = if words.contains(&"all") { &["all"] } else { words };
    for word in words {
        let (word, reached) = targets::meant(word, &all);
        if reached.is_empty() && word != "all" {
            targets::nobody(session, word, exit::GENERIC);
        }
        picked.push(reached.into_iter().map(|info| info.name.as_str()).collect());
    }
    if picked.iter().any(Vec::is_empty) {
        return Ok(None);
    }
    if picked.iter().any(|some| some.len() > 1) {
        let priorities = priorities(session)?;
        // Where two start together, they stay as they are listed.
        picked.iter_mut().for_each(|some| some.sort_by_key(|name| priorities.get(*name)));
    }
    let mut names: Vec<String> = Vec::new();
    for name in picked.into_iter().flatten() {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(Some(names))
}

/// Of group and process. Who may not see the configuration goes by the order of the list.
fn priorities(session: &mut Session<'_>) -> Result<BTreeMap<String, (i64, i64)>, CallError> {
    let all = match session.call("supervisor.getAllConfigInfo", &[]) {
        Ok(all) => all,
        Err(CallError::Fault(_)) => Value::Array(Vec::new()),
        Err(error) => return Err(error),
    };
    let priority =
        |config| Ok((full_name(config)?, (int(config, "group_prio")?, int(config, "process_prio")?)));
    items(&all)?.iter().map(priority).collect()
}

#[cfg(test)]
mod tests {
    use crate::call::CallError;
    use crate::fake::{Script, outcome, process};
    use provost_wire::FaultCode::{self, *};
    use provost_wire::Value;
    use serde_json::json;

    fn web(names: &[&str]) -> Script {
        let all = names.iter().map(|name| process("web", name, 20, "RUNNING", "")).collect::<Vec<_>>();
        Script::default().up().answers("supervisor.getAllProcessInfo", all.into())
    }

    fn priorities(script: Script, priorities: &[(&str, i32)]) -> Script {
        let config = |(name, priority): &(&str, i32)| {
            Value::members([
                ("group", "web".into()),
                ("name", (*name).into()),
                ("group_prio", 999.into()),
                ("process_prio", (*priority).into()),
            ])
        };
        script
            .answers("supervisor.getAllConfigInfo", priorities.iter().map(config).collect::<Vec<_>>().into())
    }

    fn goes(script: Script, outcomes: &[(&str, FaultCode)]) -> Script {
        let list = outcomes.iter().map(|(name, code)| outcome("web", name, *code)).collect::<Vec<_>>();
        script.answers("provost.restartProcesses", list.into())
    }

    fn batch(names: &[&str]) -> Vec<Value> {
        vec![Value::Array(names.iter().map(|&name| name.into()).collect()), true.into()]
    }

    #[test]
    fn one_after_the_other_in_the_order_in_which_they_start() {
        let script = priorities(web(&["a", "b", "c"]), &[("a", 3), ("b", 1), ("c", 2)]);
        let script = goes(goes(goes(script, &[("b", Success)]), &[("c", Success)]), &[("a", AlreadyStarted)]);
        script
            .run("restart --rolling web:*")
            .says("web:b: restarted\nweb:c: restarted\nweb:a: restarted\n")
            .exits(0)
            .asked("provost.restartProcesses", &batch(&["web:b"]));
    }

    #[test]
    fn it_stops_at_the_first_failure_and_says_what_was_not_touched() {
        let script = || {
            let script = web(&["a", "b", "c", "d", "e"]).faults("supervisor.getAllConfigInfo", Failed, None);
            let script = goes(script, &[("a", Success), ("b", Success)]);
            goes(script, &[("c", SpawnError), ("d", Success)])
        };
        script()
            .run("restart all --rolling --batch 2")
            .says("web:a: restarted\nweb:b: restarted\nweb:c: ERROR (spawn error)\nweb:d: restarted\nweb:e: not touched\n")
            .exits(7)
            .asked("provost.restartProcesses", &batch(&["web:c", "web:d"]));
        script().run("restart all --rolling --batch 2 --json").documents(json!({
            "verb": "restart", "server": "unix:///s", "exit_status": 7,
            "results": [
                {"name": "web:a", "result": "restarted"}, {"name": "web:b", "result": "restarted"},
                {"name": "web:d", "result": "restarted"}, {"name": "web:e", "result": "not touched"},
            ],
            "errors": [{"name": "web:c", "fault": "SPAWN_ERROR", "message": "spawn error"}],
            "advice": [],
        }));
    }

    #[test]
    fn a_name_that_means_nobody_leaves_everything_as_it_is() {
        web(&["a"])
            .run("restart --rolling web:a x no:* y*")
            .says("x: ERROR (no such process)\nno: ERROR (no such group)\ny*: ERROR (no such process)\n")
            .exits(1);
        for size in ["0", "-1", "two"] {
            let line = format!("restart --rolling --batch {size} a");
            Script::default()
                .up()
                .run(&line)
                .says_first(&format!("Error: --batch {size}: give a number"))
                .exits(2);
        }
        Script::default()
            .up()
            .run("restart --batch 2 a")
            .says_first("Error: --batch goes with --rolling\n")
            .exits(2);
    }

    #[test]
    fn ctrl_c_leaves_nobody_in_the_dark() {
        let script = goes(web(&["a", "b", "c"]), &[("a", Success)]);
        script
            .fails("provost.restartProcesses", CallError::Interrupted)
            .run("restart --rolling web:a web:b web:c")
            .says(
                "web:a: restarted\nweb:b: ERROR (interrupted, the restart goes on without anybody waiting for it)\n\
                 web:c: not touched\n",
            )
            .exits(1);
    }

    #[test]
    fn python_s_daemon_is_taken_through_it_step_by_step() {
        let all = |state: i32| {
            Value::from(vec![process("web", "a", state, "?", ""), process("web", "b", 0, "?", "")])
        };
        Script::default()
            .up()
            .answers("supervisor.getAllProcessInfo", all(20))
            .faults("provost.restartProcesses", UnknownMethod, None)
            .answers("supervisor.getAllProcessInfo", all(20))
            .answers("supervisor.stopProcess", true.into())
            .answers("supervisor.getAllProcessInfo", all(0))
            .answers("supervisor.startProcess", true.into())
            .answers("supervisor.getAllProcessInfo", all(10))
            .answers("supervisor.getAllProcessInfo", all(200))
            .run("restart --rolling web:a web:b")
            .says("web:a: ERROR (abnormal termination)\nweb:b: not touched\n")
            .exits(7);
    }
}
