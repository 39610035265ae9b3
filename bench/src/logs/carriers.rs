//! Who carries: two supervisords, `cat`, and two bare loops in C.
//!
//! In: talkers that wait at their gate. Out: the processes that will carry what they say. Not here: anything that is
//! measured.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use provost_testkit::{Daemon, Deadline, HEAD, Implementation, Process, Signal, descendants};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::talkers::{Talk, Talkers};
use crate::family;
use crate::programs::Programs;

/// For all programs to start.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Clone)]
pub(super) enum Carrier {
    Supervisord(Implementation),
    /// One for each program.
    Cat,
    /// In the way of this name, see `c/carry.c`.
    Loop(&'static str),
}

impl Carrier {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Carrier::Supervisord(implementation) => implementation.name,
            Carrier::Cat => "cat",
            Carrier::Loop("splice") => "bare loop, splice",
            Carrier::Loop(_) => "bare loop, read and write",
        }
    }

    /// Whether there is somebody to ask.
    pub(super) fn answers(&self) -> bool {
        matches!(self, Carrier::Supervisord(_))
    }

    /// Nobody rotates what `cat` writes.
    pub(super) fn can(&self, talk: &Talk) -> bool {
        !matches!(self, Carrier::Cat) || talk.maxbytes == 0
    }
}

/// Programs that wait at their gate, and those who will carry.
#[derive(Debug)]
pub(super) struct Carrying {
    pub(super) talkers: Talkers,
    daemon: Option<Daemon>,
    children: Vec<Child>,
}

impl Carrying {
    pub(super) fn start(programs: &Programs, talk: &Talk, carrier: &Carrier) -> Carrying {
        let talkers = Talkers::prepare(*talk);
        let (daemon, children) = match carrier {
            Carrier::Supervisord(implementation) => {
                let config = configuration(&programs.talker, &talkers, talk);
                (Some(Daemon::start(implementation, &config)), Vec::new())
            }
            Carrier::Cat => (None, (0..talk.programs).flat_map(|n| cat(programs, &talkers, n)).collect()),
            Carrier::Loop(way) => (None, vec![bare_loop(programs, &talkers, talk, way)]),
        };
        talkers.wait_until_ready(Deadline::after(PATIENCE));
        Carrying { talkers, daemon, children }
    }

    /// Where the daemon answers, if there is one.
    pub(super) fn socket(&self) -> Option<std::path::PathBuf> {
        self.daemon.as_ref().map(Daemon::socket)
    }

    /// The programs, and all others that were started.
    pub(super) fn pids(&self) -> (Vec<i32>, Vec<i32>) {
        let own = i32::try_from(std::process::id()).expect("a Linux pid fits an i32");
        let name = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        descendants(own).into_iter().partition(|pid| name(pid) == "talker\n")
    }

    /// Ends everything by force.
    pub(super) fn discard(mut self) {
        if let Some(daemon) = &self.daemon {
            daemon.process().signal(Signal::KILL);
            daemon.process().wait_until_gone();
        }
        for child in &mut self.children {
            Process::new(i32::try_from(child.id()).expect("a Linux pid fits an i32")).signal(Signal::KILL);
            child.wait().expect("our own child can be waited for");
        }
        family::sweep();
    }
}

/// Three pipes and a log for each, and some room for what else there is.
fn descriptors(programs: usize) -> usize {
    4 * programs + 1024
}

/// Lets those that are started from now on have the descriptors for so many programs, if we may; for how many there are enough.
pub(super) fn make_room_for(programs: usize) -> usize {
    let wanted = Some(descriptors(programs) as u64);
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some() && limit.maximum < wanted {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum: wanted });
    }
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(1024) / 4
}

fn configuration(talker: &Path, talkers: &Talkers, talk: &Talk) -> String {
    let Talk { programs, maxbytes, backups, .. } = talk;
    format!(
        "{HEAD}minfds={}\n\n[program:talker]\ncommand={} {}\nprocess_name=t%(process_num)d\nnumprocs={programs}\n\
         startsecs=0\nstdout_logfile={}%(process_num)d\nstdout_logfile_maxbytes={maxbytes}\n\
         stdout_logfile_backups={backups}\nstderr_logfile=NONE\n",
        descriptors(*programs),
        talker.display(),
        talkers.arguments().join(" "),
        talkers.prefix().display(),
    )
}

/// A program and its `cat`.
fn cat(programs: &Programs, talkers: &Talkers, number: usize) -> [Child; 2] {
    let log = format!("{}{number}", talkers.prefix().display());
    let log = File::options().create(true).append(true).open(&log).expect("the sandbox can be written");
    let mut talker = Command::new(&programs.talker);
    talker.args(talkers.arguments()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut talker = talker.spawn().expect("it was compiled just now");
    let output = talker.stdout.take().expect("it has a pipe");
    let cat = Command::new("cat").stdin(output).stdout(log).spawn().expect("every system has a cat");
    [talker, cat]
}

fn bare_loop(programs: &Programs, talkers: &Talkers, talk: &Talk, way: &str) -> Child {
    let mut command = Command::new(&programs.carry);
    command.arg(way).arg(talk.programs.to_string()).arg(talkers.prefix());
    command.args([talk.maxbytes, talk.backups].map(|n| n.to_string()));
    command.arg(&programs.talker).args(talkers.arguments()).stdin(Stdio::null());
    command.spawn().expect("it was compiled just now")
}
