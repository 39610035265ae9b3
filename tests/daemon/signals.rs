//! Signals to the daemon: those it knows, in every order and at every moment, and those it does not (SPEC 5).
//!
//! In: a daemon, often one whose restart or shutdown takes its time. Out: what it says, what it does, how it ends.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use provost_testkit::{
    DEADLINE, Daemon, Deadline, HEAD, Implementation, Lines, Process, Sandbox, Signal, send_signal,
};

use crate::common::{
    brain, content, end_well, freeze_brain, kill_brain, pid_of, start, started_by, wait_for_proc,
};

/// A program that takes some seconds to stop, so that there is time to send more.
const SLOW: &str = "[program:slow]\ncommand={child} on:TERM:say:asked hello forever\nstopwaitsecs=4\nstdout_logfile={dir}/slow.log\n";

/// How often the main log says `text`, up to now.
fn times(daemon: &Daemon, text: &str) -> usize {
    content(daemon, "main.log").matches(text).count()
}

#[track_caller]
fn ends_with(daemon: &mut Daemon, code: i32) {
    assert!(daemon.process().ended_before(Deadline::after(DEADLINE / 2)), "it has not ended");
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(code));
    assert!(!daemon.socket().exists() && !daemon.sandbox().file("main.pid").exists());
}

#[test]
fn each_does_what_it_should() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT"), (Signal::QUIT, "SIGQUIT")] {
        let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
        daemon.wait_for_hello("a");
        send_signal(daemon.pid(), Signal::USR2);
        daemon.wait_for_log_line("INFO received SIGUSR2 indicating log reopen request");
        daemon.wait_for_log_line("INFO supervisord logreopen");
        send_signal(daemon.pid(), Signal::HUP);
        daemon.wait_for_log_line("WARN received SIGHUP indicating restart request");
        daemon.wait_for_log_line(&format!("supervisord started with pid {}", daemon.pid()));
        daemon.wait_for_hello("a");
        send_signal(daemon.pid(), signal);
        daemon.wait_for_log_line(&format!("WARN received {name} indicating exit request"));
        ends_with(&mut daemon, 0);
    }
}

#[test]
fn in_the_background_they_do_the_same() {
    let config = format!("{HEAD}[program:a]\ncommand={{child}} hello forever\n");
    let mut daemon = Daemon::start_daemonized(&Implementation::ours(), &config);
    daemon.wait_for_hello("a");
    send_signal(daemon.pid(), Signal::HUP);
    daemon.wait_for_log_line(&format!("supervisord started with pid {}", daemon.pid()));
    daemon.wait_for_hello("a");
    assert_eq!(times(&daemon, "daemonizing the supervisord process"), 1);
    send_signal(daemon.pid(), Signal::TERM);
    daemon.wait_for_end();
    assert_eq!(times(&daemon, "received SIGTERM indicating exit request"), 1);
    assert!(!daemon.socket().exists() && !daemon.sandbox().file("main.pid").exists());
}

#[test]
fn usr1_chld_pipe_and_winch_change_nothing() {
    let mut daemon = start("loglevel=debug\n[program:a]\ncommand={child} hello forever\n");
    let a = daemon.wait_for_hello("a").pid;
    daemon.wait_for_log_line("success: a");
    let (mind, before) = (brain(&daemon), times(&daemon, "\n"));
    for signal in [Signal::USR1, Signal::CHILD, Signal::PIPE, Signal::WINCH] {
        send_signal(daemon.pid(), signal);
    }
    // This one is heard after the others, and says so.
    send_signal(daemon.pid(), Signal::USR2);
    daemon.wait_for_log_line("supervisord logreopen");
    let log = content(&daemon, "main.log");
    let said: Vec<&str> = log.lines().skip(before).filter(|line| line.contains("received ")).collect();
    assert!(said.iter().all(|line| line.contains("SIGUSR2") || line.contains("SIGCHLD")), "{said:?}");
    assert_eq!((pid_of(&daemon, "a"), brain(&daemon)), (a, mind));
    end_well(daemon);
}

