//! A daemon, ours or Supervisor's, whose programs all run.
//!
//! In: who, how many programs, and their startsecs. Out: the daemon with its two doors, and whose time counts as its.

use std::fs;
use std::path::Path;
use std::time::Duration;

use provost_testkit::{Daemon, Deadline, HEAD, Implementation, Sandbox, Signal, descendants, free_port};

use crate::family;
use crate::programs::Programs;
use crate::starts::{self, Starts};

const PATIENCE: Duration = Duration::from_secs(120);

/// A daemon whose programs all run.
pub(crate) struct Listed {
    pub(crate) name: &'static str,
    pub(crate) daemon: Daemon,
    pub(crate) port: u16,
    _starts: Starts,
}

impl Listed {
    /// `startsecs` as in the configuration.
    pub(crate) fn start(
        implementation: &Implementation,
        programs: &Programs,
        count: usize,
        startsecs: u32,
    ) -> Listed {
        let sandbox = Sandbox::new();
        let starts = Starts::create(&sandbox.file("starts"), count);
        let port = free_port();
        let config = configuration(&programs.program, port, count, startsecs);
        let daemon = Daemon::start_in(sandbox, implementation, &config);
        if let Err(reached) = starts.wait_for_all(Deadline::after(PATIENCE)) {
            panic!("{} has started {reached} of {count} programs", implementation.name);
        }
        Listed { name: implementation.name, daemon, port, _starts: starts }
    }

    /// Of the processes that supervise.
    pub(crate) fn pids(&self) -> Vec<i32> {
        let name = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let mut pids = descendants(self.daemon.pid());
        pids.retain(|pid| name(pid) != "program\n");
        pids.push(self.daemon.pid());
        pids
    }

    pub(crate) fn discard(self) {
        self.daemon.process().signal(Signal::KILL);
        self.daemon.process().wait_until_gone();
        family::sweep();
    }
}

fn configuration(program: &Path, port: u16, count: usize, startsecs: u32) -> String {
    let mut text =
        format!("{HEAD}minfds={}\n\n[inet_http_server]\nport=127.0.0.1:{port}\n", 3 * count + 1024);
    for number in 0..count {
        text.push_str(&format!(
            "\n[program:p{number}]\ncommand={} {number}\nstartsecs={startsecs}\nenvironment={}=\"{{dir}}/starts\"\n\
             stdout_logfile=NONE\nstderr_logfile=NONE\n",
            program.display(),
            starts::ADDRESS,
        ));
    }
    text
}
