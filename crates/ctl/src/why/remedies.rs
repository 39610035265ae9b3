//! What to try, by cause: a table in words, from what is most likely to help to what is said in any case.
//!
//! In: an account. Out: sentences. Nothing is asked of the machine: the daemon may be on another one.

use super::{Account, Life, Told};
use crate::state;
use crate::terminal::word;

/// What a spawn error or an obstacle says, and what helps. Compared in small letters.
const OBSTACLES: &[(&str, &str)] = &[
    ("can't find command", "give the full path in command=, or a PATH in environment= that has it"),
    ("is a directory", "command= names a directory: name the program in it"),
    ("is not executable", "make the file executable: chmod +x"),
    (
        "no permission to run",
        "let the user that supervisord runs as execute the file, and enter each directory above it",
    ),
    ("can't parse command", "mend the quotes in command="),
    ("(enoexec)", "the file has no #! line, or is built for another kind of machine"),
    ("(enoent)", "if the file itself is there, then what its #! line or its loader names is not"),
    (
        "(eacces)",
        "rights on the file and on each directory above it, for the user of user=; or its file system is mounted noexec",
    ),
    (
        "(eperm)",
        "only a supervisord that runs as root can start programs as another user; a container may lack the capability",
    ),
    (
        "(eagain)",
        "the limit of processes (ulimit -u, TasksMax=, pids.max) of that user or control group is reached",
    ),
    ("(enomem)", "the machine, or the control group, is out of memory"),
    ("too many open files", "raise minfds= in [supervisord], or LimitNOFILE= of its unit"),
    (
        "too many processes",
        "raise minprocs= in [supervisord], TasksMax= of its unit, or pids.max of the container",
    ),
    (
        "error making dispatchers",
        "can its log files be written: is the directory there, is there room on the disk, whose are they?",
    ),
    ("go to the directory", "make the directory, or mend directory="),
];

/// What programs write when they give up, and what helps.
const SAYINGS: &[(&[&str], &str)] = &[
    (
        &["address already in use", "eaddrinuse"],
        "its address is taken: look who has it (ss -ltnp), perhaps an instance that was started by hand",
    ),
    (&["no space left on device", "enospc"], "a disk is full: df -h, df -i"),
    (
        &["too many open files", "emfile"],
        "it ran out of descriptors: raise minfds= in [supervisord], or LimitNOFILE= of its unit",
    ),
    (
        &["cannot allocate memory", "out of memory", "outofmemoryerror", "memoryerror", "bad_alloc"],
        "it got no memory: raise the limit of its container or unit, or let it use less",
    ),
    (&["permission denied", "eacces"], "it may not do something: is user= right, and whose is the file?"),
    (&["read-only file system", "erofs"], "it writes where nothing can be written"),
    (
        &["connection refused", "econnrefused"],
        "something that it needs does not answer: start that first, see priority=",
    ),
    (
        &["no module named", "modulenotfounderror"],
        "a Python module is missing: is command= in the right virtualenv?",
    ),
    (&["command not found"], "a script names a command that is not in its PATH: see environment="),
    (&["no such file or directory", "enoent"], "a file is missing: is directory= right?"),
    (
        &["error while loading shared libraries"],
        "a library is missing: ldd on the program, LD_LIBRARY_PATH in environment=",
    ),
];

fn of_obstacles(text: &str, all: &mut Vec<String>) {
    let text = text.to_lowercase();
    let is_of = |says: &str| text.contains(says) && (says != "(enoent)" || text.contains("execute"));
    let found = OBSTACLES.iter().filter(|(says, _)| is_of(says));
    all.extend(found.map(|(_, remedy)| (*remedy).to_owned()));
}

impl Account {
    pub(super) fn remedies(&self) -> Vec<String> {
        let mut all = Vec::new();
        if self.state == state::RUNNING {
            self.hearing.iter().for_each(|hearing| hearing.remedies(&self.name, &mut all));
            self.of_configuration(&mut all);
            return all;
        }
        let last = self.lives.first();
        if let Some((why, _)) = &self.refused {
            of_obstacles(why, &mut all);
        } else if self.stopper.is_none() {
            let failure = last.map_or("", |life| &life.failure);
            // What keeps it from starting now; older ends may have had other causes.
            of_obstacles(if failure.is_empty() { &self.spawnerr } else { failure }, &mut all);
            last.into_iter().for_each(|life| self.of_end(life, &mut all));
            // What it wrote before it did not even begin is about something else.
            if last.is_none_or(|life| life.failure.is_empty()) {
                self.of_sayings(&mut all);
            }
        } else if let Some(life) = last.filter(|life| life.killed) {
            self.of_end(life, &mut all);
        }
        self.of_state(last, &mut all);
        self.of_configuration(&mut all);
        all
    }