#[test]
fn a_second_term_and_a_third_are_said_and_change_nothing() {
    let mut daemon = start(SLOW);
    daemon.wait_for_hello("slow");
    daemon.wait_for_log_line("spawned: 'slow'");
    let mut asked = Lines::follow(&daemon.sandbox().file("slow.log"));
    for _ in 0..3 {
        send_signal(daemon.pid(), Signal::TERM);
        daemon.wait_for_log_line("received SIGTERM indicating exit request");
    }
    asked.wait_for("asked");
    ends_with(&mut daemon, 0);
    assert_eq!(content(&daemon, "slow.log"), "asked\n", "it is asked to stop once");
    assert_eq!(times(&daemon, "stopped: slow (terminated by SIGKILL)"), 1);
}

#[test]
fn term_then_hup_remains_a_shutdown() {
    let mut daemon = start(SLOW);
    daemon.wait_for_hello("slow");
    send_signal(daemon.pid(), Signal::TERM);
    daemon.wait_for_log_line("received SIGTERM indicating exit request");
    send_signal(daemon.pid(), Signal::HUP);
    daemon.wait_for_log_line("WARN ignored SIGHUP indicating restart request (shutdown in progress)");
    ends_with(&mut daemon, 0);
    assert_eq!(times(&daemon, "supervisord started with pid"), 1);
}

#[test]
fn hup_then_term_becomes_a_shutdown() {
    let mut daemon = start(SLOW);
    daemon.wait_for_hello("slow");
    send_signal(daemon.pid(), Signal::HUP);
    daemon.wait_for_log_line("received SIGHUP indicating restart request");
    send_signal(daemon.pid(), Signal::TERM);
    daemon.wait_for_log_line("received SIGTERM indicating exit request");
    ends_with(&mut daemon, 0);
    assert_eq!(times(&daemon, "supervisord started with pid"), 1);
}

#[test]
fn hup_twice_restarts_once() {
    let mut daemon = start(SLOW);
    daemon.wait_for_hello("slow");
    for _ in 0..2 {
        send_signal(daemon.pid(), Signal::HUP);
        daemon.wait_for_log_line("received SIGHUP indicating restart request");
    }
    daemon.wait_for_log_line("supervisord started with pid");
    daemon.wait_for_hello("slow");
    send_signal(daemon.pid(), Signal::TERM);
    ends_with(&mut daemon, 0);
    assert_eq!(times(&daemon, "supervisord started with pid"), 2);
}

#[test]
fn a_term_that_meets_a_restart_is_not_lost() {
    for _ in 0..10 {
        let mut daemon = start("");
        send_signal(daemon.pid(), Signal::HUP);
        daemon.wait_for_log_line("received SIGHUP");
        send_signal(daemon.pid(), Signal::TERM);
        let soon = Deadline::after(DEADLINE / 4);
        assert!(daemon.process().ended_before(soon), "SIGTERM was lost:\n{}", content(&daemon, "main.log"));
    }
}

#[test]
fn what_comes_while_the_brain_does_not_listen_is_heard_later() {
    let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
    daemon.wait_for_hello("a");
    daemon.wait_for_log_line("success: a");
    let frozen = freeze_brain(&daemon);
    for signal in [Signal::USR2, Signal::HUP] {
        send_signal(daemon.pid(), signal);
    }
    frozen.signal(Signal::CONT);
    daemon.log().wait_for_all(&["received SIGUSR2", "received SIGHUP"]);
    daemon.wait_for_log_line("supervisord started with pid");
    daemon.wait_for_hello("a");
    end_well(daemon);
}

