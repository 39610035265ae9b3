//! `status`: a line for each process.

use provost_wire::Value;

use super::Verb;
use crate::call::CallError;
use crate::namespec;
use crate::results::{error_line, full_name, int, items, text};
use crate::session::{Session, exit};

pub(super) const VERB: Verb = Verb {
    name: "status",
    usage: "\
status\t\t\tShow every process.
status <name> ...\tShow these processes.
status <group>:*\tShow a whole group.",
    run,
};

/// The codes of STOPPED, EXITED, FATAL and UNKNOWN: not up, and not on the way.
const DOWN: &[i64] = &[0, 100, 200, 1000];

pub(super) fn run(session: &mut Session<'_>, argument: &str) -> Result<(), CallError> {
    if !session.is_up()? {
        session.status = exit::STATUS_UNKNOWN;
        return Ok(());
    }
    let all = session.call("supervisor.getAllProcessInfo", &[])?;
    let all = items(&all)?;
    let names: Vec<&str> = argument.split_whitespace().collect();
    let shown = if names.is_empty() || names.contains(&"all") {
        all.iter().collect()
    } else {
        pick(session, all, &names)
    };
    for line in table(&shown)? {
        session.say(&line);
    }
    for info in shown {
        if DOWN.contains(&int(info, "state")?) {
            session.status = exit::SOME_STOPPED;
        }
    }
    Ok(())
}

/// In the order of the names. A name twice is shown twice; a name for nothing is complained about.
fn pick<'a>(session: &mut Session<'_>, all: &'a [Value], names: &[&str]) -> Vec<&'a Value> {
    let mut picked = Vec::new();
    for name in names {
        let wanted = namespec::split(name);
        let before = picked.len();
        picked.extend(all.iter().filter(|info| {
            text(info, "group").ok() == Some(wanted.group)
                && wanted.process.is_none_or(|process| text(info, "name").ok() == Some(process))
        }));
        if picked.len() == before {
            session.say(&match wanted.process {
                Some(_) => error_line(name, "no such process"),
                None => error_line(wanted.group, "no such group"),
            });
            session.status = exit::STATUS_UNKNOWN;
        }
    }
    picked
}

/// Name, state and description in columns that scripts have counted.
fn table(shown: &[&Value]) -> Result<Vec<String>, CallError> {
    let names = shown.iter().map(|info| full_name(info)).collect::<Result<Vec<_>, _>>()?;
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(30) + 3;
    let line = |(info, name): (&&Value, &String)| {
        Ok(format!("{name:width$}{:10}{}", text(info, "statename")?, text(info, "description")?))
    };
    shown.iter().zip(&names).map(line).collect()
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, process};

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
    fn a_long_name_widens_the_column() {
        let long = "a".repeat(40);
        Script::default()
            .up()
            .answers("supervisor.getAllProcessInfo", vec![process(&long, &long, 20, "RUNNING", "x")].into())
            .run("status")
            .says(&format!("{long}   RUNNING   x\n"))
            .exits(0);
    }
}
