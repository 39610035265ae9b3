//! Logs with somebody at their other end: what supervisord was started with, by each of its names and of each kind; FIFOs and
//! terminals whose reader is late, leaves, or looks elsewhere.

use std::fs::File;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use provost_testkit::{
    Chapter, DEADLINE, Daemon, HEAD, Implementation, Matter, Process, Sandbox, Signal, Terminal, Torrent,
    descendants, ledger, send_signal, verify,
};

use crate::disk::alone;
use crate::stage::{
    ONCE, all_of, cpu_ticks, end_well, gaps, is_whole, kill_brain, pid_of, started_by, until,
};

const SOME: u64 = 300_000;
const NAMES: [&str; 3] = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// Somebody has forgotten `maxbytes`, which would rotate such a log thirty times.
fn speaker(name: &str, seed: usize, log: &str, bytes: u64) -> String {
    format!(
        "[program:{name}]\ncommand={{child}} torrent:seed={seed},bytes={bytes}\nautostart=false\n{ONCE}stdout_logfile={log}\nstdout_logfile_maxbytes=10KB\nstdout_logfile_backups=3\nstderr_logfile=NONE\n"
    )
}

/// Says something by each name of standard output, which `redirection` of a shell leads to `read`. Everything is there.
#[track_caller]
fn every_name_leads_to(redirection: &str, read: impl FnOnce(&Path, usize) -> Vec<u8>) {
    let programs: String =
        NAMES.iter().enumerate().map(|(n, log)| speaker(&format!("p{n}"), n, log, SOME)).collect();
    let script = format!("exec \"$@\" {redirection}");
    let ours = started_by(&["bash", "-c", &script, "sh"]);
    let mut daemon = Daemon::start(&ours, &format!("{HEAD}silent=true\n{programs}"));
    // While it runs: whoever stands between us and a pipe reads it meanwhile.
    let talk = |daemon: &mut Daemon| {
        for n in 0..NAMES.len() {
            daemon.ctl(&["start", &format!("p{n}")]);
            daemon.wait_for_log_line(&format!("exited: p{n} (exit status 0; expected)"));
        }
    };
    let place = daemon.sandbox().path().to_owned();
    let all = std::thread::scope(|scope| {
        let talking = scope.spawn(|| talk(&mut daemon));
        let all = read(&place, NAMES.len() * SOME as usize);
        talking.join().unwrap();
        all
    });
    for (n, part) in all.chunks(SOME as usize).enumerate() {
        is_whole(Torrent::new(Matter::Lines, n as u64), part, SOME);
    }
    let rotated = std::fs::read_dir(&place)
        .unwrap()
        .find(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().ends_with(".1"));
    assert!(rotated.is_none(), "{rotated:?}");
    assert!(!std::fs::read_to_string(place.join("main.log")).unwrap().contains("cannot"));
    end_well(daemon);
}

#[track_caller]
fn file_with(path: &Path, bytes: usize) -> Vec<u8> {
    until("all bytes", || path.metadata().is_ok_and(|is| is.len() >= bytes as u64));
    std::fs::read(path).unwrap()
}

/// So many bytes, or a panic.
#[track_caller]
fn read_exactly(mut from: impl Read + Send + 'static, bytes: usize) -> Vec<u8> {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let mut all = vec![0; bytes];
        let _ = done.send(from.read_exact(&mut all).map(|()| all));
    });
    is_done.recv_timeout(DEADLINE).expect("bytes are missing").unwrap()
}

#[test]
fn standard_output_is_a_pipe() {
    every_name_leads_to("> >(exec cat >out)", |place, bytes| file_with(&place.join("out"), bytes));
}

#[test]
fn standard_output_is_a_file() {
    every_name_leads_to(">>out", |place, bytes| file_with(&place.join("out"), bytes));
}

#[test]
fn standard_output_is_a_terminal() {
    let mut terminal = Terminal::new();
    let to = format!(">{}", terminal.path().display());
    every_name_leads_to(&to, |_, bytes| terminal.read_until(|all| all.len() >= bytes));
}

