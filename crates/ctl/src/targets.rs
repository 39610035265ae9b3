//! Whom words on a command line mean, where they are more than names: `web-*`, `grp:*_0?`.
//!
//! What Supervisor understands stays what it is: a name, `group:name`, `group:*`, `group:`, `all`; and what is really called
//! `web-*` comes before what that could mean as a pattern. Here patterns are found and, where a daemon has to be asked for one name
//! at a time, put in terms of names. What is done to them is not here.

use provost_config::NamePattern;
use provost_wire::{FaultCode, Value};

use crate::call::CallError;
use crate::info::Info;
use crate::namespec;
use crate::report::Problem;
use crate::results::{error_line, items};
use crate::session::Session;

/// The pattern that a word is: without the quotes that no shell has taken off, as where a whole line comes as one argument.
pub(crate) fn pattern(word: &str) -> Option<&str> {
    let bare = unquoted(word);
    let is_plain_group = || {
        let spec = namespec::split(bare);
        spec.process.is_none() && NamePattern::parse(spec.group).is_none()
    };
    (NamePattern::parse(bare).is_some() && !is_plain_group()).then_some(bare)
}

pub(crate) fn unquoted(word: &str) -> &str {
    let within = |quote: char| word.strip_prefix(quote)?.strip_suffix(quote).filter(|bare| !bare.is_empty());
    within('\'').or_else(|| within('"')).unwrap_or(word)
}

/// Whether anything is called exactly so.
pub(crate) fn names(word: &str, all: &[Info<'_>]) -> bool {
    let spec = namespec::split(word);
    all.iter().any(|info| info.group == spec.group && Some(info.process) == spec.process)
}

/// Whom a word means: by name, as a group, or else as a pattern. Nobody, if there is no such thing.
pub(crate) fn reached<'a, 'v>(word: &str, all: &'a [Info<'v>]) -> Vec<&'a Info<'v>> {
    let spec = namespec::split(word);
    let is_meant =
        |info: &&Info<'_>| info.group == spec.group && spec.process.is_none_or(|name| info.process == name);
    let exactly: Vec<_> = all.iter().filter(is_meant).collect();
    match NamePattern::parse(word) {
        Some(pattern) if exactly.is_empty() => fitting(&pattern, all),
        _ => exactly,
    }
}

/// The same of a word that may be `all`, or still have its quotes; and the word as it is told.
pub(crate) fn meant<'w, 'a, 'v>(word: &'w str, all: &'a [Info<'v>]) -> (&'w str, Vec<&'a Info<'v>>) {
    let word = pattern(word).unwrap_or(word);
    (word, if word == "all" { all.iter().collect() } else { reached(word, all) })
}

fn fitting<'a, 'v>(pattern: &NamePattern, all: &'a [Info<'v>]) -> Vec<&'a Info<'v>> {
    all.iter().filter(|info| pattern.reaches(info.group, info.process)).collect()
}

/// Words with the names in the place of each pattern. One that reaches nobody stays, for the daemon to say so.
pub(crate) fn spelled_out(session: &mut Session<'_>, words: &[&str]) -> Result<Vec<String>, CallError> {
    if words.iter().all(|word| pattern(word).is_none()) {
        return Ok(words.iter().map(|&word| word.to_owned()).collect());
    }
    let all = listing(session)?;
    let all = infos(&all)?;
    let spell = |word: &&str| match pattern(word) {
        None => vec![(*word).to_owned()],
        Some(pattern) if names(pattern, &all) => vec![pattern.to_owned()],
        Some(pattern) => match reached(pattern, &all) {
            nobody if nobody.is_empty() => vec![pattern.to_owned()],
            some => some.into_iter().map(|info| info.name.clone()).collect(),
        },
    };
    Ok(words.iter().flat_map(spell).collect())
}

/// The one process that a word means. The complaint, where a pattern means several.
pub(crate) fn only_one(session: &mut Session<'_>, word: &str) -> Result<Result<String, String>, CallError> {
    let mut names = spelled_out(session, &[word])?;
    Ok(match names.len() {
        1 => Ok(names.remove(0)),
        _ => Err(format!("means several processes: {}", names.join(", "))),
    })
}

/// Every process that the daemon shows.
pub(crate) fn listing(session: &mut Session<'_>) -> Result<Value, CallError> {
    session.call("supervisor.getAllProcessInfo", &[])
}

pub(crate) fn infos(all: &Value) -> Result<Vec<Info<'_>>, CallError> {
    items(all)?.iter().map(Info::of).collect()
}

