//! What Salt's module and state `supervisord` do with supervisorctl, over real programs.
//!
//! In: a daemon, and what somebody wants. Out: what the module would answer, and whether the state would have failed. It puts
//! `ERROR: ` before whatever came with another status than 0, takes any answer with the word ERROR in it for a failure unless it
//! knows better, splits lines of `status` at blanks, and sends a whole command line as one word. Not here: Salt itself.

use std::collections::BTreeMap;

use provost_testkit::{Daemon, HEAD, Implementation};

use super::PROGRAMS;

struct Minion<'a>(&'a Daemon);

impl Minion<'_> {
    /// Any answer of the module.
    fn told(&self, words: &[&str]) -> String {
        let output = self.0.ctl(words);
        let text = output.stdout.trim_end().to_owned();
        if output.status == 0 { text } else { format!("ERROR: {text}") }
    }

    /// `custom`: the whole line is one word.
    fn custom(&self, line: &str) -> String {
        self.told(&[line])
    }

    /// `status`: name, state and the rest.
    fn status(&self, names: &[&str]) -> BTreeMap<String, (String, String)> {
        let words: Vec<&str> = std::iter::once("status").chain(names.iter().copied()).collect();
        let text = self.0.ctl(&words).stdout;
        let lines = text.lines().filter_map(|line| {
            let (name, rest) = line.trim_end().split_once(char::is_whitespace)?;
            let rest = rest.trim_start();
            let (state, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            Some((name.to_owned(), (state.to_owned(), reason.trim_start().to_owned())))
        });
        lines.collect()
    }

    /// The state `running`: is there, and up.
    fn running(&self, name: &str) -> Result<&'static str, String> {
        let known = self.status(&[]);
        let of_group = name.strip_suffix(":*").map(|group| format!("{group}:"));
        let matches: Vec<&str> = known
            .iter()
            .filter(|(known, _)| match &of_group {
                Some(group) => known.starts_with(group.as_str()),
                None => *known == name,
            })
            .map(|(_, (state, _))| state.as_str())
            .collect();
        let name = of_group.as_deref().unwrap_or(name);
        if matches.is_empty() {
            let added = self.told(&["add", name.trim_end_matches(':')]);
            unless(&added, "process group already active")?;
        } else if matches.iter().all(|state| *state == "RUNNING") {
            return Ok("nothing to do");
        }
        let started = self.told(&["start", name]);
        unless(&started, "already started")?;
        Ok("started")
    }

    /// The state `running` with `update`: it is not started again if that has just been done.
    fn updated(&self, name: &str) -> Result<&'static str, String> {
        let result = self.told(&["update"]);
        unless(&result, "\0")?;
        if result.contains(&format!("{name}: updated")) { Ok("updated") } else { self.running(name) }
    }

    /// The state `dead`.
    fn dead(&self, name: &str) -> Result<&'static str, String> {
        let stopped = self.told(&["stop", name]);
        unless(&stopped, "not running")?;
        Ok("stopped")
    }
}

/// An error, unless it is one that is as good as what was asked for.
fn unless(result: &str, fine: &str) -> Result<(), String> {
    if result.contains("ERROR") && !result.contains(fine) { Err(result.to_owned()) } else { Ok(()) }
}

#[test]
fn salt_reads_what_it_is_told() {
    std::thread::scope(|scope| {
        for pair in super::pairs() {
            scope.spawn(move || highstate(&pair));
        }
    });
}

fn highstate(pair: &Implementation) {
    let mut daemon = Daemon::start(pair, &format!("{HEAD}{PROGRAMS}"));
    daemon.wait_for_log_line("success: one");
    let which = format!("{} on {}", pair.supervisorctl[0].display(), pair.name);
    let minion = Minion(&daemon);

    let known = minion.status(&[]);
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    assert_eq!(names, ["broken", "off", "one", "pair:pair_00", "pair:pair_01"], "{which}");
    assert_eq!(known["off"], ("STOPPED".to_owned(), "Not started".to_owned()), "{which}");
    assert!(known["one"].0 == "RUNNING" && known["one"].1.starts_with("pid "), "{which}: {known:?}");
    let missing = minion.status(&["nobody"]);
    assert_eq!(missing["nobody:"], ("ERROR".to_owned(), "(no such process)".to_owned()), "{which}");

    assert_eq!(minion.running("one"), Ok("nothing to do"), "{which}");
    assert_eq!(minion.running("off"), Ok("started"), "{which}");
    assert_eq!(minion.running("pair:*"), Ok("started"), "{which}");
    assert_eq!(minion.running("pair:*"), Ok("nothing to do"), "{which}");
    assert_eq!(minion.running("broken"), Err("ERROR: broken: ERROR (no such file)".to_owned()), "{which}");
    let nobody = Err("ERROR: ERROR: no such process/group: nobody".to_owned());
    assert_eq!(minion.running("nobody"), nobody, "{which}");
    assert_eq!(minion.dead("off"), Ok("stopped"), "{which}");
    assert_eq!(minion.dead("off"), Ok("stopped"), "{which}: it is not running, which is fine");
    assert_eq!(minion.dead("nobody"), Err("ERROR: nobody: ERROR (no such process)".to_owned()), "{which}");

    assert_eq!(minion.told(&["start", "one"]), "one: ERROR (already started)", "{which}: not prefixed");
    assert_eq!(minion.told(&["restart", "one"]), "one: stopped\none: started", "{which}");
    // Its first life, and then this one: before that a signal would end it.
    daemon.wait_for_hello("one");
    daemon.wait_for_hello("one");
    let minion = Minion(&daemon);
    assert_eq!(minion.custom("start off one"), "off: started\none: ERROR (already started)", "{which}");
    assert_eq!(minion.custom("signal USR1 one"), "one: signalled", "{which}");
    assert_eq!(
        minion.custom("stop pair:pair_00 nobody"),
        "ERROR: pair:pair_00: stopped\nnobody: ERROR (no such process)",
        "{which}"
    );
    assert_eq!(minion.told(&["add", "one"]), "ERROR: process group already active", "{which}");
    assert_eq!(minion.told(&["remove", "one"]), "ERROR: ERROR: process/group still running: one", "{which}");
    assert_eq!(minion.told(&["reread"]), "No config updates to processes", "{which}");

    daemon.write_config(&format!(
        "{HEAD}{}",
        PROGRAMS.replace("[program:off]", "[program:off]\nstopwaitsecs=7")
    ));
    let minion = Minion(&daemon);
    assert_eq!(minion.told(&["reread"]), "off: changed", "{which}");
    assert_eq!(minion.updated("off"), Ok("updated"), "{which}");
    assert_eq!(minion.updated("one"), Ok("nothing to do"), "{which}");
}
