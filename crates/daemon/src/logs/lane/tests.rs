use std::io::{PipeReader, Write, pipe};
use std::os::fd::AsRawFd;
use std::sync::mpsc::channel;
use std::time::Instant;

use provost_config::{LogFormat, Overflow};
use rustix::io::ioctl_fionbio;

use super::super::sink::{Destination, Speaker, Target};
use super::*;
use crate::wake::Post;

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(20);
/// More than whoever listens may be behind with, the program's pipe included.
const MUCH: usize = 2 << 20;

/// A pipe without room by a name, and its reader, which does not read.
fn stuck() -> (PipeReader, OwnedFd, Target) {
    let (reader, writer) = pipe().unwrap();
    ioctl_fionbio(&writer, true).unwrap();
    // Opened by its name it is made as large as this.
    fcntl_setpipe_size(&writer, 1 << 20).unwrap();
    while (&writer).write(&[b'-'; 4096]).is_ok() {}
    let path = std::path::PathBuf::from(format!("/proc/self/fd/{}", writer.as_raw_fd()));
    (reader, writer.into(), Target::Named(Destination::new(path).into()))
}

/// Whoever is told of output is behind, and catches up: a program that may lose output goes on then, though its log is stuck still.
#[test]
fn who_waits_for_listeners_only_goes_on_when_they_have_caught_up() {
    let (_reader, _writer, to) = stuck();
    let (bell, notices_bell) = (Bell::new().unwrap(), Bell::new().unwrap());
    let (orders, queue) = Post::new(&bell);
    let (post, notices) = Post::new(&notices_bell);
    let parts = Parts {
        bell,
        queue,
        reports: Reports::without_audience(post),
        journals: vec![Journal::create().unwrap()],
        main_log: None,
        beats: Arc::default(),
    };
    let lane = Lane::new(parts).unwrap();
    let runs = std::thread::spawn(move || lane.run());
    let (child, process) = (ChildId(1), ProcessId(1));
    let course = Course {
        speaker: Speaker::default(),
        strip_ansi: false,
        capture: 0,
        publishes: false,
        tells: true,
        format: LogFormat::Text,
        has_wires: false,
    };
    let plan = OutletPlan { sinks: vec![to], overflow: Overflow::Drop, course: Some(Arc::new(course)) };
    orders.send(Order::Open { child, process, outlets: vec![(Output::Stdout, plan)], runs: false });
    let (stdout, mut program) = pipe().unwrap();
    ioctl_fionbio(&stdout, true).unwrap();
    let same = stdout.try_clone().unwrap();
    orders.send(Order::Watch {
        child,
        pid: 1,
        pipes: Pipes { stdout: stdout.into(), stderr: None },
        leftovers: Vec::new(),
    });
    let (done, is_done) = channel();
    std::thread::spawn(move || {
        program.write_all(&vec![b'x'; MUCH]).unwrap();
        done.send(()).unwrap();
        program
    });
    // Nobody takes what is told: there is an end of it.
    let mut told = Vec::new();
    let mut bytes = 0;
    while bytes <= 512 << 10 {
        let notice = notices.recv_timeout(DEADLINE).unwrap();
        if let Notice::Said { data, .. } = &notice {
            bytes += data.len();
        }
        told.push(notice);
    }
    let end = Instant::now() + DEADLINE;
    while ioctl_fionread(&same).unwrap() == 0 {
        assert!(Instant::now() < end, "it goes on writing");
        std::thread::yield_now();
    }
    // The second turn of the lane sees that there is something, and the third comes after that.
    for _ in 0..3 {
        orders.send(Order::Logs { process, deed: LogDeed::Clear, outlets: Vec::new() });
        while !matches!(notices.recv_timeout(DEADLINE).unwrap(), Notice::LogsDone { .. }) {}
    }
    assert!(is_done.try_recv().is_err(), "it is not read while they are behind");
    drop(told);
    let end = Instant::now() + DEADLINE;
    while is_done.recv_timeout(Duration::from_millis(1)).is_err() {
        assert!(Instant::now() < end, "it is read again");
        notices.try_iter().for_each(drop);
    }
    orders.send(Order::Quit { lines: Vec::new(), for_good: false });
    runs.join().unwrap();
}
