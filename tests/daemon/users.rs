//! Who the daemon and its programs become: ids and groups, wherever the account is known from (SPEC 1.8 step 4, 3.4).
//!
//! In: accounts, some of them made up in a mount namespace of the daemon's own. Out: what the kernel says of each
//! process, and the words of those that may not. It needs root, as changing users does.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Command;

use provost_testkit::{Daemon, HEAD, Implementation, Sandbox, Signal, send_signal, until};

use crate::common::{brain, content, kill_brain, run_to_end, started_by};

const NOBODY: u32 = 65534;
const AS_NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// A sandbox in which nobody may make files.
fn of_nobody() -> Sandbox {
    let sandbox = Sandbox::new();
    chown(sandbox.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    sandbox
}

/// Real, effective, saved and file system ids, and the groups, out of /proc/PID/status.
#[derive(Debug, PartialEq, Eq)]
struct Ids {
    uids: Vec<u32>,
    gids: Vec<u32>,
    groups: Vec<u32>,
}

impl Ids {
    fn read(status: &str) -> Ids {
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().map(|id| id.parse().unwrap()).collect()
        };
        Ids { uids: of("Uid:"), gids: of("Gid:"), groups: of("Groups:") }
    }

    fn of(pid: i32) -> Ids {
        Ids::read(&fs::read_to_string(format!("/proc/{pid}/status")).unwrap())
    }

    fn expected(uid: u32, gid: u32, groups: &[u32]) -> Ids {
        Ids { uids: vec![uid; 4], gids: vec![gid; 4], groups: groups.to_vec() }
    }
}

/// A program that writes down who it is.
const WHO: &str = "[program:a]\ncommand=grep -E \"^(Uid|Gid|Groups):\" /proc/self/status\nstartsecs=0\nautorestart=false\nstdout_logfile={dir}/a.out\nstderr_logfile={dir}/a.err\n";

#[test]
fn the_daemon_becomes_its_user_keeper_brain_and_programs() {
    let config = format!("{HEAD}user=nobody\n{WHO}[program:b]\ncommand={{child}} hello forever\n");
    let nobody = Ids::expected(NOBODY, NOBODY, &[NOBODY]);
    let mut daemon = Daemon::start_in(of_nobody(), &Implementation::ours(), &config);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    let b = daemon.wait_for_hello("b").pid;
    for pid in [daemon.pid(), brain(&daemon), b] {
        assert_eq!(Ids::of(pid), nobody);
    }
    assert_eq!(Ids::read(&content(&daemon, "a.out")), nobody);
    assert!(content(&daemon, "main.log").contains("INFO Set uid to user 65534 succeeded\n"));
    for file in ["main.pid", "main.log", "s.sock", "a.out"] {
        assert_eq!(daemon.sandbox().file(file).metadata().unwrap().uid(), NOBODY, "{file}");
    }
    kill_brain(&mut daemon);
    assert_eq!(Ids::of(brain(&daemon)), nobody);
    send_signal(daemon.pid(), Signal::HUP);
    daemon.wait_for_log_line("INFO Set uid to user 65534 succeeded");
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    assert_eq!(Ids::of(daemon.pid()), nobody);
}

#[test]
fn who_is_that_user_already_need_not_become_it() {
    for user in ["nobody", "65534"] {
        let config = format!("{HEAD}user={user}\n{WHO}user={user}\n");
        let mut daemon = Daemon::start_in(of_nobody(), &started_by(&AS_NOBODY), &config);
        daemon.wait_for_log_line("exited: a (exit status 0; expected)");
        assert_eq!(Ids::read(&content(&daemon, "a.out")).uids, [NOBODY; 4]);
    }
}

#[test]
fn who_is_not_root_cannot_become_another() {
    let sandbox = of_nobody();
    let path = sandbox.file("c.conf");
    let dir = sandbox.path().to_str().unwrap();
    fs::write(&path, format!("{HEAD}user=root\n").replace("{dir}", dir)).unwrap();
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "20"]).args(AS_NOBODY).args(Implementation::ours().supervisord);
    let ended = command.arg("-nc").arg(path).current_dir(sandbox.path()).output().unwrap();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.starts_with("Error: Can't drop privilege as nonroot user\n"), "{said}");
}

#[test]
fn a_program_whose_user_a_daemon_without_rights_cannot_become_says_so() {
    let config = format!("{HEAD}{WHO}user=root\n");
    let mut daemon = Daemon::start_in(of_nobody(), &started_by(&AS_NOBODY), &config);
    daemon.wait_for_log_line("exited: a (exit status 127; not expected)");
    assert_eq!(
        content(&daemon, "a.err"),
        "supervisor: couldn't setuid to 0: Can't drop privilege as nonroot user\nsupervisor: child process was not spawned\n"
    );
}

#[test]
fn an_account_that_is_not_there_is_refused() {
    for (user, text) in
        [("no-such-user", "Invalid user name no-such-user"), ("4111222", "Invalid user id 4111222")]
    {
        for config in [format!("user={user}\n"), format!("[program:a]\ncommand=true\nuser={user}\n")] {
            let ended = run_to_end(&Sandbox::new(), &config, &["-n"]);
            assert_eq!(ended.status.code(), Some(2), "{ended:?}");
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(said.starts_with(&format!("Error: {text}")), "{said}");
        }
    }
}

// --- accounts of our own making ---

