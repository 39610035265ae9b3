//! `why`: what has happened to a process, and what to try.
//!
//! Calls are made here; what comes of them is `crate::why`'s. Against a daemon that keeps no history it tells what that does say.

use provost_wire::{FaultCode, Value};

use super::Verb;
use crate::call::CallError;
use crate::manual::{Page, Takes};
use crate::namespec;
use crate::pools::{self, Pool};
use crate::session::{Session, exit};
use crate::why::{Account, Hearing, Log};
use crate::words::Words;
use crate::{state, targets};

pub(super) const VERB: Verb = Verb {
    page: Page::new(
        "why",
        Takes::Processes,
        &[
            ("why <name> ...", "Tell what has happened to processes, and what to try."),
            ("why <group>:*", "Tell it of a whole group, or of what a pattern fits: 'web-*'."),
            ("why", "Tell it of everything that is not RUNNING, the shortest story first."),
        ],
    )
    .about(
        "Told are the state and since when, who started and stopped it, the last ends with signal, core dump, want of memory or the stage of a \
         failed start, the last lines of its log for those who may read it, how an event listener that is RUNNING hears, and what to try. Supervisor's own daemon knows less of it.",
    ),
    run,
};

/// Lines of a log; fewer where many processes are told of.
const MANY_LINES: usize = 10;
const FEW_LINES: usize = 3;
/// Bytes that hold so many lines, mostly.
const LOG_BYTES: i64 = 8192;

