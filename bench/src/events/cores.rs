//! What the processors do while nobody has anything to do.
//!
//! In: a way. Out: a guard; what is started while it lives is treated that way, and ended with it. A processor that sleeps takes long to come back,
//! in a virtual machine above all, and a round trip between two processes is then mostly that. Which of these a real machine is
//! like depends on what else it does; so all are measured.

use std::io::Read as _;
use std::process::{Command, Stdio};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::family;
use crate::programs::Programs;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cores {
    /// They sleep, and the kernel decides who has which.
    Asleep,
    /// They are kept awake by what yields to everybody.
    Awake,
    /// All have the same one.
    One,
}

impl Cores {
    pub(super) const ALL: [Cores; 3] = [Cores::Asleep, Cores::Awake, Cores::One];

    pub(super) fn name(self) -> &'static str {
        match self {
            Cores::Asleep => "asleep",
            Cores::Awake => "awake",
            Cores::One => "one",
        }
    }

    /// From here on it is so, for this thread and whatever it starts.
    pub(super) fn hold(self, programs: &Programs) -> Held {
        let allowed = sched_getaffinity(None).expect("a thread may ask where it may run");
        match self {
            Cores::Asleep => {}
            Cores::Awake => spin(programs),
            Cores::One => {
                let first = (0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu));
                let mut one = CpuSet::new();
                one.set(first.expect("it runs somewhere"));
                sched_setaffinity(None, &one).expect("a thread may have less than it has");
            }
        }
        Held { allowed }
    }
}

/// See [`Cores::hold`].
#[derive(Debug)]
pub(super) struct Held {
    allowed: CpuSet,
}

impl Drop for Held {
    fn drop(&mut self) {
        sched_setaffinity(None, &self.allowed).expect("it was allowed to begin with");
        // With whatever else was started, those that spin.
        family::sweep();
    }
}

#[expect(clippy::zombie_processes, reason = "whoever sweeps reaps, and the guard does")]
fn spin(programs: &Programs) {
    let mut child = Command::new(&programs.warm)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was compiled just now");
    let mut output = child.stdout.take().expect("it has a pipe");
    output.read_exact(&mut [0]).expect("it says when all of them spin");
}