#[test]
fn what_a_brain_was_told_and_did_not_live_to_do_the_next_one_does() {
    for (signal, said) in [
        (Signal::HUP, "WARN received SIGHUP indicating restart request"),
        (Signal::USR2, "INFO received SIGUSR2 indicating log reopen request"),
    ] {
        let mut daemon = start("[program:a]\ncommand={child} hello forever\n");
        daemon.wait_for_hello("a");
        daemon.wait_for_log_line("success: a");
        let frozen = freeze_brain(&daemon);
        send_signal(daemon.pid(), signal);
        // It has been taken, and the keeper sleeps again: so the brain's socket has it.
        wait_for_proc(daemon.pid(), "status", |status| {
            status.contains("ShdPnd:\t0000000000000000") && status.contains("State:\tS")
        });
        frozen.signal(Signal::KILL);
        daemon.wait_for_log_line("has ended unexpectedly");
        daemon.wait_for_log_line(said);
        // Once: a brain that comes after one that has dealt with it is not told.
        if signal == Signal::HUP {
            daemon.wait_for_log_line("success: a");
        }
        // Whoever is answered knows that what came before is dealt with, and no longer told.
        assert_eq!(daemon.ctl(&["pid"]).status, 0);
        kill_brain(&mut daemon);
        send_signal(daemon.pid(), Signal::TERM);
        daemon.wait_for_end();
        assert_eq!(times(&daemon, said), 1);
    }
}

#[test]
fn a_starter_that_ignores_sigchld_does_not_blind_us() {
    let config =
        format!("{HEAD}[program:a]\ncommand={{child}} hello exit:3\nstartsecs=0\nautorestart=false\n");
    let mut daemon = Daemon::start(&started_by(&["env", "--ignore-signal=CHLD"]), &config);
    daemon.wait_for_log_line("exited: a (exit status 3; not expected)");
}

#[test]
fn a_starter_that_blocks_all_signals_does_not_deafen_programs() {
    let config = format!("{HEAD}[program:a]\ncommand={{child}} hello forever\n");
    let mut daemon = Daemon::start(&started_by(&["env", "--block-signal", "--ignore-signal=HUP"]), &config);
    daemon.wait_for_hello("a");
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    daemon.wait_for_log_line("stopped: a (terminated by SIGTERM)");
    send_signal(daemon.pid(), Signal::HUP);
    daemon.wait_for_log_line("received SIGHUP");
    daemon.wait_for_hello("a");
}

// --- while booting ---

/// A start that waits for its configuration: the file is a pipe, and nobody has written yet.
struct Booting {
    sandbox: Sandbox,
    starter: Child,
}

impl Booting {
    #[track_caller]
    fn new(arguments: &[&str]) -> Booting {
        let sandbox = Sandbox::new();
        let pipe = sandbox.file("pipe.conf");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut command = Command::new("timeout");
        command.args(["--foreground", "--signal=KILL", "60"]).args(Implementation::ours().supervisord);
        command.arg("-c").arg(pipe).args(arguments).current_dir(sandbox.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(sandbox.file("err")).unwrap());
        let starter = command.spawn().unwrap();
        Booting { sandbox, starter }
    }

    /// Waits until somebody reads, and gives the configuration; whoever reads later finds a plain file.
    #[track_caller]
    fn give_config(&self) {
        let pipe = self.open_pipe();
        let plain = self.sandbox.file("plain.conf");
        fs::write(&plain, self.text()).unwrap();
        fs::rename(plain, self.sandbox.file("pipe.conf")).unwrap();
        self.write_to(pipe);
    }

    /// The same for the first look of daemon mode; the brain that follows has to wait, too.
    #[track_caller]
    fn give_first_look(&self, first: &Process) {
        self.write_to(self.open_pipe());
        first.wait_until_gone();
    }

    /// Somebody who never comes to the end of it, as long as there is anybody to read.
    fn go_on_giving(&self) -> JoinHandle<()> {
        let mut pipe = self.open_pipe();
        std::thread::spawn(move || {
            while pipe.write_all(b";\n").is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
        })
    }

    fn text(&self) -> String {
        HEAD.replace("{dir}", self.sandbox.path().to_str().unwrap())
    }

    /// To open a pipe for writing is to wait for its reader.
    fn open_pipe(&self) -> File {
        File::options().write(true).open(self.sandbox.file("pipe.conf")).unwrap()
    }

    fn write_to(&self, mut pipe: File) {
        pipe.write_all(self.text().as_bytes()).unwrap();
    }

