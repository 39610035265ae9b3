//! `pid`: the daemon's, or those of its processes.

use provost_wire::{FaultCode, Value};
use serde_json::json;

use super::Verb;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::report::Problem;
use crate::results::{full_name, int, items};
use crate::session::{Session, exit};
use crate::targets;
use crate::words::Words;

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "pid",
        Takes::Processes,
        &[
            ("pid", "Show the process id of supervisord."),
            ("pid <name> ...", "Show those of processes; 0 means that it does not run."),
            ("pid <pattern>", "Show those of all that a pattern fits, one on a line."),
            ("pid all", "Show those of all processes, one on a line."),
        ],
    )
    .about("If one of them does not run the exit status is 7."),
    run,
};

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    let names = words.names();
    if names.is_empty() {
        let pid = session.call("supervisor.getPID", &[])?;
        let pid = pid.as_int().ok_or_else(|| CallError::Other("the answer is no process id".to_owned()))?;
        session.report.tell(&pid.to_string(), || json!({"name": "supervisord", "pid": pid}));
        return Ok(());
    }
    if names.contains(&"all") {
        let all = targets::listing(session)?;
        for info in items(&all)? {
            tell(session, &full_name(info)?, int(info, "pid")?);
        }
        return Ok(());
    }
    for name in &targets::spelled_out(session, &names)? {
        match session.call("supervisor.getProcessInfo", &[Value::from(name.as_str())]) {
            Ok(info) => {
                let pid = int(&info, "pid")?;
                tell(session, name, pid);
                if pid == 0 {
                    session.status = exit::NOT_RUNNING;
                }
            }
            Err(error) if error.kind() == Some(FaultCode::BadName) => {
                let problem = Problem::of(name, "no such process").fault(error.kind());
                session.fail(&format!("No such process {name}"), &problem, exit::GENERIC);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn tell(session: &mut Session<'_>, name: &str, pid: i64) {
    session.report.tell(&pid.to_string(), || json!({"name": name, "pid": pid}));
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, process};
    use provost_wire::{FaultCode::*, Value};

    fn with_pid(pid: i32) -> Value {
        Value::members([("pid", pid.into())])
    }

    #[test]
    fn of_the_daemon_of_names_and_of_all() {
        Script::default().up().answers("supervisor.getPID", 41.into()).run("pid").says("41\n").exits(0);
        Script::default()
            .up()
            .answers("supervisor.getProcessInfo", with_pid(42))
            .faults("supervisor.getProcessInfo", BadName, None)
            .answers("supervisor.getProcessInfo", with_pid(0))
            .run("pid a x b")
            .says("42\nNo such process x\n0\n")
            .exits(7);
        Script::default()
            .up()
            .faults("supervisor.getProcessInfo", BadName, None)
            .run("pid g:*")
            .says("No such process g:*\n")
            .exits(1);
        let all = vec![process("a", "a", 0, "STOPPED", ""), process("b", "b", 0, "STOPPED", "")];
        Script::default()
            .up()
            .answers("supervisor.getAllProcessInfo", all.into())
            .run("pid all")
            .says("0\n0\n")
            .exits(0);
    }
}
