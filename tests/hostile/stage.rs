//! What the themes share: a daemon with an honest listener and a program, a hostile listener beside them, and what there is to be measured.
//!
//! In: the section of a hostile listener. Out: [`Stage`], which publishes events and knows what the honest pool must have been told by
//! then. Not here: what is expected of the hostile one.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use provost_testkit::{
    DEADLINE, Daemon, HEAD, Implementation, Process, Signal, Told, descendants, post, send_signal, told,
};
pub(crate) use provost_testkit::{until, until_within};
use serde_json::Value as Json;

/// How late anything may come here that nothing should delay. The machine may be busy with other tests.
pub(crate) const IN_TIME: Duration = Duration::from_secs(4);

/// Whoever listens as it should, and a program.
const HONEST: &str = "\
[eventlistener:honest]
command={child} listen:{dir}/honest
events=REMOTE_COMMUNICATION
startsecs=0
[program:p]
command={child} hello forever
startsecs=0
";

/// Ours, started through another program: `words` come before the daemon's own command line.
pub(crate) fn started_by(words: &[&str]) -> Implementation {
    let ours = Implementation::ours();
    let mut supervisord: Vec<OsString> = words.iter().map(OsString::from).collect();
    supervisord.extend(ours.supervisord.iter().cloned());
    Implementation { supervisord, ..ours }
}

/// A daemon, and what has been published.
pub(crate) struct Stage {
    pub(crate) daemon: Daemon,
    pub(crate) published: u64,
    restarts: usize,
}

/// What a brain takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    /// Private memory of the brain, in kB.
    pub(crate) own: u64,
    /// Memory of all memfds that the keeper holds, in kB.
    pub(crate) shared: u64,
    /// Processor time of the brain, in hundredths of a second.
    pub(crate) ticks: u64,
    /// Lines of the main log.
    pub(crate) lines: usize,
}

impl Stage {
    /// Ours with the honest pool, the program, and whatever else `config` says.
    #[track_caller]
    pub(crate) fn start(config: &str) -> Stage {
        Stage::start_with("", config)
    }

    /// The same with more options of the daemon.
    #[track_caller]
    pub(crate) fn start_with(options: &str, config: &str) -> Stage {
        let text = format!("{HEAD}{options}{HONEST}{config}");
        Stage::of(Daemon::start(&Implementation::ours(), &text))
    }

    /// One that runs with [`Stage::config`].
    #[track_caller]
    pub(crate) fn of(daemon: Daemon) -> Stage {
        let mut stage = Stage { daemon, published: 0, restarts: 0 };
        stage.daemon.wait_for_hello("p");
        stage
    }

    /// The configuration that everything has in common.
    pub(crate) fn config(more: &str) -> String {
        format!("{HONEST}{more}")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.daemon.sandbox().file(name)
    }

    /// Publishes so many events, numbered on.
    #[track_caller]
    pub(crate) fn publish(&mut self, count: u64) {
        let mut left = count;
        while left > 0 {
            let now = left.min(2000);
            let numbers = self.published..self.published + now;
            let calls: String = numbers.map(|n| call_of("n", &n.to_string())).collect();
            let answer =
                rpc(&self.daemon, "system.multicall", &format!("<array><data>{calls}</data></array>"));
            assert_eq!(answer.matches("<boolean>1</boolean>").count() as u64, now, "{answer}");
            (self.published, left) = (self.published + now, left - now);
        }
    }

    /// Publishes one event of this many bytes, which counts as one.
    #[track_caller]
    pub(crate) fn publish_long(&mut self, bytes: usize) {
        let data = format!("{}{}", self.published, "x".repeat(bytes));
        let call = call_of("n", &data);
        rpc(&self.daemon, "system.multicall", &format!("<array><data>{call}</data></array>"));
        self.published += 1;
    }

