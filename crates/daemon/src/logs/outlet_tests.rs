use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::sync::mpsc::Receiver;

use super::super::journal::Journal;
use super::super::pump::Notice;
use super::super::scene::Dir;
use super::super::sink::Destination;
use super::*;
use crate::wake::{Bell, Post};

/// A program that writes to an outlet.
struct World {
    program: PipeWriter,
    pipe: OwnedFd,
    carrier: Carrier,
    reports: Reports,
    notices: Receiver<Notice>,
    outlet: Outlet,
}

impl World {
    fn new(sinks: Vec<Target>, overflow: Overflow) -> World {
        let (pipe, program) = pipe().unwrap();
        rustix::io::ioctl_fionbio(&pipe, true).unwrap();
        let (post, notices) = Post::new(&Bell::new().unwrap());
        let reports = Reports::without_audience(post);
        let plan = OutletPlan { sinks, overflow, course: None };
        let outlet = Outlet::open(plan, OnRefusal::Fail, &reports).unwrap();
        let carrier = Carrier::new(Some(Journal::create().unwrap()));
        World { program, pipe: pipe.into(), carrier, reports, notices, outlet }
    }

    fn say(&mut self, text: &str) -> Flow {
        (&self.program).write_all(text.as_bytes()).unwrap();
        self.carry()
    }

    fn carry(&mut self) -> Flow {
        self.outlet.carry(&self.pipe, None, &mut self.carrier, &self.reports)
    }

    fn said(&self) -> Vec<String> {
        let texts = self.notices.try_iter().filter_map(|notice| match notice {
            Notice::Say { text, .. } => Some(text),
            _ => None,
        });
        texts.collect()
    }
}

fn named(path: impl Into<Arc<Path>>) -> Target {
    Target::Named(Destination::new(path).into())
}

/// A pipe by a name, and its reader.
fn stream() -> (PipeReader, Target, PipeWriter) {
    use std::os::fd::AsRawFd;
    let (reader, writer) = pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(&writer, 4096).unwrap();
    let path = std::path::PathBuf::from(format!("/proc/self/fd/{}", writer.as_raw_fd()));
    (reader, named(path), writer)
}

/// Fills a pipe to the last byte.
fn fill(writer: &PipeWriter) -> usize {
    rustix::io::ioctl_fionbio(writer, true).unwrap();
    let mut bytes = 0;
    while let Ok(n) = (&*writer).write(&[b'-'; 4096]) {
        bytes += n;
    }
    bytes
}

#[test]
fn a_pipe_without_room_is_waited_for_and_nothing_is_read_meanwhile() {
    let (mut reader, to, writer) = stream();
    let mut world = World::new(vec![to], Overflow::Block);
    let before = fill(&writer);
    assert_eq!(world.say("words"), Flow::NoRoom);
    assert!(!world.outlet.has_room() && world.outlet.waits_for().count() == 1);
    assert!(!world.outlet.holds(), "they are in the program's pipe still");
    let mut old = vec![0; before];
    reader.read_exact(&mut old).unwrap();
    assert_eq!(world.carry(), Flow::Some(5));
    let mut words = [0; 5];
    reader.read_exact(&mut words).unwrap();
    assert_eq!(&words, b"words");
    assert!(world.outlet.has_room() && world.said().is_empty());
}

#[test]
fn what_is_dropped_is_counted_in_the_place_where_it_is_missing() {
    let (mut reader, to, writer) = stream();
    let mut world = World::new(vec![to], Overflow::Drop);
    let before = fill(&writer);
    assert_eq!(world.say("words"), Flow::Some(5));
    assert_eq!(world.say("more words"), Flow::Some(10));
    let mut old = vec![0; before];
    reader.read_exact(&mut old).unwrap();
    assert_eq!(world.say("last"), Flow::Some(4));
    let expected = b"\nsupervisord: 15 bytes of output are missing here: it had no room\nlast";
    let mut got = vec![0; expected.len()];
    reader.read_exact(&mut got).unwrap();
    assert_eq!(got, expected);
    assert!(world.said()[0].ends_with("can be written again; 15 bytes of output were lost"));
}

#[test]
fn a_reader_who_has_gone_is_waited_for_by_neither_policy() {
    for overflow in Overflow::ALL {
        let (reader, to, _writer) = stream();
        let mut world = World::new(vec![to], overflow);
        drop(reader);
        for _ in 0..3 {
            assert_eq!(world.say("words"), Flow::Some(5));
            assert!(world.outlet.has_room() && !world.outlet.holds());
        }
        let said = world.said();
        assert!(
            said.len() == 1 && said[0].ends_with("Broken pipe (os error 32); output is being lost"),
            "{said:?}"
        );
    }
}

#[test]
fn of_two_sinks_each_gets_everything_and_the_slower_one_sets_the_pace() {
    let dir = Dir::new();
    let (mut reader, to, writer) = stream();
    let mut world = World::new(vec![named(dir.file("log")), to], Overflow::Block);
    assert_eq!(world.say("one "), Flow::Some(4));
    fill(&writer);
    assert_eq!(world.say("two "), Flow::Some(4));
    assert_eq!((dir.content("log").as_deref(), world.outlet.holds()), (Some("one two "), true));
    assert_eq!(world.say("three "), Flow::NoRoom);
    let mut all = Vec::new();
    let mut take_in = |world: &mut World| {
        let mut piece = [0; 4096];
        while world.outlet.holds() {
            let n = reader.read(&mut piece).unwrap();
            all.extend(&piece[..n]);
            world.outlet.push(&mut world.carrier, &world.reports);
        }
    };
    take_in(&mut world);
    assert_eq!(world.carry(), Flow::Some(6));
    take_in(&mut world);
    drop((world.outlet, writer));
    reader.read_to_end(&mut all).unwrap();
    let said: Vec<u8> = all.into_iter().filter(|byte| *byte != b'-').collect();
    assert_eq!(String::from_utf8(said).unwrap(), "one two three ");
    assert_eq!(dir.content("log").as_deref(), Some("one two three "));
}

#[test]
fn a_full_disk_is_waited_for_or_costs_what_does_not_fit() {
    // It takes nothing, like a disk without room, and is a device: nobody waits for it.
    let mut world = World::new(vec![named(Path::new("/dev/full"))], Overflow::Block);
    assert_eq!(world.say("words"), Flow::Some(5));
    assert!(world.outlet.has_room());
    assert!(world.said()[0].ends_with("No space left on device (os error 28); output is being lost"));
}

#[test]
fn a_file_that_is_missing_is_tried_again_and_waited_for() {
    let dir = Dir::new();
    let path = dir.file("later/log");
    let mut world = World::new(vec![named(dir.file("log"))], Overflow::Block);
    let plan = OutletPlan { sinks: vec![named(path.clone())], overflow: Overflow::Block, course: None };
    assert!(Outlet::open(plan.clone(), OnRefusal::Fail, &world.reports).is_err());
    world.outlet = Outlet::open(plan, OnRefusal::TryAgain, &world.reports).unwrap();
    assert_eq!(world.say("words"), Flow::NoRoom);
    assert!(world.said()[0].contains("No such file or directory"), "it is said what is wrong");
    std::fs::create_dir(dir.file("later")).unwrap();
    world.outlet.do_to(LogDeed::Reopen).unwrap();
    assert_eq!(world.carry(), Flow::Some(5));
    assert_eq!(dir.content("later/log").as_deref(), Some("words"));
}
