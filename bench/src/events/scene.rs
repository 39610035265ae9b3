//! A daemon, ours or Supervisor's, with one listener that acknowledges at once.
//!
//! In: who, to what the listener subscribes, and further sections. Out: the daemon, what its listener has heard, what the daemon has
//! worked, and how much memory it has. Not here: what happens that listeners are told of.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;

use provost_testkit::{
    DEADLINE, Daemon, Deadline, HEAD, Implementation, Process, Sandbox, Signal, descendants, post,
};

use super::book::Book;
use crate::family;
use crate::proc;
use crate::programs::Programs;

/// How many calls go into one request.
const CALLS: usize = 500;
/// As long as makes the whole event `super::MESSAGE` bytes or hardly less.
const DATA: &str = "sixty-four bytes of something that somebody has to tell someone.";

/// What the listener's section says beyond its command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool {
    pub(super) events: &'static str,
    /// As in the configuration; `None` for what it is without being said.
    pub(super) buffer_size: Option<usize>,
    pub(super) logfile: &'static str,
}

#[derive(Debug)]
pub(super) struct Scene {
    daemon: Daemon,
    pub(super) book: Book,
    pub(super) listener: Process,
}

impl Scene {
    pub(super) fn start(
        implementation: &Implementation,
        programs: &Programs,
        pool: Pool,
        sections: &str,
    ) -> Scene {
        let sandbox = Sandbox::new();
        let book = Book::create(&sandbox.file("book"));
        let daemon = Daemon::start_in(sandbox, implementation, &configuration(programs, pool, sections));
        let listener = Process::new(book.wait_for_listener(Deadline::after(DEADLINE)));
        Scene { daemon, book, listener }
    }

    /// Of the processes that supervise.
    fn pids(&self) -> Vec<i32> {
        let name = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let mut pids = descendants(self.daemon.pid());
        pids.retain(|pid| name(pid) == "provost-brain\n");
        pids.push(self.daemon.pid());
        pids
    }

    /// What all its threads have done so far.
    pub(super) fn worked(&self) -> std::collections::BTreeMap<i32, proc::Work> {
        proc::threads(&self.pids())
    }

    /// Has it publish so many events, as fast as it takes them.
    pub(super) fn publish(&self, events: usize) {
        let mut left = events;
        while left > 0 {
            let calls = left.min(CALLS);
            let answer = post(&self.daemon.socket(), "/RPC2", multicall(calls).as_bytes());
            let answer = answer.expect("a daemon that runs answers");
            let text = String::from_utf8_lossy(&answer.body);
            assert_eq!(text.matches("<boolean>1</boolean>").count(), calls, "{text}");
            left -= calls;
        }
    }

    /// Asks about a group, and waits for the answer.
    pub(super) fn ask(&self, method: &str, group: &str) {
        let call = format!(
            "<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params><param><value><string>{group}\
             </string></value></param></params></methodCall>"
        );
        let answer =
            post(&self.daemon.socket(), "/RPC2", call.as_bytes()).expect("a daemon that runs answers");
        assert!(!String::from_utf8_lossy(&answer.body).contains("<fault>"), "{method}: {answer:?}");
    }

    pub(super) fn memory(&self) -> Memory {
        let pids = self.pids();
        let private = proc::memory(&pids);
        let mut files = HashMap::new();
        for pid in &pids {
            let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
            for path in entries.flatten().map(|entry| entry.path()) {
                let (Ok(target), Ok(meta)) = (fs::read_link(&path), fs::metadata(&path)) else { continue };
                let target = target.to_string_lossy().into_owned();
                files.insert((meta.dev(), meta.ino()), (target, meta.blocks() / 2));
            }
        }
        let of = |is: fn(&str) -> bool| files.values().filter(|(name, _)| is(name)).map(|(_, kib)| kib).sum();
        Memory {
            private: private.private,
            pss: private.pss,
            shared: of(|name| name.starts_with("/memfd:")),
            spilled: of(|name| !name.starts_with("/memfd:") && name.ends_with(" (deleted)")),
        }
    }

    pub(super) fn discard(self) {
        // A process that is stopped is killed all the same.
        self.daemon.process().signal(Signal::KILL);
        self.daemon.process().wait_until_gone();
        family::sweep();
    }
}

/// KiB of the processes that supervise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    pub(super) private: u64,
    pub(super) pss: u64,
    /// In files that are memory and nothing else, mapped or not.
    pub(super) shared: u64,
    /// In files without a name.
    pub(super) spilled: u64,
}

fn configuration(programs: &Programs, pool: Pool, sections: &str) -> String {
    let Pool { events, buffer_size, logfile } = pool;
    let mut text = format!(
        "{HEAD}minfds=4096\n\n[eventlistener:listener]\ncommand={} {{dir}}/book\nevents={events}\nstartsecs=0\nstdout_logfile={logfile}\n\
         stderr_logfile=NONE\n",
        programs.listener.display()
    );
    if let Some(size) = buffer_size {
        writeln!(text, "buffer_size={size}").expect("a string takes everything");
    }
    text + sections
}

fn multicall(calls: usize) -> String {
    let member =
        |name: &str, value: &str| format!("<member><name>{name}</name><value>{value}</value></member>");
    let arguments = ["bench", DATA].map(|text| format!("<value><string>{text}</string></value>")).concat();
    let call = format!(
        "<value><struct>{}{}</struct></value>",
        member("methodName", "<string>supervisor.sendRemoteCommEvent</string>"),
        member("params", &format!("<array><data>{arguments}</data></array>")),
    );
    format!(
        "<?xml version='1.0'?><methodCall><methodName>system.multicall</methodName><params><param><value><array><data>\
         {}</data></array></value></param></params></methodCall>",
        call.repeat(calls)
    )
}
