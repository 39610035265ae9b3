//! `health`: one word for whoever looks after the container. 0 is healthy, 1 is not, and one line says why.
//!
//! Ill is what is FATAL or UNKNOWN, in BACKOFF, or has EXITED and should not have. What is on its way is well, and so is what
//! somebody has stopped, and a job that is done: only who asks for such a process by name wants it to be there.

use std::collections::BTreeMap;

use serde_json::json;

use super::Verb;
use crate::call::CallError;
use crate::info::Info;
use crate::manual::{Page, Takes};
use crate::session::{Session, exit};
use crate::words::Words;
use crate::{state, targets};

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "health",
        Takes::Processes,
        &[
            ("health", "Say whether all is well: exit with 0, or with 1 and what is wrong in one line."),
            ("health <name> ...", "The same of these processes, groups and patterns."),
        ],
    )
    .about(
        "What is FATAL, BACKOFF or UNKNOWN is not well, nor what has EXITED with a status that it should not have. \
         What is STARTING is on its way. What is STOPPED or STOPPING is well, unless it is named. \
         An event listener that is RUNNING is well, too, whether it hears anything or not: that, listeners tells.",
    ),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    // One question: whoever asks every few seconds, of many containers, wants no more.
    let all = match targets::listing(session) {
        Ok(all) => all,
        Err(error @ (CallError::Interrupted | CallError::Status { code: 401, .. })) => return Err(error),
        Err(error) => {
            let why = match error.nobody_there() {
                Some(nobody) => format!("{} {nobody}", session.server.url()),
                None => error.to_string(),
            };
            say_ill(session, 0, &[(None, why)]);
            return Ok(());
        }
    };
    let all = targets::infos(&all)?;
    let names = words.names();
    let (mut ill, mut looked_at) = (Vec::new(), Vec::new());
    if names.is_empty() || names.contains(&"all") {
        looked_at.extend(&all);
        ill.extend(all.iter().filter(|info| info.has_failed()).map(symptom));
    } else {
        for word in names {
            let (word, reached) = targets::meant(word, &all);
            if reached.is_empty() {
                ill.push((Some(word.to_owned()), format!("{word} does not exist")));
            }
            // Who names one process wants it there; a group may have members that somebody has stopped.
            let is_named = targets::names(word, &all);
            let is_ill = |info: &&&Info<'_>| info.has_failed() || (is_named && is_away(info));
            ill.extend(reached.iter().filter(is_ill).map(|info| symptom(info)));
            looked_at.extend(reached);
        }
    }
    if !ill.is_empty() {
        say_ill(session, looked_at.len(), &ill);
        return Ok(());
    }
    let mut counts: BTreeMap<i64, (&str, usize)> = BTreeMap::new();
    for info in &looked_at {
        counts.entry(info.state).or_insert((info.statename, 0)).1 += 1;
    }
    let counted: Vec<String> = counts.values().map(|(state, count)| format!("{count} {state}")).collect();
    let line = match counted.is_empty() {
        true => "healthy: no processes".to_owned(),
        false => format!("healthy: {}", counted.join(", ")),
    };
    session.report.tell(&line, || json!({"healthy": true, "processes": looked_at.len(), "problems": []}));
    Ok(())
}

fn is_away(info: &Info<'_>) -> bool {
    matches!(info.state, state::STOPPED | state::STOPPING)
}

fn symptom(info: &Info<'_>) -> (Option<String>, String) {
    // Of what has been stopped the description says when, and that is no reason.
    let why = match (info.text("spawnerr"), info.state) {
        ("", state::FATAL | state::BACKOFF) => info.description,
        (why, _) => why,
    };
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    (Some(info.name.clone()), format!("{} is {}{why}", info.name, info.statename))
}

fn say_ill(session: &mut Session<'_>, looked_at: usize, ill: &[(Option<String>, String)]) {
    let all: Vec<&str> = ill.iter().map(|(_, why)| why.as_str()).collect();
    session.report.tell(&format!("unhealthy: {}", all.join("; ")), || {
        let problem = |(name, why): &(Option<String>, String)| json!({"name": name, "message": why});
        json!({"healthy": false, "processes": looked_at, "problems": ill.iter().map(problem).collect::<Vec<_>>()})
    });
    session.status = exit::GENERIC;
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, process, refused};
    use provost_wire::{FaultCode, Value};
    use serde_json::json;

    fn script(all: Vec<Value>) -> Script {
        Script::default().answers("supervisor.getAllProcessInfo", all.into())
    }

    fn exited(name: &str, spawnerr: &str) -> Value {
        let Value::Struct(mut members) = process("g", name, 100, "EXITED", "Nov 22 10:46 AM") else {
            panic!("a process is a struct")
        };
        members.push(("spawnerr".to_owned(), spawnerr.into()));
        Value::Struct(members)
    }

    fn mixed() -> Vec<Value> {
        vec![
            process("web", "web", 20, "RUNNING", "pid 1"),
            process("up", "up", 10, "STARTING", ""),
            process("off", "off", 0, "STOPPED", "Not started"),
            exited("job", ""),
        ]
    }

    #[test]
    fn what_is_up_or_on_its_way_or_stopped_by_somebody_is_well() {
        script(mixed()).run("health").says("healthy: 1 STOPPED, 1 STARTING, 1 RUNNING, 1 EXITED\n").exits(0);
        script(mixed())
            .run("health web g:* [u]p")
            .says("healthy: 1 STARTING, 1 RUNNING, 1 EXITED\n")
            .exits(0);
        script(vec![]).run("health").says("healthy: no processes\n").exits(0);
        script(mixed()).run("health o?f").says("healthy: 1 STOPPED\n").exits(0);
    }

    #[test]
    fn whoever_names_a_process_wants_it_there() {
        script(mixed()).run("health off").says("unhealthy: off is STOPPED\n").exits(1);
        script(mixed()).run("health web nosuch").says("unhealthy: nosuch does not exist\n").exits(1);
    }

    #[test]
    fn all_that_is_wrong_stands_in_one_line() {
        let mut all = mixed();
        all.push(process("x", "x", 200, "FATAL", "can't find command 'x'"));
        all.push(process("y", "y", 30, "BACKOFF", ""));
        all.push(exited("z", "Bad exit code 3"));
        let line =
            "unhealthy: x is FATAL (can't find command 'x'); y is BACKOFF; g:z is EXITED (Bad exit code 3)\n";
        script(all.clone()).run("health").says(line).exits(1);
        script(all.clone()).run("health web").says("healthy: 1 RUNNING\n").exits(0);
        script(all).run("health y --json").documents(json!({
            "verb": "health", "server": "unix:///s", "exit_status": 1, "errors": [], "advice": [],
            "results": [{"healthy": false, "processes": 1, "problems": [{"name": "y", "message": "y is BACKOFF"}]}],
        }));
    }

    #[test]
    fn where_nobody_answers_nothing_is_well() {
        let nobody = |script: Script| script.run("health").exits(1);
        nobody(Script::default().has_no_socket()).says("unhealthy: unix:///s no such file\n");
        nobody(Script::default().refuses_connection()).says("unhealthy: unix:///s refused connection\n");
        let ending = Script::default().faults("supervisor.getAllProcessInfo", FaultCode::ShutdownState, None);
        nobody(ending).says("unhealthy: <Fault 6: 'SHUTDOWN_STATE'>\n");
        let sick =
            Script::default().fails("supervisor.getAllProcessInfo", refused(500, "Internal Server Error"));
        nobody(sick).says("unhealthy: unix:///s answered 500 Internal Server Error\n");
    }
}
