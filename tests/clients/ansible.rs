//! What Ansible's module `community.general.supervisorctl` does with supervisorctl, over real programs.
//!
//! In: a daemon, a name and the state that somebody wants. Out: what the module would report. It knows nothing but what is
//! printed and exit statuses: a line of `status` is its fields between blanks, a deed went well if it says so with the very name that
//! `status` has shown, and `signal USR1` is one word of the command line. Not here: Ansible itself.

use provost_testkit::{CtlOutput, Daemon, HEAD, Lines};

use super::PROGRAMS;

/// What the module says in the end: whether something was changed, or why it failed.
type Report = Result<Changed, String>;

/// Names of the processes that something was done to, where the module tells.
#[derive(Debug, PartialEq, Eq)]
enum Changed {
    Nothing,
    Group,
    Processes(Vec<String>),
}

fn processes(names: &[&str]) -> Report {
    Ok(Changed::Processes(names.iter().map(|name| (*name).to_owned()).collect()))
}

/// The module with its option `name`; `group:` means all of a group.
struct Module<'a> {
    daemon: &'a Daemon,
    name: &'a str,
}

impl Module<'_> {
    fn started(&self) -> Report {
        self.act(&self.known()?, |state| !is_up(state), "start", "started")
    }

    fn stopped(&self) -> Report {
        self.act(&self.known()?, is_up, "stop", "stopped")
    }

    fn restarted(&self) -> Report {
        self.succeeds(&["update"])?;
        self.act(&self.known()?, |_| true, "restart", "started")
    }

    fn signalled(&self, signal: &str) -> Report {
        let action = format!("signal {signal}");
        self.act(&self.known()?, |state| state == "RUNNING", &action, "signalled")
    }

    fn present(&self) -> Report {
        if !self.matched().is_empty() {
            return Ok(Changed::Nothing);
        }
        self.regroup("add", "added process group")
    }

    /// With `stop_before_removing`.
    fn absent(&self) -> Report {
        let matched = self.matched();
        if matched.is_empty() {
            return Ok(Changed::Nothing);
        }
        self.act(&matched, is_up, "stop", "stopped")?;
        self.regroup("remove", "removed process group")
    }

    /// The processes that the name means, and their states.
    fn matched(&self) -> Vec<(String, String)> {
        let status = self.daemon.ctl(&["status"]).stdout;
        let lines = status.lines().map(|line| {
            let mut fields = line.split(' ').filter(|field| !field.is_empty());
            let mut field =
                || fields.next().unwrap_or_else(|| panic!("too few fields in {line:?}")).to_owned();
            (field(), field())
        });
        let is_meant = |process: &str| match self.name.strip_suffix(':') {
            Some(group) => process.split_once(':').is_some_and(|(of, _)| of == group),
            None => self.name == "all" || process == self.name,
        };
        lines.filter(|(process, _)| is_meant(process)).collect()
    }

    fn known(&self) -> Result<Vec<(String, String)>, String> {
        let matched = self.matched();
        if matched.is_empty() { Err("ERROR (no such process)".to_owned()) } else { Ok(matched) }
    }

    fn act(
        &self,
        matched: &[(String, String)],
        wanted: impl Fn(&str) -> bool,
        action: &str,
        result: &str,
    ) -> Report {
        let mut affected = Vec::new();
        for (process, _) in matched.iter().filter(|(_, state)| wanted(state)) {
            let output = self.succeeds(&[action, process])?;
            if !output.stdout.contains(&format!("{process}: {result}")) {
                return Err(output.stdout);
            }
            affected.push(process.clone());
        }
        Ok(if affected.is_empty() { Changed::Nothing } else { Changed::Processes(affected) })
    }

    fn regroup(&self, action: &str, result: &str) -> Report {
        self.succeeds(&["reread"])?;
        // Here the module looks at what is said only.
        let output = self.daemon.ctl(&[action, self.name]);
        if output.stdout.contains(&format!("{}: {result}", self.name)) {
            Ok(Changed::Group)
        } else {
            Err(output.stdout)
        }
    }

    fn succeeds(&self, words: &[&str]) -> Result<CtlOutput, String> {
        let output = self.daemon.ctl(words);
        if output.status == 0 { Ok(output) } else { Err(output.stdout) }
    }
}

fn is_up(state: &str) -> bool {
    matches!(state, "RUNNING" | "STARTING")
}

#[test]
fn ansible_gets_what_it_asks_for_and_sees_what_has_changed() {
    for implementation in super::pairs() {
        let mut daemon = Daemon::start(&implementation, &format!("{HEAD}{PROGRAMS}"));
        daemon.wait_for_hello("one");
        let mut said = Lines::follow(&daemon.sandbox().file("one.log"));
        let module = |name| Module { daemon: &daemon, name };
        let which = format!("{} on {}", implementation.supervisorctl[0].display(), implementation.name);

        assert_eq!(module("off").started(), processes(&["off"]), "{which}");
        assert_eq!(module("off").started(), Ok(Changed::Nothing), "{which}");
        let both = processes(&["pair:pair_00", "pair:pair_01"]);
        assert_eq!(module("pair:").started(), both, "{which}");
        assert_eq!(module("pair:pair_00").stopped(), processes(&["pair:pair_00"]), "{which}");
        assert_eq!(module("pair:").stopped(), processes(&["pair:pair_01"]), "{which}");
        assert_eq!(module("pair:").restarted(), both, "{which}");
        assert_eq!(module("one").signalled("USR1"), processes(&["one"]), "{which}");
        said.wait_for("got");

        assert_eq!(module("nobody").started(), Err("ERROR (no such process)".to_owned()), "{which}");
        assert_eq!(module("broken").started(), Err("broken: ERROR (no such file)\n".to_owned()), "{which}");

        assert_eq!(module("off").absent(), Ok(Changed::Group), "{which}");
        assert_eq!(module("off").absent(), Ok(Changed::Nothing), "{which}");
        assert_eq!(module("off").present(), Ok(Changed::Group), "{which}");
        assert_eq!(module("off").present(), Ok(Changed::Nothing), "{which}");
        assert_eq!(module("broken").absent(), Ok(Changed::Group), "{which}");
        assert_eq!(
            module("all").restarted(),
            Err("broken: ERROR (not running)\nbroken: ERROR (no such file)\n".to_owned()),
            "{which}: update has brought it back"
        );
        assert_eq!(module("all").stopped(), processes(&["one", "pair:pair_00", "pair:pair_01"]), "{which}");
    }
}
