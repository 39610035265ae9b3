//! A daemon with a disk of its own in its sandbox, a small one or one that can be made to hang, which nobody else sees and which goes
//! with it.
//!
//! In: a size. Out: the daemon, and the way to what is on that disk. It takes root, or a kernel that lets everybody have
//! namespaces (and `/dev/fuse`, for the one that hangs); without either these tests fail and say so.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use provost_testkit::{Daemon, HEAD, Sandbox, provost_child};

use crate::stage::started_by;

/// The disk, as the daemon sees it.
#[derive(Debug)]
pub(crate) struct Disk {
    place: PathBuf,
    pid: i32,
}

/// Words that give whatever comes behind them a namespace of its own.
pub(crate) fn alone() -> &'static [&'static str] {
    if is_root() { &["unshare", "-m"] } else { &["unshare", "-Urm"] }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Ours with `megabytes` of room below `{dir}/small`.
#[track_caller]
pub(crate) fn start_with(megabytes: u32, config: &str) -> (Daemon, Disk) {
    start_behind("", megabytes, &format!("{HEAD}{config}"))
}

/// The same, with the main log on that disk. Whoever waits for lines of it is woken by its copy on standard output.
#[track_caller]
pub(crate) fn start_with_main_log(megabytes: u32, config: &str) -> (Daemon, Disk) {
    let head = HEAD.replace("{dir}/main.log", "{dir}/small/main.log");
    // The daemon takes the place of this shell, and has its number.
    let link = "ln -s /proc/$$/root$PWD/small/main.log main.log &&";
    start_behind(link, megabytes, &format!("{head}{config}"))
}

/// Ours with a disk at `{dir}/slow` that hangs as long as there is a file `stuck` in the sandbox.
#[track_caller]
pub(crate) fn start_with_stuck(config: &str) -> Daemon {
    start_stuck(&format!("{HEAD}{config}"))
}

/// The same with another head.
#[track_caller]
pub(crate) fn start_stuck(config: &str) -> Daemon {
    may_mount();
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("slow")).unwrap();
    // The first who closes a file there finds out that this need not be told: a process that ends could not be killed out of that.
    let script = format!(
        "mkfifo ready && {{ {} stuck-disk:slow:$PWD/stuck >ready & }} && read x <ready && [ \"$x\" = mounted ] && : >slow/first && exec \"$@\"",
        provost_child().display()
    );
    let words = [alone(), &["sh", "-c", &script, "sh"]].concat();
    Daemon::start_in(sandbox, &started_by(&words), config)
}

#[track_caller]
fn may_mount() {
    let may = Command::new(alone()[0]).args(&alone()[1..]).arg("true").output();
    assert!(
        may.as_ref().is_ok_and(|made| made.status.success()),
        "unshare(1) is not permitted here, so nothing can be said about disks: {may:?}"
    );
}

/// The same, with a shell's words before anything else, and another head.
#[track_caller]
pub(crate) fn start_behind(first: &str, megabytes: u32, config: &str) -> (Daemon, Disk) {
    may_mount();
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("small")).unwrap();
    let script = format!("{first} mount -t tmpfs -o size={megabytes}m none small && exec \"$@\"");
    let words = [alone(), &["sh", "-c", &script, "sh"]].concat();
    let daemon = Daemon::start_in(sandbox, &started_by(&words), config);
    let place = format!("/proc/{}/root{}/small", daemon.pid(), daemon.sandbox().path().display());
    let disk = Disk { place: place.into(), pid: daemon.pid() };
    (daemon, disk)
}

impl Disk {
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    /// Leaves so many bytes of room, by a file that [`Disk::relieve`] removes.
    #[track_caller]
    pub(crate) fn leave(&self, bytes: u64) {
        let ballast = self.file("ballast");
        fs::write(&ballast, vec![b'x'; self.room().saturating_sub(bytes) as usize]).unwrap();
    }

    #[track_caller]
    pub(crate) fn relieve(&self) {
        fs::remove_file(self.file("ballast")).unwrap();
    }

    /// Whether it may be written to.
    #[track_caller]
    pub(crate) fn remount(&self, how: &str) {
        let kinds: &[&str] = if is_root() { &["-m"] } else { &["-U", "-m", "--preserve-credentials"] };
        let target = fs::read_link(format!("/proc/{}/cwd", self.pid)).unwrap().join("small");
        let mounted = Command::new("nsenter")
            .args(["-t", &self.pid.to_string()])
            .args(kinds)
            .args(["mount", "-o", &format!("remount,bind,{how}")])
            .arg(target)
            .output()
            .unwrap();
        assert!(mounted.status.success(), "{mounted:?}");
    }

    pub(crate) fn room(&self) -> u64 {
        let is = nix::sys::statvfs::statvfs(&self.place).unwrap();
        is.blocks_available() * is.fragment_size()
    }
}