fn run(session: &mut Session<'_>, words: &Words) -> Result<(), CallError> {
    if !session.is_up()? {
        return Ok(());
    }
    let given = words.names();
    let mut asker = Asker { has_history: true, pools: None };
    if given.is_empty() || given.contains(&"all") {
        return of_all(session, &mut asker);
    }
    let names = in_full(session, &given)?;
    let mut is_first = true;
    for name in names {
        match asker.account(session, &name, MANY_LINES) {
            Ok(account) => {
                if !std::mem::take(&mut is_first) {
                    session.report.say("");
                }
                tell(session, &account);
            }
            Err(error) if error.kind() == Some(FaultCode::BadName) => {
                targets::nobody(session, &name, exit::GENERIC);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn tell(session: &mut Session<'_>, account: &Account) {
    session.report.tell(&account.lines().join("\n"), || account.object());
}

/// Patterns and groups become their processes.
fn in_full(session: &mut Session<'_>, given: &[&str]) -> Result<Vec<String>, CallError> {
    let given = targets::spelled_out(session, given)?;
    if given.iter().all(|name| namespec::split(name).process.is_some()) {
        return Ok(given);
    }
    let all = targets::listing(session)?;
    let all = targets::infos(&all)?;
    let mut names = Vec::new();
    for name in given {
        match targets::reached(&name, &all) {
            // Whether there is a process of that name, its own question tells.
            nobody if nobody.is_empty() && namespec::split(&name).process.is_some() => names.push(name),
            nobody if nobody.is_empty() => targets::nobody(session, &name, exit::GENERIC),
            some => names.extend(some.into_iter().map(|info| info.name.clone())),
        }
    }
    Ok(names)
}

fn of_all(session: &mut Session<'_>, asker: &mut Asker) -> Result<(), CallError> {
    let all = targets::listing(session)?;
    let all = targets::infos(&all)?;
    let mut accounts = Vec::new();
    for info in all.iter().filter(|info| info.state != state::RUNNING) {
        match asker.account(session, &info.name, FEW_LINES) {
            Ok(account) => accounts.push(account),
            // It went meanwhile.
            Err(error) if error.kind() == Some(FaultCode::BadName) => {}
            Err(error) => return Err(error),
        }
    }
    if accounts.is_empty() {
        session.report.say(if all.is_empty() { "There are no processes." } else { "Everything is RUNNING." });
    }
    // Nobody should have to look for a line among hundreds.
    accounts.sort_by_cached_key(|account| account.lines().len());
    for (at, account) in accounts.iter().enumerate() {
        if at > 0 {
            session.report.say("");
        }
        tell(session, account);
    }
    Ok(())
}

/// Asks the daemon, and learns what it cannot answer.
struct Asker {
    has_history: bool,
    /// Asked for once, when the first process is told of that may be a listener.
    pools: Option<Vec<Pool>>,
}

impl Asker {
    fn account(&mut self, session: &mut Session<'_>, name: &str, lines: usize) -> Result<Account, CallError> {
        let mut account = self.without_log(session, name)?;
        account.log = log(session, &account, name, lines)?;
        account.hearing = self.hearing(session, &account)?;
        Ok(account)
    }

    fn hearing(
        &mut self,
        session: &mut Session<'_>,
        account: &Account,
    ) -> Result<Option<Hearing>, CallError> {
        if !account.may_hear() {
            return Ok(None);
        }
        let pools = match self.pools.take() {
            Some(pools) => pools,
            None => pools::pools(session)?.unwrap_or_default(),
        };
        let parts = namespec::split(&account.name);
        let hearing = parts.process.and_then(|process| Hearing::of(&pools, parts.group, process));
        self.pools = Some(pools);
        Ok(hearing)
    }

    fn without_log(&mut self, session: &mut Session<'_>, name: &str) -> Result<Account, CallError> {
        if self.has_history {
            match session.call("provost.getProcessHistory", &[name.into()]) {
                Ok(history) => return Account::of_history(history),
                Err(error) if error.kind() == Some(FaultCode::UnknownMethod) => self.has_history = false,
                Err(error) => return Err(error),
            }
        }
        Account::of_info(session.call("supervisor.getProcessInfo", &[name.into()])?)
    }
}

/// The end of its stderr, or of its stdout where there is none or nothing in it.
fn log(
    session: &mut Session<'_>,
    account: &Account,
    name: &str,
    lines: usize,
) -> Result<Option<Log>, CallError> {
    let has_stderr = !account.stderr_logfile.is_empty() && !account.redirects_stderr();
    let mut streams = Vec::new();
    if has_stderr {
        streams.push(("stderr", &account.stderr_logfile, "supervisor.tailProcessStderrLog"));
    }
    if !account.stdout_logfile.is_empty() {
        streams.push(("stdout", &account.stdout_logfile, "supervisor.tailProcessStdoutLog"));
    }
    let mut empty = None;
    for (stream, file, method) in streams {
        let log = |lines, refusal| Log { stream, file: file.clone(), lines, refusal };
        match session.call(method, &[name.into(), 0.into(), LOG_BYTES.into()]) {
            Ok(tail) => {
                let text = tail.as_array().and_then(|tail| tail.first()).and_then(Value::as_str);
                let lines = last_lines(text.unwrap_or_default(), lines);
                if !lines.is_empty() {
                    return Ok(Some(log(lines, None)));
                }
                empty.get_or_insert(log(lines, None));
            }
            // Whoever may look at processes need not be one who may read what they write.
            Err(CallError::Status { code: 403, .. }) => {
                return Ok(Some(log(Vec::new(), Some("not for you to read".to_owned()))));
            }
            Err(CallError::Fault(fault)) => {
                return Ok(Some(log(Vec::new(), Some(fault.text))));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(empty)
}

fn last_lines(text: &str, most: usize) -> Vec<String> {
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(most)..].iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, process, refused};
    use crate::pools::tests::{self as pools, late, listener};
    use provost_wire::{FaultCode::*, Value};

    fn wish(user: &str) -> Value {
        let who = if user.is_empty() { "supervisor" } else { "client" };
        Value::members([
            ("who", who.into()),
            ("user", user.into()),
            ("from", "127.0.0.1:5".into()),
            ("door", "inet_http_server".into()),
            ("at", 0.into()),
        ])
    }

    fn life(members: Vec<(&str, Value)>) -> Value {
        let usual = [("pid", 42.into()), ("stop", 90.into()), ("milliseconds", 1500.into())];
        with(usual.to_vec(), members)
    }

    /// Those of the second list count.
    fn with(usual: Vec<(&str, Value)>, members: Vec<(&str, Value)>) -> Value {
        let mut all = members;
        for (name, value) in usual {
            if all.iter().all(|(known, _)| *known != name) {
                all.push((name, value));
            }
        }
        Value::Struct(all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn history(state: i32, statename: &str, members: Vec<(&str, Value)>) -> Value {
        let usual = vec![
            ("name", "web".into()),
            ("group", "web".into()),
            ("state", state.into()),
            ("statename", statename.into()),
            ("now", 100.into()),
            ("since", 90.into()),
            ("due", (-1).into()),
            ("autostart", true.into()),
            ("autorestart", "unexpected".into()),
            ("exitcodes", vec![0.into()].into()),
            ("startsecs", 1.into()),
            ("stopsignal", "SIGTERM".into()),
            ("stopwaitsecs", 10.into()),
            ("configured", true.into()),
            ("attempts", 1.into()),
        ];
        with(usual, members)
    }

    /// What is said of the web, times left out.
    fn said(state: i32, statename: &str, members: Vec<(&str, Value)>) -> String {
        let told = history(state, statename, members);
        let up = Script::default().up().answers("provost.getProcessHistory", told);
        let ran = up.answers("provost.getListeners", Value::Array(vec![])).run("why web").exits(0);
        let ran = ran.asked("provost.getProcessHistory", &["web".into()]);
        let mut text = ran.output().to_owned();
        while let Some(at) = text.find("19") {
            text.replace_range(at..at + "1970-01-01 00:00:00".len(), "T");
        }
        text
    }

    fn end(state: i32, statename: &str, members: Vec<(&str, Value)>) -> String {
        said(state, statename, vec![("lives", vec![life(members)].into())])
    }

    fn signal(number: i32, name: &str) -> Vec<(&'static str, Value)> {
        vec![("end", "signal".into()), ("signal", number.into()), ("signalname", name.into())]
    }

    #[track_caller]
    fn has(text: &str, parts: &[&str]) {
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
    }

    #[test]
    fn who_stopped_it_is_said_first() {
        let stopped = said(0, "STOPPED", vec![("stopped_by", wish("ann"))]);
        has(
            &stopped,
            &["web: STOPPED since T (10 s ago): stopped by ann from 127.0.0.1:5 (inet_http_server)\n"],
        );
        has(&stopped, &["  - to start it: supervisorctl start web\n"]);
        let never = vec![("since", 0.into()), ("autostart", false.into()), ("attempts", 0.into())];
        has(
            &said(0, "STOPPED", never),
            &["web: STOPPED: it was never started, and does not start by itself"],
        );
        let by_all = said(0, "STOPPED", vec![("stopped_by", wish(""))]);
        has(&by_all, &["stopped by the supervisor, which is ending"]);
    }

    #[test]
    fn ends_by_signals_say_whose_they_were() {
        let mut oom = signal(9, "SIGKILL");
        oom.push(("out_of_memory", "likely".into()));
        has(
            &end(100, "EXITED", oom),
            &["ended by SIGKILL after 1.500 s, by the kernel for want of memory", "raise the memory limit"],
        );
        has(
            &end(100, "EXITED", signal(9, "SIGKILL")),
            &["not from the supervisor", "the kernel's log may know"],
        );
        let mut ours = signal(9, "SIGKILL");
        ours.extend([("killed", true.into()), ("stopped_by", wish("ann"))]);
        has(
            &end(0, "STOPPED", ours),
            &["(killed by the supervisor: SIGTERM ignored for stopwaitsecs=10; stopped by ann from "],
        );
        let mut sent = signal(15, "SIGTERM");
        sent.push(("sent", Value::members([("signal", 15.into()), ("by", wish("bob"))])));
        let sent = end(100, "EXITED", sent);
        has(&sent, &["(sent by bob from 127.0.0.1:5"]);
        assert!(!sent.contains("not from the supervisor"), "{sent}");
        let mut crash = signal(11, "SIGSEGV");
        has(&end(100, "EXITED", crash.clone()), &["left no core dump"]);
        crash.push(("core_dumped", true.into()));
        has(&end(100, "EXITED", crash), &["SIGSEGV after 1.500 s, core dumped", "coredumpctl info 42"]);
    }

    #[test]
    fn failed_starts_say_the_stage_and_what_helps() {
        let lost = vec![("end", "unborn".into()), ("failure", "can't find command 'x'".into())];
        has(
            &end(200, "FATAL", lost),
            &["could not be started: can't find command 'x'", "give the full path"],
        );
        let given_up = vec![
            ("end", "exit".into()),
            ("exitstatus", 127.into()),
            ("failure", "cannot go to the directory /x: No such file or directory (ENOENT)".into()),
            ("then", "given up".into()),
            ("attempts", 4.into()),
        ];
        let text = end(200, "FATAL", given_up);
        has(&text, &["never ran: cannot go to the directory /x", "gave up after 4 attempts in a row\n"]);
        has(&text, &["make the directory", "when that is mended: supervisorctl start web"]);
        assert!(!text.contains("its loader") && !text.contains("127"), "{text}");
        let quick = vec![("end", "exit".into()), ("exitstatus", 0.into()), ("too_quick", true.into())];
        has(&end(30, "BACKOFF", quick), &["too quickly (startsecs=1)", "keep it in the foreground"]);
        let shell = vec![("end", "exit".into()), ("exitstatus", 127.into()), ("too_quick", true.into())];
        has(&end(200, "FATAL", shell), &["127 is what a shell says"]);
    }

    #[test]
    fn an_end_as_configured_is_said_to_be_one() {
        let done = vec![("end", "exit".into()), ("expected", true.into())];
        has(
            &end(100, "EXITED", done),
            &["exit status 0 after 1.500 s, as expected", "other exit codes than 0 only"],
        );
        let gone = said(20, "RUNNING", vec![("configured", false.into()), ("pid", 7.into())]);
        has(&gone, &["web: RUNNING since T (10 s ago): pid 7\n", "supervisorctl update takes it away"]);
    }

    #[test]
    fn the_end_of_the_log_comes_with_it_harmless_and_advised_upon() {
        let told = history(
            200,
            "FATAL",
            vec![("stderr_logfile", "/e".into()), ("stdout_logfile", "/o".into()), ("spawnerr", "x".into())],
        );
        let tail = |text: &str| Value::Array(vec![text.into(), 9.into(), false.into()]);
        let up = || Script::default().up().answers("provost.getProcessHistory", told.clone());
        let ran = up()
            .answers("supervisor.tailProcessStderrLog", tail("one\n\u{1b}[2Jbind: EADDRINUSE\n"))
            .run("why web")
            .exits(0);
        has(
            ran.output(),
            &["  the end of its stderr (/e):\n    | one\n    | ^[[2Jbind", "its address is taken"],
        );
        let ran = up()
            .answers("supervisor.tailProcessStderrLog", tail(""))
            .answers("supervisor.tailProcessStdoutLog", tail("hello"))
            .run("why web");
        has(ran.output(), &["the end of its stdout (/o):\n    | hello\n"]);
        let ran =
            up().fails("supervisor.tailProcessStderrLog", refused(403, "Forbidden")).run("why web").exits(0);
        has(ran.output(), &["its stderr (/e): not for you to read\n"]);
    }

    #[test]
    fn another_daemon_is_asked_for_what_it_knows() {
        let info = with(
            vec![("start", 80.into()), ("stop", 90.into()), ("now", 100.into()), ("exitstatus", 2.into())],
            vec![
                ("name", "web".into()),
                ("group", "web".into()),
                ("state", 100.into()),
                ("statename", "EXITED".into()),
                ("spawnerr", "Bad exit code 2".into()),
            ],
        );
        let ran = Script::default()
            .up()
            .faults("provost.getProcessHistory", UnknownMethod, None)
            .answers("supervisor.getProcessInfo", info)
            .faults("supervisor.getProcessInfo", BadName, None)
            .run("why web nosuch")
            .exits(1);
        has(
            ran.output(),
            &["web: EXITED", "exit status 2 after 10 s, not expected", "nosuch: ERROR (no such process)\n"],
        );
    }

    /// What is said of a listener called web, of a pool in which nothing or much waits.
    fn heard(state: &str, event: &str, pool: impl Fn(Value) -> Value) -> String {
        let pools = pool(pools::pool("web", vec![listener("web", state, event)]));
        let told = history(20, "RUNNING", vec![("pid", 42.into())]);
        Script::default()
            .up()
            .answers("provost.getProcessHistory", told)
            .answers("provost.getListeners", vec![pools].into())
            .run("why web")
            .exits(0)
            .output()
            .to_owned()
    }

    #[test]
    fn a_listener_that_hears_nothing_says_why() {
        let deaf = heard("UNKNOWN", "", |pool| late(pool, "3", "61000"));
        has(
            &deaf,
            &[
                "pid 42, but it gets no events since it broke the listener protocol\n",
                "  as a listener it has been UNKNOWN for 12 s; it was told 9 events, 3 wait, the oldest for 1 min\n",
                "has to go to stderr",
                "supervisorctl restart web; with listener_recover=true",
            ],
        );
        let stuck = heard("BUSY", "4711", |pool| late(pool, "1", "200"));
        has(
            &stuck,
            &[
                "BUSY for 12 s with event 4711; it was told 9 events, one waits, for 0.200 s\n",
                "not answered event 4711",
                "is stuck: supervisorctl restart web",
            ],
        );
        has(&heard("ACKNOWLEDGED", "", |pool| pool), &["not said READY since"]);
        let behind = heard("READY", "", |pool| late(pool, "9", "5001"));
        has(&behind, &["faster than it takes them"]);
        let well = heard("READY", "", |pool| pool);
        has(
            &well,
            &["pid 42\n", "  as a listener it has been READY for 12 s; it was told 9 events, none waits\n"],
        );
        assert!(!well.contains("try:"), "{well}");
    }

    #[test]
    fn listeners_are_asked_about_once_and_told_of_in_a_document() {
        let pools = pools::pool("web", vec![listener("web", "BUSY", "4711")]);
        let ran = Script::default()
            .up()
            .answers("provost.getProcessHistory", history(20, "RUNNING", vec![]))
            .answers("provost.getProcessHistory", history(20, "RUNNING", vec![("name", "b".into())]))
            .answers("provost.getListeners", vec![pools].into())
            .run("why --json web web:b")
            .exits(0);
        let document: serde_json::Value = serde_json::from_str(ran.output()).unwrap();
        let listener = &document["results"][0]["listener"];
        assert_eq!(
            (&listener["event"], &listener["pool"]["delivered"]),
            (&4711.into(), &5_000_000_000_u64.into())
        );
        assert_eq!(document["results"][1]["listener"], serde_json::Value::Null);
    }

    #[test]
    fn without_names_what_runs_is_passed_over_and_short_stories_come_first() {
        let three = vec![
            process("web", "web", 200, "FATAL", ""),
            process("ok", "ok", 20, "RUNNING", ""),
            process("b", "b", 0, "STOPPED", ""),
        ];
        let long = history(200, "FATAL", vec![("lives", vec![life(signal(11, "SIGSEGV")); 3].into())]);
        let short = history(0, "STOPPED", vec![("name", "b".into()), ("group", "b".into())]);
        let ran = Script::default()
            .up()
            .answers("supervisor.getAllProcessInfo", three.into())
            .answers("provost.getProcessHistory", long)
            .answers("provost.getProcessHistory", short)
            .run("why")
            .exits(0);
        let (first, second) = ran.output().split_once("\n\n").unwrap();
        assert!(first.starts_with("b: STOPPED") && second.starts_with("web: FATAL"), "{}", ran.output());
        let all_well = vec![process("ok", "ok", 20, "RUNNING", "")];
        let up = Script::default().up().answers("supervisor.getAllProcessInfo", all_well.into());
        up.run("why").says("Everything is RUNNING.\n").exits(0);
    }

    #[test]
    fn a_group_is_told_of_in_full_or_is_none() {
        let two = || vec![process("g", "a", 20, "RUNNING", ""), process("h", "h", 20, "RUNNING", "")];
        Script::default()
            .up()
            .answers("supervisor.getAllProcessInfo", two().into())
            .answers("provost.getProcessHistory", history(20, "RUNNING", vec![]))
            .faults("provost.getListeners", UnknownMethod, None)
            .run("why g:*")
            .asked("provost.getProcessHistory", &["g:a".into()])
            .exits(0);
        Script::default()
            .up()
            .answers("supervisor.getAllProcessInfo", two().into())
            .answers("provost.getProcessHistory", history(20, "RUNNING", vec![]))
            .faults("provost.getListeners", UnknownMethod, None)
            .run("why g:a*")
            .asked("provost.getProcessHistory", &["g:a".into()])
            .exits(0);
        let up = Script::default().up().answers("supervisor.getAllProcessInfo", two().into());
        up.run("why x:*").says("x: ERROR (no such group)\n").exits(1);
    }

    #[test]
    fn a_document_has_all_of_it() {
        let lives = vec![life(vec![("start", 80.into()), ("exitstatus", 3.into())])];
        let members = vec![("stopped_by", wish("ann")), ("spawnerr", "x".into()), ("lives", lives.into())];
        let told = history(0, "STOPPED", members);
        let ran =
            Script::default().up().answers("provost.getProcessHistory", told).run("why --json web").exits(0);
        let document: serde_json::Value = serde_json::from_str(ran.output()).unwrap();
        let web = &document["results"][0];
        assert_eq!(
            (&web["name"], &web["state"], &web["state_code"]),
            (&"web".into(), &"STOPPED".into(), &0.into())
        );
        assert_eq!(web["stopped_by"]["user"], "ann");
        // As `status` calls them.
        let ended = &web["lives"][0];
        assert_eq!(
            (&ended["started"], &ended["stopped"], &ended["exit_status"], &web["spawn_error"]),
            (&80.into(), &90.into(), &3.into(), &"x".into())
        );
        assert_eq!((ended.get("start"), web.get("statename")), (None, None));
        assert_eq!(web["try"][0], "to start it: supervisorctl start web");
        assert_eq!(web["log"], serde_json::Value::Null);
    }
}
