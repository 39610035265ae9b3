//! `mstart`, `mstop`, `mrestart`: what many know from the plugin supervisor-wildcards.
//!
//! As there, every word is held against the names of processes, whatever their group, and everything that fits is dealt with at once.
//! Words with a colon are `group:name`. Quotes that no shell has taken off, as where a tool passes the whole line as one argument, are.

use provost_config::NamePattern;
use provost_wire::FaultCode;

use super::{Verb, start, stop};
use crate::call::CallError;
use crate::info::Info;
use crate::manual::{Page, Takes};
use crate::report::Problem;
use crate::results::error_line;
use crate::session::{Session, exit};
use crate::words::Words;
use crate::{namespec, targets};

pub(super) const MSTART: Verb = Verb {
    page: page(
        "mstart",
        &[
            ("mstart <pattern> ...", "Start every process whose name fits one of the patterns, all at once."),
            ("mstart all", "Start everything."),
        ],
    )
    .flags(&[start::NO_WAIT]),
    run: |session, words| run(session, words, &MSTART, start::together),
};

pub(super) const MSTOP: Verb = Verb {
    page: page(
        "mstop",
        &[
            ("mstop <pattern> ...", "Stop every process whose name fits one of the patterns, all at once."),
            ("mstop all", "Stop everything."),
        ],
    )
    .flags(&[start::NO_WAIT]),
    run: |session, words| run(session, words, &MSTOP, stop::together),
};

pub(super) const MRESTART: Verb = Verb {
    page: page(
        "mrestart",
        &[
            (
                "mrestart <pattern> ...",
                "Stop every process whose name fits, all at once, and start them again.",
            ),
            ("mrestart all", "Stop and start everything."),
        ],
    )
    .flags(&[start::NO_WAIT_AGAIN]),
    run: |session, words| {
        run(session, words, &MRESTART, |session, names, wait| {
            stop::together(session, names, true)?;
            start::together(session, names, wait)
        })
    },
};

const fn page(name: &'static str, forms: &'static [(&'static str, &'static str)]) -> Page {
    Page::new(name, Takes::Processes, forms).about(
        "A pattern has *, ?, [a-c] and [!a-c], and fits the name of a process in any group, or group:name.",
    )
}

fn run(
    session: &mut Session<'_>,
    words: &Words,
    verb: &Verb,
    carry_out: fn(&mut Session<'_>, &[String], bool) -> Result<(), CallError>,
) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    let given = words.names();
    if given.is_empty() {
        let complaint = format!("Error: {} requires a process name", verb.page.name);
        session.misused(&verb.page, &complaint, exit::GENERIC);
        return Ok(());
    }
    let all = targets::listing(session)?;
    let all = targets::infos(&all)?;
    let mut names: Vec<String> = Vec::new();
    for word in given {
        let word = targets::unquoted(word);
        let fitting: Vec<_> =
            all.iter().filter(|info| fits(word, info)).map(|info| info.name.clone()).collect();
        if fitting.is_empty() {
            let reason = "no such process";
            let problem = Problem::of(word, reason).fault(Some(FaultCode::BadName));
            session.fail(&error_line(word, reason), &problem, exit::GENERIC);
        }
        names.extend(fitting.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
    }
    if names.is_empty() {
        return Ok(());
    }
    carry_out(session, &names, !words.has(start::NO_WAIT.name))
}

fn fits(word: &str, info: &Info<'_>) -> bool {
    let spec = namespec::split(word);
    let is_named = match word.contains(':') {
        true => spec.group == info.group && spec.process.is_none_or(|process| process == info.process),
        false => word == "all" || word == info.process,
    };
    is_named || NamePattern::parse(word).is_some_and(|pattern| pattern.reaches(info.group, info.process))
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, outcome, process};
    use provost_wire::FaultCode::*;
    use provost_wire::Value;

    fn four() -> Script {
        let names = [("gunicorn", "gunicorn"), ("app", "gunicorn_00"), ("app", "worker"), ("db", "db")];
        let all = names.map(|(group, name)| process(group, name, 20, "RUNNING", ""));
        Script::default().up().answers("supervisor.getAllProcessInfo", all.to_vec().into())
    }

    fn names(names: &[&str]) -> Value {
        Value::Array(names.iter().map(|&name| name.into()).collect())
    }

    #[test]
    fn every_word_is_held_against_the_names_of_all_processes() {
        let both = vec![outcome("gunicorn", "gunicorn", Success), outcome("app", "gunicorn_00", Success)];
        for line in [
            "mstop '*gunicorn*'",
            "mstop *gunicorn* gunicorn",
            "mstop \"gun*\"",
            "mstop gunicorn gunicorn_00",
        ] {
            four()
                .answers("provost.stopProcesses", both.clone().into())
                .run(line)
                .says("gunicorn: stopped\napp:gunicorn_00: stopped\n")
                .exits(0)
                .asked("provost.stopProcesses", &[names(&["gunicorn", "app:gunicorn_00"]), true.into()]);
        }
    }

    #[test]
    fn one_that_fits_nothing_is_told_and_the_others_are_done() {
        four()
            .answers("provost.startProcesses", vec![outcome("db", "db", AlreadyStarted)].into())
            .run("mstart x* d? --no-wait")
            .says("x*: ERROR (no such process)\ndb: ERROR (already started)\n")
            .exits(1)
            .asked("provost.startProcesses", &[names(&["db"]), false.into()]);
        four().run("mrestart x").says("x: ERROR (no such process)\n").exits(1);
        Script::default()
            .up()
            .run("mstop")
            .says_first("Error: mstop requires a process name\nmstop ")
            .exits(1);
    }

    #[test]
    fn a_restart_is_a_stop_and_a_start() {
        four()
            .answers("provost.stopProcesses", vec![outcome("app", "worker", Success)].into())
            .answers("provost.startProcesses", vec![outcome("app", "worker", Success)].into())
            .run("mrestart app:w*")
            .says("app:worker: stopped\napp:worker: started\n")
            .exits(0);
        four()
            .answers("provost.stopProcesses", vec![outcome("app", "worker", Success)].into())
            .answers("provost.startProcesses", vec![outcome("app", "worker", Success)].into())
            .run("mrestart --no-wait app:w*")
            .says("app:worker: stopped\napp:worker: starting\n")
            .asked("provost.stopProcesses", &[names(&["app:worker"]), true.into()])
            .asked("provost.startProcesses", &[names(&["app:worker"]), false.into()]);
    }
}