#[test]
fn standard_output_is_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!(">/dev/tcp/127.0.0.1/{}", listener.local_addr().unwrap().port());
    every_name_leads_to(&to, |_, bytes| read_exactly(listener.accept().unwrap().0, bytes));
}

#[test]
fn standard_output_is_nothing() {
    for to in [">/dev/null", ">&-"] {
        every_name_leads_to(to, |_, _| Vec::new());
    }
}

#[test]
fn standard_error_is_a_pipe() {
    let config = format!("{HEAD}silent=true\n{}", speaker("a", 0, "/dev/stderr", SOME));
    let ours = started_by(&["bash", "-c", "exec \"$@\" 2> >(exec cat >err)", "sh"]);
    let mut daemon = Daemon::start(&ours, &config);
    daemon.ctl(&["start", "a"]);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    is_whole(Torrent::new(Matter::Lines, 0), &file_with(&daemon.sandbox().file("err"), SOME as usize), SOME);
    end_well(daemon);
}

/// As in a container.
#[test]
fn the_standard_output_of_process_1_is_ours_if_we_are_that() {
    let config = format!("{HEAD}silent=true\n{}", speaker("a", 0, "/proc/1/fd/1", SOME));
    let inside = ["-pf", "--mount-proc", "bash", "-c", "exec \"$@\" > >(exec cat >out)", "sh"];
    let ours = started_by(&[alone(), &inside].concat());
    let mut daemon = Daemon::start(&ours, &config);
    daemon.ctl(&["start", "a"]);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    is_whole(Torrent::new(Matter::Lines, 0), &file_with(&daemon.sandbox().file("out"), SOME as usize), SOME);
    send_signal(descendants(daemon.pid())[0], Signal::TERM);
    assert_eq!(daemon.wait_for_end().and_then(|status| status.code()), Some(0));
}

#[test]
fn a_reader_that_has_died_stops_no_program_and_is_told_of_once() {
    const MUCH: u64 = 5_000_000;
    let config = format!(
        "{HEAD}silent=true\n{}{}",
        speaker("a", 0, "/dev/stdout", MUCH),
        speaker("b", 1, "{dir}/b.log", SOME).replace("10KB", "0"),
    );
    let ours = started_by(&["bash", "-c", "exec \"$@\" > >(exec head -c 100000 >out)", "sh"]);
    let mut daemon = Daemon::start(&ours, &config);
    for _ in 0..2 {
        daemon.ctl(&["start", "a"]);
        daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    }
    daemon.ctl(&["start", "b"]);
    daemon.wait_for_log_line("exited: b (exit status 0; expected)");
    let head = std::fs::read(daemon.sandbox().file("out")).unwrap();
    is_whole(Torrent::new(Matter::Lines, 0), &head, 100_000);
    is_whole(Torrent::new(Matter::Lines, 1), &all_of(&daemon.sandbox().file("b.log")), SOME);
    let said: Vec<String> =
        daemon.log().all().iter().filter(|line| line.contains("/dev/stdout")).cloned().collect();
    assert!((1..=2).contains(&said.len()), "once for each run at most: {said:?}");
    end_well(daemon);
}