    /// The honest listener has been told everything by then, once, whole, in order; the program obeys; and whoever asks is answered.
    #[track_caller]
    pub(crate) fn others_are_well(&mut self) {
        self.publish(20);
        until_within(IN_TIME, "all events at the honest listener", || self.honest_has_all());
        self.programs_are_well();
    }

    /// Whatever has to do with no listener goes on.
    #[track_caller]
    pub(crate) fn programs_are_well(&mut self) {
        let asked = Instant::now();
        assert_eq!(self.daemon.ctl(&["restart", "p"]).stdout, "p: stopped\np: started\n");
        self.daemon.wait_for_hello("p");
        let status = self.daemon.ctl(&["status", "p", "honest"]);
        assert_eq!(status.stdout.matches("RUNNING").count(), 2, "{status:?}");
        assert!(asked.elapsed() < 2 * IN_TIME, "{:?}", asked.elapsed());
        // The last line of all this; what comes behind it has another cause.
        self.restarts += 1;
        let is_last = |line: &&String| line.contains("action=start target=p result=OK");
        until("the last line", || self.daemon.log().all().iter().filter(is_last).count() == self.restarts);
    }

    #[track_caller]
    pub(crate) fn honest_has_all(&self) -> bool {
        has_all(&self.file("honest"), self.published)
    }

    /// What there is to be seen of a listener: its line of the status.
    #[track_caller]
    pub(crate) fn status(&self, name: &str) -> String {
        self.daemon.ctl(&["status", name]).stdout
    }

    /// What `supervisorctl listeners` says of a pool.
    #[track_caller]
    pub(crate) fn pool(&self, name: &str) -> Json {
        let said = self.daemon.ctl(&["--json", "listeners", name]);
        let answer: Json = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"));
        answer["results"][0].clone()
    }

    /// Waits until it says this.
    #[track_caller]
    pub(crate) fn pool_becomes(&self, name: &str, is_so: impl Fn(&Json) -> bool) -> Json {
        let end = Instant::now() + DEADLINE;
        loop {
            let pool = self.pool(name);
            if is_so(&pool) {
                return pool;
            }
            assert!(Instant::now() < end, "in {DEADLINE:?} it has not come to what is wanted: {pool:#}");
        }
    }

    /// Waits until the first listener of a pool is in this state of the conversation.
    #[track_caller]
    pub(crate) fn becomes(&self, name: &str, state: &str) -> Json {
        self.pool_becomes(name, |pool| pool["listeners"][0]["state"] == state)
    }

    #[track_caller]
    pub(crate) fn measure(&mut self) -> Measure {
        let brain = brain(&self.daemon).pid();
        Measure {
            own: own_memory(brain),
            shared: memfds(self.daemon.pid()),
            ticks: ticks(brain),
            lines: self.daemon.log().all().len(),
        }
    }

    /// Whether the main log has such a line by now, wherever.
    pub(crate) fn has_said(&mut self, text: &str) -> bool {
        self.daemon.log().all().iter().any(|line| line.contains(text))
    }

    #[track_caller]
    pub(crate) fn end_well(mut self) {
        send_signal(self.daemon.pid(), Signal::TERM);
        assert_eq!(self.daemon.wait_for_end().and_then(|status| status.code()), Some(0));
    }
}

/// Whether this listener has been told all numbers from 0 on, in order, each once, and nothing else.
#[track_caller]
pub(crate) fn has_all(file: &Path, published: u64) -> bool {
    let (events, rest) = told(file);
    let serials: Vec<u64> = events.iter().map(|told| told.serial).collect();
    assert!(serials.is_sorted_by(|a, b| a < b), "serials: {serials:?}");
    assert!(events.iter().map(|told| told.pool_serial).eq(0..events.len() as u64), "poolserials have gaps");
    let numbers: Vec<u64> = events.iter().filter_map(number).collect();
    assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "numbers: {numbers:?}");
    numbers.len() as u64 == published && rest.is_empty()
}