    fn of_end(&self, life: &Life, all: &mut Vec<String>) {
        let mut say = |text: &str| all.push(text.to_owned());
        let is_ours = life.sent.as_ref().is_some_and(|(signal, _)| Some(*signal) == life.signal());
        match (life.signal(), &life.end) {
            _ if !life.failure.is_empty() => {}
            (Some(9), _) if life.killed => {
                say(
                    "it does not end when it is asked: raise stopwaitsecs=, set the stopsignal= that it listens to, or let it end sooner",
                );
            }
            (Some(9), _) if !life.out_of_memory.is_empty() => {
                say(
                    "raise the memory limit of its container or unit (MemoryMax=, --memory), or let it use less",
                );
                say("the kernel's log says whom it killed: journalctl -k -g oom, dmesg");
            }
            (Some(9), _) if !is_ours => {
                say(
                    "nobody here has sent that SIGKILL: the kernel's log may know (dmesg), or whoever else runs there",
                );
            }
            (Some(4 | 6 | 7 | 8 | 11), _) if life.core_dumped => {
                say(&format!(
                    "it crashed, and the kernel wrote a core dump: where, /proc/sys/kernel/core_pattern says; with systemd: coredumpctl info {}",
                    life.pid
                ));
            }
            (Some(4 | 6 | 7 | 8 | 11), _) => {
                say(
                    "it crashed, and left no core dump: LimitCORE=infinity of supervisord's unit, or ulimit -c unlimited, lets it leave one",
                );
            }
            (Some(13), _) => say("it wrote to somebody who had gone: a log, a pipe or a connection"),
            (Some(24 | 25), _) => say("it reached a limit: ulimit -t (CPU time), ulimit -f (size of a file)"),
            (Some(31), _) => say(
                "it made a system call that a filter forbids: the seccomp profile of its container or unit",
            ),
            (None, super::End::Exit(127)) => say(
                "127 is what a shell says of a command that it does not find: is PATH right, see environment=",
            ),
            (None, super::End::Exit(126)) => {
                say("126 is what a shell says of a file that it cannot execute: chmod +x, or the #! line")
            }
            (None, super::End::Exit(0)) if life.too_quick => {
                let startsecs = self.told.as_ref().map_or(1, |told| told.startsecs);
                say(&format!(
                    "it ends well, but sooner than startsecs={startsecs}: if it goes to the background, keep it in the foreground; if it is a job, say type=oneshot"
                ));
            }
            _ => {}
        }
    }

    fn of_sayings(&self, all: &mut Vec<String>) {
        let Some(log) = &self.log else { return };
        let text = log.lines.join("\n").to_lowercase();
        let found = SAYINGS.iter().filter(|(says, _)| says.iter().any(|says| text.contains(says)));
        all.extend(found.take(2).map(|(_, remedy)| format!("its log: {remedy}")));
    }

    fn of_state(&self, last: Option<&Life>, all: &mut Vec<String>) {
        let name = word(&self.name);
        let told = self.told.as_ref();
        match self.state {
            state::FATAL => {
                if last.is_some_and(|life| life.then == "too many restarts") {
                    all.push("it ran and ended more often than startlimit= allows".to_owned());
                }
                all.push(format!("when that is mended: supervisorctl start {name}"));
            }
            state::STOPPED if self.since == 0 && told.is_some_and(|told| told.autostart) => {}
            state::STOPPED => all.push(format!("to start it: supervisorctl start {name}")),
            state::EXITED => {
                all.extend(told.zip(last).and_then(|(told, life)| told.stays_down(life)));
                all.push(format!("to start it: supervisorctl start {name}"));
            }
            state::STOPPING => {
                all.extend(told.map(|told| {
                    format!("it has stopwaitsecs={} to end, and is killed then", told.stopwaitsecs)
                }))
            }
            state::UNKNOWN => all.push(
                "who may signal it: has it changed its user, or does a container forbid it?".to_owned(),
            ),
            _ => {}
        }
    }

    fn of_configuration(&self, all: &mut Vec<String>) {
        if self.told.as_ref().is_some_and(|told| !told.configured) {
            all.push(
                "the configuration that was last read has it no more: supervisorctl update takes it away"
                    .to_owned(),
            );
        }
    }
}

impl Told {
    /// Why that end was the last.
    fn stays_down(&self, life: &Life) -> Option<String> {
        if life.then == "restart" {
            return None;
        }
        let codes = self.exitcodes.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        match (self.autorestart.as_str(), life.expected) {
            ("unexpected", true) if self.oneshot => Some("that is as configured: the job is done".to_owned()),
            ("unexpected", true) => Some(format!(
                "that is as configured: autorestart=unexpected restarts it after other exit codes than {codes} only"
            )),
            ("false", _) => Some("that is as configured: autorestart=false".to_owned()),
            _ => None,
        }
    }
}
