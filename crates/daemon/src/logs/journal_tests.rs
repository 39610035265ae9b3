//! Deaths of a brain in the middle of a write, at every step, and of its successors: each time every byte is there once.

use std::fs::{self, OpenOptions};
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::path::PathBuf;

use super::*;
use crate::logs::scene::Dir;
use crate::logs::sink::Destination;

/// A program with its pipe, files that it may write to, and what the keeper holds.
struct World {
    dir: Dir,
    pipe: OwnedFd,
    program: PipeWriter,
    held: OwnedFd,
}

impl World {
    fn new() -> World {
        let (reader, program): (PipeReader, PipeWriter) = pipe().unwrap();
        let held = Journal::create().unwrap().share().unwrap();
        World { dir: Dir::new(), pipe: reader.into(), program, held }
    }

    fn log(&self) -> PathBuf {
        self.dir.file("log")
    }

    fn sink(&self, name: &str, maxbytes: u64) -> Sink {
        Sink::open(Destination { path: self.dir.file(name).into(), maxbytes, backups: 100 }).unwrap()
    }

    fn brain(&self) -> Journal {
        Journal::resume(self.held.try_clone().unwrap()).unwrap()
    }

    fn has_output(&self) -> bool {
        rustix::io::ioctl_fionread(&self.pipe).unwrap() > 0
    }

    fn content(&self) -> String {
        self.dir.content("log").unwrap()
    }

    /// A chunk out of the pipe, and then death before a byte of it is written.
    fn taken(&self) {
        let sink = self.sink("log", 0);
        assert!(matches!(self.brain().take(&self.pipe, &sink), Ok(Flow::Some(_))));
    }

    /// Brains come up and die, each one step later than the one before, until one lives; returns what it said.
    fn recover_in_the_end(&self) -> Option<String> {
        let mut said = None;
        let mut steps = 1;
        while death::after(steps, || said = self.brain().recover()) {
            steps += 1;
        }
        assert_eq!(self.brain().recover(), None, "nothing is left to do");
        said.map(|(_, text)| text)
    }
}

fn append(path: PathBuf, text: &[u8]) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text).unwrap();
}

/// Ends what a dead brain began, then carries what is in the pipe, in turns to each file, until that is empty.
fn live(world: &World, names: &[&str], maxbytes: u64) {
    let mut journal = world.brain();
    assert_eq!(journal.recover(), None);
    let mut sinks: Vec<Sink> = names.iter().map(|name| world.sink(name, maxbytes)).collect();
    let mut turn = 0;
    while world.has_output() {
        let sink = &mut sinks[turn % names.len()];
        if let Flow::Some(_) = journal.take(&world.pipe, sink).unwrap() {
            let size = journal.put(sink.file()).unwrap();
            sink.grown(size).unwrap();
        }
        turn += 1;
    }
}

#[test]
fn two_brains_that_die_at_any_two_steps_lose_nothing_and_repeat_nothing() {
    let text = "one and two and three\n";
    let mut first = 1;
    loop {
        let mut second = 1;
        let mut first_died;
        loop {
            let world = World::new();
            (&world.program).write_all(text.as_bytes()).unwrap();
            first_died = death::after(first, || live(&world, &["log"], 0));
            (&world.program).write_all(text.as_bytes()).unwrap();
            let second_died = death::after(second, || live(&world, &["log"], 0));
            live(&world, &["log"], 0);
            assert_eq!(world.content(), text.repeat(2), "killed after {first} and {second} steps");
            if !second_died {
                break;
            }
            second += 1;
        }
        if !first_died {
            break;
        }
        first += 1;
    }
    assert!(first > 10, "a life has many steps, not {first}");
}

