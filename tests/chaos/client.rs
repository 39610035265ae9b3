//! Somebody who stops, starts, restarts and signals programs, without minding that brains die, and remembers what was asked.
//!
//! In: the programs that are this client's own. Out: its [`Wish`]es. A call that nobody answered is made again until
//! somebody does, so a wish may be carried out more often than it was wished; but never before, and never after.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use provost_testkit::{ledger, monotonic_ns};

use crate::Done;
use crate::cast::{Part, Role};
use crate::chance::Chance;
use crate::rpc::{self, Info};

/// What was wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Start,
    Stop,
    /// SIGTERM, past the state machine: the program comes back.
    Signal,
}

/// Something that was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) name: String,
    pub(crate) want: Want,
    /// When it was asked for the first time.
    pub(crate) sent_ns: u64,
    /// When it was certain.
    pub(crate) done_ns: u64,
    pub(crate) tries: u32,
    pub(crate) fault: Option<i32>,
    /// Whether it came to pass before patience ended.
    pub(crate) settled: bool,
    /// The exit status that was said afterwards of what was stopped.
    pub(crate) exitstatus: Option<i32>,
}

/// How long a client thinks, at most.
const THOUGHT: Duration = Duration::from_millis(400);
/// How long a client looks whether a wish comes to pass.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Client {
    socket: PathBuf,
    ledger: PathBuf,
    parts: Vec<Part>,
    chance: Chance,
    wishes: Vec<Wish>,
}

impl Client {
    pub(crate) fn new(socket: PathBuf, ledger: PathBuf, parts: Vec<Part>, chance: Chance) -> Client {
        Client { socket, ledger, parts, chance, wishes: Vec::new() }
    }

    pub(crate) fn live(mut self, done: &Done) -> Vec<Wish> {
        while !done.is_said() {
            let part = self.chance.pick(&self.parts).clone();
            match self.chance.below(8) {
                0 if part.role == Role::Asked => self.ask(&part, Want::Signal),
                1 => self.reread(),
                2 | 3 => self.ask(&part, Want::Stop),
                4 | 5 => self.ask(&part, Want::Start),
                _ => {
                    self.ask(&part, Want::Stop);
                    self.ask(&part, Want::Start);
                }
            }
            self.chance.dawdle(THOUGHT);
        }
        self.wishes
    }

    fn ask(&mut self, part: &Part, want: Want) {
        let name = &part.name;
        let name_value = format!("<string>{name}</string>");
        let answer = match want {
            Want::Start => rpc::call(&self.socket, "supervisor.startProcess", &[&name_value]),
            Want::Stop => rpc::call(&self.socket, "supervisor.stopProcess", &[&name_value]),
            Want::Signal => {
                rpc::call(&self.socket, "supervisor.signalProcess", &[&name_value, "<string>TERM</string>"])
            }
        };
        let mut wish = Wish {
            name: name.clone(),
            want,
            sent_ns: answer.sent_ns,
            done_ns: answer.answered_ns,
            tries: answer.tries,
            fault: answer.fault(),
            settled: true,
            exitstatus: None,
        };
        match want {
            // "Not running" is also what a second try hears while the first is still being carried out.
            Want::Stop => {
                let info = self.comes_to_pass(name, |info| info.state != "STOPPING");
                wish.settled = info.is_some();
                wish.exitstatus = info.map(|info| info.exitstatus);
                if wish.fault.is_some() {
                    wish.done_ns = monotonic_ns();
                }
            }
            // One that has not yet entered itself would end without a trace if it were signalled now.
            Want::Start => wish.settled = self.is_entered(name),
            Want::Signal => {}
        }
        self.wishes.push(wish);
    }

    /// The file has not changed, whichever brain reads it.
    fn reread(&self) {
        let answer = rpc::call(&self.socket, "supervisor.reloadConfig", &[]);
        assert!(!answer.body.contains("<string>"), "nothing has changed, but: {}", answer.body);
    }

    fn is_entered(&self, name: &str) -> bool {
        let entered = |pid| ledger(&self.ledger, name).iter().any(|entry| entry.pid == pid);
        self.comes_to_pass(name, |info| info.pid == 0 || entered(info.pid)).is_some()
    }

    fn comes_to_pass(&self, name: &str, wanted: impl Fn(&Info) -> bool) -> Option<Info> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let value = format!("<string>{name}</string>");
            let answer = rpc::call(&self.socket, "supervisor.getProcessInfo", &[&value]);
            let info = rpc::infos(&answer).into_iter().find(&wanted);
            if info.is_some() {
                return info;
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }
}