/// Ours in a mount namespace in which /etc shows files of the sandbox; `more` goes into its environment.
fn with_etc(sandbox: &Sandbox, files: &[&str], more: &str) -> Implementation {
    let dir = sandbox.path().to_str().unwrap();
    let mounts: String =
        files.iter().map(|file| format!("mount --bind {dir}/{file} /etc/{file} && ")).collect();
    let script = format!("{mounts}exec \"$0\" \"$@\"");
    started_by(&["env", more, "unshare", "--mount", "sh", "-c", &script])
}

/// Two accounts with one number, which differ in their groups.
fn accounts(sandbox: &Sandbox) {
    let add = |file: &str, lines: &str| {
        let text = fs::read_to_string(format!("/etc/{file}")).unwrap();
        fs::write(sandbox.file(file), format!("{}\n{lines}", text.trim_end())).unwrap();
    };
    add("passwd", "provost-one:x:54000:54001::/:/bin/sh\nprovost-two:x:54000:54004::/:/bin/sh\n");
    add(
        "group",
        "pg1:x:54001:\npg2:x:54002:provost-one,provost-two\npg3:x:54003:provost-one\npg4:x:54004:\n",
    );
}

#[test]
fn supplementary_groups_come_along_the_primary_one_first() {
    for user in ["provost-one", "54000"] {
        let sandbox = Sandbox::new();
        accounts(&sandbox);
        let ours = with_etc(&sandbox, &["passwd", "group"], "A=1");
        let mut daemon = Daemon::start_in(sandbox, &ours, &format!("{HEAD}{WHO}user={user}\n"));
        daemon.wait_for_log_line("exited: a");
        let out = content(&daemon, "a.out");
        assert_eq!(Ids::read(&out), Ids::expected(54000, 54001, &[54001, 54002, 54003]), "{user}");
    }
}

#[test]
fn the_daemon_takes_its_supplementary_groups_along() {
    let sandbox = Sandbox::new();
    accounts(&sandbox);
    chown(sandbox.path(), Some(54000), None).unwrap();
    let ours = with_etc(&sandbox, &["passwd", "group"], "A=1");
    let mut daemon = Daemon::start_in(sandbox, &ours, &format!("{HEAD}user=provost-one\n{WHO}"));
    daemon.wait_for_log_line("exited: a");
    let expected = Ids::expected(54000, 54001, &[54001, 54002, 54003]);
    for ids in [Ids::of(daemon.pid()), Ids::of(brain(&daemon)), Ids::read(&content(&daemon, "a.out"))] {
        assert_eq!(ids, expected);
    }
}

#[test]
fn of_two_accounts_with_one_number_the_named_one_lends_its_groups() {
    let sandbox = Sandbox::new();
    accounts(&sandbox);
    let ours = with_etc(&sandbox, &["passwd", "group"], "A=1");
    let mut daemon = Daemon::start_in(sandbox, &ours, &format!("{HEAD}{WHO}user=provost-two\n"));
    daemon.wait_for_log_line("exited: a");
    assert_eq!(Ids::read(&content(&daemon, "a.out")), Ids::expected(54000, 54004, &[54002, 54004]));
}

#[test]
fn a_group_may_be_written_too_and_two_numbers_need_no_account() {
    for (user, (uid, gid), groups) in [
        ("provost-one:pg4", (54000, 54004), &[54002, 54003, 54004][..]),
        ("54000:54004", (54000, 54004), &[54002, 54003, 54004]),
        ("4711222:4711333", (4_711_222, 4_711_333), &[4_711_333]),
        ("root:54002", (0, 54002), &[54002]),
    ] {
        let sandbox = Sandbox::new();
        accounts(&sandbox);
        let ours = with_etc(&sandbox, &["passwd", "group"], "A=1");
        let mut daemon = Daemon::start_in(sandbox, &ours, &format!("{HEAD}{WHO}user={user}\n"));
        daemon.wait_for_log_line("exited: a");
        let ids = Ids::read(&content(&daemon, "a.out"));
        assert_eq!(ids, Ids::expected(uid, gid, groups), "{user}: {}", content(&daemon, "a.err"));
        // The daemon itself likewise; its files are its own.
        let sandbox = Sandbox::new();
        accounts(&sandbox);
        chown(sandbox.path(), Some(uid), Some(gid)).unwrap();
        let ours = with_etc(&sandbox, &["passwd", "group"], "A=1");
        let daemon = Daemon::start_in(sandbox, &ours, &format!("{HEAD}user={user}\n"));
        // The keeper does it when the brain has told it to, which is at work by then.
        until(user, || Ids::of(daemon.pid()) == Ids::expected(uid, gid, groups));
    }
}

#[test]
fn an_account_that_only_the_name_service_knows_is_as_good_as_any() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/daemon/users/only_nss.c");
    for user in ["provost-directory", "54321"] {
        let sandbox = Sandbox::new();
        let library = sandbox.file("libnss_provost.so.2");
        // Whoever links Rust programs has a C compiler.
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(library).arg(source).output().unwrap();
        assert!(built.status.success(), "{built:?}");
        fs::write(
            sandbox.file("nsswitch.conf"),
            "passwd: files provost\ngroup: files\ninitgroups: files provost\n",
        )
        .unwrap();
        let libraries = format!("LD_LIBRARY_PATH={}", sandbox.path().display());
        let ours = with_etc(&sandbox, &["nsswitch.conf"], &libraries);
        let mut daemon = Daemon::start_in(sandbox, &ours, &format!("{HEAD}{WHO}user={user}\n"));
        daemon.wait_for_log_line("exited: a");
        let out = content(&daemon, "a.out");
        assert_eq!(Ids::read(&out), Ids::expected(54321, 54322, &[54322, 54323]), "{user}");
    }
}