/// More than the journal has room for, into two files that take turns and rotate.
#[test]
fn through_many_deaths_two_rotating_files_together_hold_every_line_once() {
    for lifetime in 1..20 {
        let world = World::new();
        let expected: Vec<String> = (0..60_000).map(|n| format!("{n:07}")).collect();
        let mut deaths = 0;
        for piece in expected.chunks(3_000) {
            (&world.program).write_all((piece.join("\n") + "\n").as_bytes()).unwrap();
            // Each gets a step further than the last.
            let mut steps = lifetime;
            while death::after(steps, || live(&world, &["a", "b"], 50_000)) {
                deaths += 1;
                steps += 1;
            }
        }
        let files = fs::read_dir(world.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut lines: Vec<String> = files
            .flat_map(|file| fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        lines.sort();
        assert!(lines == expected, "after {deaths} deaths, {lifetime} steps after each piece at first");
        assert!(deaths > 0 || lifetime > 12);
    }
}

/// Real processes and SIGKILL, at moments that only the kernel knows.
#[test]
fn hundreds_of_brains_are_killed_while_a_program_prints() {
    const KILLS: u64 = 300;
    let World { dir, pipe, program, held } = World::new();
    let writer = std::thread::spawn(move || {
        // Until the last brain is gone, and with it the last reader.
        // Single lines and heaps of them, in turns.
        let mut next = 1u64;
        loop {
            let last = next + if next.is_multiple_of(3) { 20_000 } else { 0 };
            let lines: String = (next..=last).map(|n| format!("{n}\n")).collect();
            if (&program).write_all(lines.as_bytes()).is_err() {
                return;
            }
            next = last + 1;
        }
    });
    let size = || -> u64 {
        let files = fs::read_dir(dir.path()).unwrap();
        files.filter_map(|file| Some(file.unwrap().metadata().ok()?.len())).sum()
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    for n in 0..KILLS {
        let mut brain = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "logs::journal::tests::a_brain_that_is_killed"])
            .env("LOG", dir.file("log"))
            .stdin(pipe.try_clone().unwrap())
            .stdout(std::process::Stdio::null())
            .stderr(held.try_clone().unwrap())
            .spawn()
            .unwrap();
        let enough = size() + n * 7919 % 100_000;
        while size() <= enough {
            assert!(std::time::Instant::now() < deadline, "the log does not grow");
            std::thread::yield_now();
        }
        brain.kill().unwrap();
        brain.wait().unwrap();
    }
    Journal::resume(held).unwrap().recover();
    drop(pipe);
    writer.join().unwrap();
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()).collect();
    let number = |file: &PathBuf| file.extension().and_then(|n| n.to_str()?.parse().ok()).unwrap_or(0u32);
    files.sort_by_key(|file| u32::MAX - number(file));
    let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let whole = &text[..=text.rfind('\n').unwrap()];
    let wrong = whole.lines().zip(1u64..).find(|(line, n)| line.parse() != Ok(*n));
    assert_eq!(wrong, None, "of {} bytes in {} files", text.len(), files.len());
}

#[test]
#[ignore = "it is the brain of the test above"]
fn a_brain_that_is_killed() {
    use std::os::fd::AsFd;
    let pipe = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let mut journal = Journal::resume(std::io::stderr().as_fd().try_clone_to_owned().unwrap()).unwrap();
    assert_eq!(journal.recover(), None);
    let path = PathBuf::from(std::env::var_os("LOG").expect("the test above names it"));
    let mut sink =
        Sink::open(Destination { path: path.into(), maxbytes: 1_000_000, backups: 10_000 }).unwrap();
    loop {
        if let Flow::Some(_) = journal.take(&pipe, &sink).unwrap() {
            let size = journal.put(sink.file()).unwrap();
            sink.grown(size).unwrap();
        }
    }
}

#[test]
fn a_write_that_was_cut_short_is_finished() {
    for written in 0..=6 {
        let world = World::new();
        append(world.log(), b"before\n");
        (&world.program).write_all(b"chunk\n").unwrap();
        world.taken();
        append(world.log(), &b"chunk\n"[..written]);
        assert_eq!(world.recover_in_the_end(), None);
        assert_eq!(world.content(), "before\nchunk\n", "{written} bytes had been written");
    }
}

#[test]
fn what_others_append_meanwhile_is_neither_ours_nor_in_the_way() {
    let chunk = "0123456789abcde\n".repeat(1000);
    for written in [0, 4096 - 8, 8192 - 8, chunk.len()] {
        for (earlier, later) in [("other\n", ""), ("", "other\n"), ("other\n", "another\n")] {
            let world = World::new();
            // So that the first page of the file ends where the kernel may have been stopped.
            append(world.log(), &b"before\n!"[..8 - earlier.len()]);
            let before = world.content();
            (&world.program).write_all(chunk.as_bytes()).unwrap();
            world.taken();
            for text in [earlier, &chunk[..written], later] {
                append(world.log(), text.as_bytes());
            }
            assert_eq!(world.recover_in_the_end(), None);
            let expected = [&before, earlier, &chunk[..written], later, &chunk[written..]].concat();
            assert_eq!(world.content(), expected, "{written} bytes between {earlier:?} and {later:?}");
        }
    }
}