    /// The keeper: the one child of timeout(1).
    #[track_caller]
    fn first_process(&self) -> Process {
        let started = Deadline::after(DEADLINE);
        while started.remaining().is_some() {
            let found = provost_testkit::descendants(self.starter.id() as i32);
            if let Some(pid) = found.first() {
                return Process::new(*pid);
            }
        }
        panic!("nothing was started");
    }

    #[track_caller]
    fn end(mut self, code: i32) -> Sandbox {
        let ended = Process::new(self.starter.id() as i32).ended_before(Deadline::after(DEADLINE / 2));
        let said = fs::read_to_string(self.sandbox.file("err")).unwrap();
        assert!(ended, "it has not ended: {said}");
        assert_eq!(self.starter.wait().unwrap().code(), Some(code), "{said}");
        assert!(!self.sandbox.file("s.sock").exists() && !self.sandbox.file("main.pid").exists());
        self.sandbox
    }
}

#[test]
fn a_term_while_booting_is_obeyed_as_soon_as_that_is_over() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let booting = Booting::new(&["-n"]);
        let keeper = booting.first_process();
        // The brain is there once it waits for the pipe; the keeper has watched for signals since before.
        let brain = wait_for_reader(keeper.pid());
        keeper.signal(signal);
        booting.give_config();
        let sandbox = booting.end(0);
        let log = fs::read_to_string(sandbox.file("main.log")).unwrap();
        assert!(log.contains("indicating exit request"), "{log}");
        brain.wait_until_gone();
    }
}

#[test]
fn hup_and_usr1_while_booting_do_no_harm() {
    let booting = Booting::new(&["-n"]);
    let keeper = booting.first_process();
    wait_for_reader(keeper.pid());
    keeper.signal(Signal::USR1);
    keeper.signal(Signal::HUP);
    booting.give_config();
    let mut log = Lines::follow(&booting.sandbox.file("main.log"));
    for _ in 0..2 {
        log.wait_for("supervisord started with pid");
    }
    keeper.signal(Signal::TERM);
    booting.end(0);
}

#[test]
fn a_start_that_hangs_ends_on_term_all_the_same() {
    let booting = Booting::new(&["-n"]);
    let keeper = booting.first_process();
    let brain = wait_for_reader(keeper.pid());
    let giver = booting.go_on_giving();
    keeper.signal(Signal::TERM);
    booting.end(1);
    brain.wait_until_gone();
    giver.join().unwrap();
}

#[test]
fn a_term_to_the_parent_that_waits_is_meant_for_the_daemon() {
    for signal in [Signal::TERM, Signal::INT] {
        let booting = Booting::new(&[]);
        let parent = booting.first_process();
        booting.give_first_look(&wait_for_reader(parent.pid()));
        wait_for_reader(parent.pid());
        let keeper = Process::new(provost_testkit::descendants(parent.pid())[0]);
        parent.signal(signal);
        booting.give_config();
        // The parent waits for the start, and that succeeds before the end begins.
        assert!(parent.ended_before(Deadline::after(DEADLINE / 2)), "the parent has not returned");
        let heard = keeper.ended_before(Deadline::after(DEADLINE / 4));
        keeper.signal(Signal::TERM);
        keeper.wait_until_gone();
        assert!(heard, "the daemon has not heard of it");
        booting.end(0);
    }
}

/// Waits for a brain below this process, and until it waits for the configuration.
#[track_caller]
fn wait_for_reader(above: i32) -> Process {
    let deadline = Deadline::after(DEADLINE);
    while deadline.remaining().is_some() {
        if let Some(brain) = provost_testkit::descendants(above).last() {
            let comm = fs::read_to_string(format!("/proc/{brain}/comm")).unwrap_or_default();
            let stat = fs::read_to_string(format!("/proc/{brain}/stat")).unwrap_or_default();
            if comm == "provost-brain\n" && stat.contains(") S ") {
                return Process::new(*brain);
            }
        }
        std::thread::yield_now();
    }
    panic!("no brain waits for the configuration");
}