fn with_fifo() -> Sandbox {
    let sandbox = Sandbox::new();
    nix::unistd::mkfifo(&sandbox.file("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    sandbox
}

#[test]
fn readers_of_a_fifo_come_late_and_go_and_miss_nothing() {
    const MUCH: usize = 5_000_000;
    let config = format!("{HEAD}{}", speaker("a", 0, "{dir}/fifo", MUCH as u64));
    let mut daemon = Daemon::start_in(with_fifo(), &Implementation::ours(), &config);
    daemon.ctl(&["start", "a"]);
    daemon.wait_for_log_line("success: a");
    let mut all = Vec::new();
    while all.len() < MUCH {
        let reader = File::open(daemon.sandbox().file("fifo")).unwrap();
        all.extend(read_exactly(reader, 1_250_000));
    }
    is_whole(Torrent::new(Matter::Lines, 0), &all, MUCH as u64);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    end_well(daemon);
}

/// Waits until the program cannot write any more.
#[track_caller]
fn until_it_stands_still(pid: i32) {
    let written = || std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let (mut last, mut since) = (written(), Instant::now());
    until("a program that writes no more", || {
        let now = written();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        since.elapsed() > Duration::from_millis(300)
    });
}

/// `log` has been given to a program that writes without an end, and nobody looks there; all others go on, and whoever asks for
/// something is answered. Then somebody reads with `reader`, and nothing is missing, of both runs.
#[track_caller]
fn blocks_nobody_else(sandbox: Sandbox, log: &str, mut reader: impl Read + Send + 'static) {
    let config = format!(
        "{HEAD}[program:a]\ncommand={{child}} lines:rate=50000000,ledger={{dir}}\nstartsecs=0\nstdout_logfile={log}\n\
         [program:b]\ncommand={{child}} torrent:bytes={SOME} hello after:1s hello:later forever\nstdout_logfile={{dir}}/b.log\n"
    );
    let mut daemon = Daemon::start_in(sandbox, &Implementation::ours(), &config);
    daemon.wait_for_hello("b");
    daemon.wait_for_hello("later");
    until_it_stands_still(pid_of(&daemon, "a"));
    daemon.ctl(&["restart", "b"]);
    // Waiting costs nothing.
    daemon.wait_for_hello("b");
    let ticks = cpu_ticks(&daemon);
    daemon.wait_for_hello("later");
    let spent = cpu_ticks(&daemon) - ticks;
    assert!(spent <= 10, "{spent} clock ticks in a second of waiting");
    let asked = Instant::now();
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    assert_eq!(daemon.ctl(&["start", "a"]).stdout, "a: started\n");
    assert!(asked.elapsed() < Duration::from_secs(6), "{:?}", asked.elapsed());
    until_it_stands_still(pid_of(&daemon, "a"));
    kill_brain(&mut daemon);

    let (pieces, all) = mpsc::channel();
    std::thread::spawn(move || {
        let mut piece = vec![0; 65536];
        while let Ok(n @ 1..) = reader.read(&mut piece) {
            if pieces.send(piece[..n].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut read = Vec::new();
    let mut read_more = |least: usize| {
        let end = Instant::now() + DEADLINE;
        while read.len() < least {
            let left = end.saturating_duration_since(Instant::now());
            read.extend(all.recv_timeout(left).expect("it takes output again"));
        }
        read.len()
    };
    let flows = read_more(1) + 5_000_000;
    read_more(flows);
    assert_eq!(daemon.ctl(&["stop", "a"]).stdout, "a: stopped\n");
    let runs = ledger(daemon.sandbox().path(), "a");
    let chapters: Vec<Chapter> = runs.iter().map(Chapter::from).collect();
    while let Ok(piece) = all.recv_timeout(Duration::from_millis(500)) {
        read.extend(piece);
    }
    let verdict = verify("a", &chapters, &read[..]).unwrap();
    assert!(verdict.faults.is_empty() && runs.len() == 2, "{:?}", verdict.faults);
    is_whole(Torrent::new(Matter::Lines, 0), &all_of(&daemon.sandbox().file("b.log"))[SOME as usize..], SOME);
    end_well(daemon);
}

#[test]
fn a_fifo_that_nobody_reads_blocks_nobody_else() {
    let sandbox = with_fifo();
    let reader = File::options().read(true).write(true).open(sandbox.file("fifo")).unwrap();
    blocks_nobody_else(sandbox, "{dir}/fifo", reader);
}

/// A brain that dies may write again to a terminal what it was just writing, so here it may not be in the middle of something.
#[test]
fn a_terminal_that_nobody_looks_at_blocks_nobody_else() {
    let terminal = Terminal::new();
    let path = terminal.path().to_str().unwrap().to_owned();
    blocks_nobody_else(Sandbox::new(), &path, terminal);
}

#[test]
fn a_program_that_may_lose_output_goes_on_and_what_is_missing_is_counted() {
    const MUCH: u64 = 20_000_000;
    let program = speaker("a", 0, "{dir}/fifo", MUCH);
    let config = format!("{HEAD}log_overflow=drop\n{program}");
    let mut daemon = Daemon::start_in(with_fifo(), &Implementation::ours(), &config);
    daemon.ctl(&["start", "a"]);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    let mut reader = File::options().read(true).write(true).open(daemon.sandbox().file("fifo")).unwrap();
    let (pieces, all) = mpsc::channel();
    std::thread::spawn(move || {
        let mut piece = vec![0; 65536];
        while let Ok(n @ 1..) = reader.read(&mut piece) {
            if pieces.send(piece[..n].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut read: Vec<u8> = Vec::new();
    while !read.windows(8).rev().take(4096).any(|word| word == b"missing ") {
        read.extend(all.recv_timeout(DEADLINE).expect("it is told what is missing"));
    }
    let (kept, missing, marks) = gaps(Torrent::new(Matter::Lines, 0), &read);
    assert_eq!((kept + missing, marks), (MUCH, 1), "{kept} bytes kept, {missing} missing");
    end_well(daemon);
}

#[test]
fn the_end_of_the_daemon_waits_for_no_reader() {
    let config = format!(
        "{HEAD}[program:a]\ncommand={{child}} lines:rate=50000000,ledger={{dir}}\nstartsecs=0\nstdout_logfile={{dir}}/fifo\n"
    );
    let mut daemon = Daemon::start_in(with_fifo(), &Implementation::ours(), &config);
    daemon.wait_for_log_line("success: a");
    until_it_stands_still(pid_of(&daemon, "a"));
    let keeper = Process::new(daemon.pid());
    keeper.signal(Signal::TERM);
    let soon = provost_testkit::Deadline::after(Duration::from_secs(6));
    assert!(keeper.ended_before(soon), "it waits for a reader");
    daemon.wait_for_log_line("fifo took nothing until the end");
}

/// Of several sinks one takes nothing.
#[test]
fn a_sink_that_may_lose_output_costs_the_others_nothing() {
    const MUCH: u64 = 20_000_000;
    let program = speaker("a", 0, "{dir}/fifo, {dir}/a.log", MUCH).replace("10KB", "0");
    let config = format!("{HEAD}log_overflow=drop\n{program}");
    let mut daemon = Daemon::start_in(with_fifo(), &Implementation::ours(), &config);
    daemon.ctl(&["start", "a"]);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    is_whole(Torrent::new(Matter::Lines, 0), &all_of(&daemon.sandbox().file("a.log")), MUCH);
    end_well(daemon);
}

#[track_caller]
fn holds_up_the_others(meanwhile: impl FnOnce(&mut Daemon)) {
    const MUCH: usize = 5_000_000;
    let program = speaker("a", 0, "{dir}/a.log, {dir}/fifo", MUCH as u64).replace("10KB", "0");
    let config = format!("{HEAD}{program}");
    let mut daemon = Daemon::start_in(with_fifo(), &Implementation::ours(), &config);
    daemon.ctl(&["start", "a"]);
    daemon.wait_for_log_line("success: a");
    until_it_stands_still(pid_of(&daemon, "a"));
    meanwhile(&mut daemon);
    let all = read_exactly(File::open(daemon.sandbox().file("fifo")).unwrap(), MUCH);
    daemon.wait_for_log_line("exited: a (exit status 0; expected)");
    is_whole(Torrent::new(Matter::Lines, 0), &all_of(&daemon.sandbox().file("a.log")), MUCH as u64);
    is_whole(Torrent::new(Matter::Lines, 0), &all, MUCH as u64);
    end_well(daemon);
}

#[test]
fn a_sink_that_loses_nothing_holds_up_the_others_and_all_are_whole() {
    holds_up_the_others(|_| {});
}

#[test]
#[ignore = "what a further sink has not taken yet is in the brain's memory only: it loses a piece with it"]
fn of_several_sinks_each_is_whole_though_a_brain_dies() {
    holds_up_the_others(kill_brain);
}