#[test]
fn a_file_that_is_truncated_between_size_and_write_is_no_riddle() {
    for written in [0, 3, 6] {
        let world = World::new();
        append(world.log(), b"something long before\n");
        (&world.program).write_all(b"chunk\n").unwrap();
        world.taken();
        fs::write(world.log(), &b"chunk\n"[..written]).unwrap();
        assert_eq!(world.recover_in_the_end(), None);
        assert_eq!(world.content(), "chunk\n");
    }
}

#[test]
fn a_file_that_was_renamed_gets_its_rest_and_its_heir_gets_nothing() {
    for written in [0, 3, 6] {
        let world = World::new();
        append(world.log(), b"before\n");
        (&world.program).write_all(b"chunk\n").unwrap();
        world.taken();
        append(world.log(), &b"chunk\n"[..written]);
        fs::rename(world.log(), world.dir.file("log.1")).unwrap();
        append(world.log(), b"new\n");
        assert_eq!(world.recover_in_the_end(), None);
        assert_eq!(world.dir.content("log.1").unwrap(), "before\nchunk\n");
        assert_eq!(world.content(), "new\n");
    }
}

#[test]
fn a_chunk_goes_to_the_directory_that_it_was_meant_for() {
    let world = World::new();
    fs::create_dir(world.dir.file("other")).unwrap();
    let (first, second) = (world.sink("log", 0), world.sink("other/log", 0));
    let mut brain = world.brain();
    (&world.program).write_all(b"one\n").unwrap();
    brain.take(&world.pipe, &first).unwrap();
    assert_eq!(brain.put(first.file()).unwrap(), 4, "the size of the file");
    (&world.program).write_all(b"two\n").unwrap();
    brain.take(&world.pipe, &second).unwrap();
    assert_eq!(world.recover_in_the_end(), None);
    assert_eq!(
        (world.content().as_str(), world.dir.content("other/log").as_deref()),
        ("one\n", Some("two\n"))
    );
}

#[test]
fn a_file_that_is_gone_is_made_again_with_the_whole_chunk() {
    let world = World::new();
    append(world.log(), b"before\n");
    (&world.program).write_all(b"chunk\n").unwrap();
    world.taken();
    append(world.log(), b"chu");
    // Somebody has it still, so that its number is not given to another file.
    let _open = fs::File::open(world.log()).unwrap();
    fs::remove_file(world.log()).unwrap();
    world.recover_in_the_end();
    assert_eq!(world.content(), "chunk\n");
}

#[test]
fn whoever_wrote_to_another_file_than_before_says_so() {
    let world = World::new();
    append(world.log(), b"before\n");
    (&world.program).write_all(b"chunk\n").unwrap();
    world.taken();
    let _open = fs::File::open(world.log()).unwrap();
    fs::remove_file(world.log()).unwrap();
    let (level, text) = world.brain().recover().unwrap();
    assert_eq!(level, LogLevel::Warn);
    assert!(text.contains("is no longer the file") && text.contains("6 bytes may be in both"), "{text}");
}

#[test]
fn what_cannot_be_written_is_given_up_and_said() {
    let world = World::new();
    (&world.program).write_all(b"chunk\n").unwrap();
    world.taken();
    fs::remove_file(world.log()).unwrap();
    fs::create_dir(world.log()).unwrap();
    let (level, text) = world.brain().recover().unwrap();
    assert_eq!(level, LogLevel::Critical);
    assert!(text.contains("up to 6 bytes of output that a brain died writing are lost"), "{text}");
    assert_eq!(world.brain().recover(), None);
}

#[test]
fn a_device_shows_what_was_on_its_way_again() {
    let world = World::new();
    (&world.program).write_all(b"chunk\n").unwrap();
    let null =
        Sink::open(Destination { path: std::path::Path::new("/dev/null").into(), maxbytes: 1, backups: 0 });
    assert!(matches!(world.brain().take(&world.pipe, &null.unwrap()), Ok(Flow::Some(6))));
    assert_eq!(world.recover_in_the_end(), None);
}

#[test]
fn memory_of_another_kind_is_no_journal() {
    let other = Shared::create("other", (DATA + ROOM) as usize).unwrap();
    assert!(Journal::resume(other.share().unwrap()).is_err());
    let small = Shared::create("other", 4096).unwrap();
    small.words()[IS].store(FORMAT, Ordering::Release);
    assert!(Journal::resume(small.share().unwrap()).is_err());
}