/// Which of the numbered events this is.
pub(crate) fn number(told: &Told) -> Option<u64> {
    let data = str::from_utf8(&told.payload).ok()?.strip_prefix("type:n\n")?;
    data.trim_end_matches('x').parse().ok()
}

/// An event of a client's within a multicall.
pub(crate) fn call_of(kind: &str, data: &str) -> String {
    let params = format!("<value>{kind}</value><value>{data}</value>");
    format!(
        "<value><struct><member><name>methodName</name><value>supervisor.sendRemoteCommEvent</value></member><member><name>params</name><value><array><data>{params}</data></array></value></member></struct></value>"
    )
}

/// One XML-RPC call with one value; the body of the answer.
#[track_caller]
pub(crate) fn rpc(daemon: &Daemon, method: &str, value: &str) -> String {
    let body = format!(
        "<methodCall><methodName>{method}</methodName><params><param><value>{value}</value></param></params></methodCall>"
    );
    let answer = post(&daemon.socket(), "/RPC2", body.as_bytes()).unwrap();
    String::from_utf8(answer.body).unwrap()
}

/// The keeper's child that thinks.
#[track_caller]
pub(crate) fn brain(daemon: &Daemon) -> Process {
    living_brain(daemon).expect("a running daemon has a brain")
}

pub(crate) fn living_brain(daemon: &Daemon) -> Option<Process> {
    let is_brain = |pid: &i32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == "provost-brain\n")
    };
    descendants(daemon.pid()).into_iter().find(is_brain).map(Process::new)
}

/// Ends the brain with SIGKILL and waits until its successor speaks.
#[track_caller]
pub(crate) fn kill_brain(daemon: &mut Daemon) {
    let brain = brain(daemon);
    brain.signal(Signal::KILL);
    brain.wait_until_gone();
    daemon.wait_for_log_line(&format!("the brain (pid {}) has ended unexpectedly", brain.pid()));
}

#[track_caller]
pub(crate) fn pid_of(daemon: &Daemon, name: &str) -> i32 {
    let said = daemon.ctl(&["pid", name]);
    said.stdout.trim().parse().unwrap_or_else(|_| panic!("no pid of {name}: {said:?}"))
}

/// A time in which something could happen that must not: how long the test looks.
pub(crate) fn look_for(time: Duration) {
    std::thread::sleep(time);
}

/// What this process has in memory that is in no file, in kB.
pub(crate) fn own_memory(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    value.split_whitespace().next().unwrap().parse().unwrap()
}

/// What all memfds take that this process has open, each counted once, in kB. It is read as files are, so this tells the truth
/// whoever has mapped them.
pub(crate) fn memfds(pid: i32) -> u64 {
    blocks(pid, "/memfd:") / 2
}

/// What files without a name take on disks that this process has open, in kB.
pub(crate) fn nameless_files(pid: i32) -> u64 {
    blocks(pid, "(deleted)").saturating_sub(blocks(pid, "/memfd:")) / 2
}

fn blocks(pid: i32, mark: &str) -> u64 {
    let mut seen = std::collections::BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let is_wanted = fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().contains(mark));
        if let Some(meta) = is_wanted.then(|| fs::metadata(entry.path()).ok()).flatten() {
            seen.insert((meta.dev(), meta.ino()), meta.blocks());
        }
    }
    seen.values().sum()
}

/// User and system time, in clock ticks.
pub(crate) fn ticks(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// How long its threads have run, or waited for a processor: on a busy machine who turns without end mostly waits.
pub(crate) fn busy(pid: i32) -> Duration {
    let of_task = |task: fs::DirEntry| -> Option<u64> {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let mut numbers = text.split(' ').map_while(|number| number.parse::<u64>().ok());
        Some(numbers.next()? + numbers.next()?)
    };
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    Duration::from_nanos(tasks.filter_map(of_task).sum())
}