/// Says that a word means nobody, in Supervisor's words.
pub(crate) fn nobody(session: &mut Session<'_>, word: &str, status: u8) {
    let spec = namespec::split(word);
    if spec.process.is_none() {
        return session.no_such_group(spec.group, status);
    }
    let reason = "no such process";
    let problem = Problem::of(word, reason).fault(Some(FaultCode::BadName));
    session.fail(&error_line(word, reason), &problem, status);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Script, outcome, process};

    #[test]
    fn what_supervisor_understands_is_no_pattern() {
        for plain in ["web", "g:one", "g:*", "g:", "all", "'web'", "\"", "'"] {
            assert_eq!(pattern(plain), None, "{plain}");
        }
        for (word, bare) in [("w*", "w*"), ("'w*'", "w*"), ("\"g?:*\"", "g?:*"), ("g*:", "g*:"), ("*", "*")] {
            assert_eq!(pattern(word), Some(bare));
        }
    }

    #[test]
    fn a_name_comes_before_what_it_could_mean() {
        let all: Value =
            ["w*", "wa", "wb"].map(|name| process(name, name, 20, "RUNNING", "")).to_vec().into();
        let all = infos(&all).unwrap();
        let reached =
            |word| reached(word, &all).into_iter().map(|info| info.name.as_str()).collect::<Vec<_>>();
        assert_eq!(reached("w*"), ["w*"]);
        assert_eq!(reached("w[ab]"), ["wa", "wb"]);
        assert_eq!(reached("wa:*"), ["wa"]);
        assert_eq!(reached("x*"), [""; 0]);
    }

    fn listed() -> Script {
        let all = ["w_00", "w_01", "x"].map(|name| process("g", name, 20, "RUNNING", ""));
        Script::default().up().answers("supervisor.getAllProcessInfo", all.to_vec().into())
    }

    #[test]
    fn where_a_daemon_takes_one_name_each_name_is_asked_for() {
        let script = listed().answers("supervisor.clearProcessLogs", true.into());
        let script = script.answers("supervisor.clearProcessLogs", true.into());
        let script = script.faults("supervisor.clearProcessLogs", FaultCode::BadName, None);
        script
            .run("clear w_* 'y*'")
            .says("g:w_00: cleared\ng:w_01: cleared\ny*: ERROR (no such process)\n")
            .exits(1)
            .asked("supervisor.clearProcessLogs", &["y*".into()]);
        let pid = |pid: i32| Value::members([("pid", pid.into())]);
        let script = listed()
            .answers("supervisor.getProcessInfo", pid(1))
            .answers("supervisor.getProcessInfo", pid(2));
        script.run("pid g:w_0?").says("1\n2\n").exits(0);
    }

    #[test]
    fn who_looks_at_one_may_name_it_by_a_pattern() {
        let read = "supervisor.readProcessStdoutLog";
        listed()
            .answers(read, "text".into())
            .run("tail x*")
            .says("text\n")
            .exits(0)
            .asked(read, &["g:x".into(), (-1600).into(), 0.into()]);
        listed().run("tail w*").says("Error: w* means several processes: g:w_00, g:w_01\n").exits(1);
        listed().run("fg w*").says("ERROR: w* means several processes: g:w_00, g:w_01\n").exits(1);
        let script = listed().faults(read, FaultCode::BadName, None);
        script.run("tail y*").says("y*: ERROR (no such process name)\n").exits(1);
    }

    #[test]
    fn a_pattern_is_one_call_and_names_around_it_stay_in_their_turn() {
        let both =
            vec![outcome("g", "w_00", FaultCode::Success), outcome("g", "w_01", FaultCode::SpawnError)];
        Script::default()
            .up()
            .answers("supervisor.startProcess", true.into())
            .answers("provost.startProcesses", both.into())
            .answers("supervisor.startProcess", true.into())
            .run("start x 'w_*' y --no-wait")
            .says("x: starting\ng:w_00: starting\ng:w_01: ERROR (spawn error)\ny: starting\n")
            .exits(7)
            .asked("provost.startProcesses", &[vec!["w_*".into()].into(), false.into()])
            .asked("supervisor.startProcess", &["x".into(), false.into()]);
        for (line, method, text, status) in [
            ("start n*", "provost.startProcesses", "n*: ERROR (no such process)\n", 1),
            ("start n*:*", "provost.startProcesses", "n*: ERROR (no such group)\n", 2),
            ("stop n*:", "provost.stopProcesses", "n*: ERROR (no such group)\n", 1),
            ("signal HUP n*:a", "provost.signalProcesses", "n*:a: ERROR (no such process)\n", 1),
        ] {
            let word = line.rsplit(' ').next().unwrap();
            let (group, name) = word.split_once(':').unwrap_or((word, word));
            let nobody = Value::members([
                ("name", name.into()),
                ("group", group.into()),
                ("status", FaultCode::BadName.code().into()),
                ("description", format!("BAD_NAME: {word}").into()),
            ]);
            Script::default().up().answers(method, vec![nobody].into()).run(line).says(text).exits(status);
        }
    }
}
