//! Somebody who kills programs, with SIGKILL and behind the supervisor's back, and remembers whom.

use std::path::PathBuf;
use std::time::Duration;

use provost_testkit::{HelloSocket, Process, Signal, ledger, monotonic_ns, until};

use crate::Done;
use crate::chance::Chance;

/// How long a program is left in peace, at most.
const PEACE: Duration = Duration::from_millis(1500);

/// A program that was killed.
#[derive(Debug, Clone)]
pub(crate) struct Kill {
    pub(crate) name: String,
    pub(crate) pid: i32,
    pub(crate) at_ns: u64,
}

pub(crate) struct Killer {
    hellos: HelloSocket,
    ledger: PathBuf,
    names: Vec<String>,
    chance: Chance,
}

impl Killer {
    pub(crate) fn new(hellos: HelloSocket, ledger: PathBuf, names: Vec<String>, chance: Chance) -> Killer {
        Killer { hellos, ledger, names, chance }
    }

    pub(crate) fn live(mut self, done: &Done) -> Vec<Kill> {
        let mut kills = Vec::new();
        for name in self.names.clone().iter().cycle() {
            let pid = self.hellos.wait(name).pid;
            self.wait_until_entered(name, pid);
            self.chance.dawdle(PEACE);
            if done.is_said() {
                break;
            }
            // Nobody else ends these, so the pid is still its own.
            let process = Process::new(pid);
            let at_ns = monotonic_ns();
            process.signal(Signal::KILL);
            process.wait_until_gone();
            kills.push(Kill { name: name.clone(), pid, at_ns });
        }
        kills
    }

    #[track_caller]
    fn wait_until_entered(&self, name: &str, pid: i32) {
        until(&format!("{name} (pid {pid}) begins"), || {
            ledger(&self.ledger, name).last().is_some_and(|entry| entry.pid == pid)
        });
    }
}
