//! Deaths of a brain in the middle of a write, at every step, and of its successors: each time every byte is there once.

use std::fs::{self, OpenOptions};
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::path::PathBuf;

use super::*;
use crate::logs::open::Kind;
use crate::logs::scene::Dir;
use crate::logs::sink::{Destination, Sink};

/// A program with its pipe, files that it may write to, and what the keeper holds.
struct World {
    dir: Dir,
    pipe: OwnedFd,
    program: PipeWriter,
    held: [OwnedFd; 3],
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
        Sink::open(Destination { maxbytes, backups: 100, ..Destination::new(self.dir.file(name)) }).unwrap()
    }

    fn brain(&self) -> Journal {
        Journal::resume(copies(&self.held)).unwrap()
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
        assert!(matches!(self.brain().take(&self.pipe, sink.path(), sink.file(), MOST), Ok(Flow::Some(_))));
    }

    /// Brains come up and die, each one step later than the one before, until one lives; returns what it said.
    fn recover_in_the_end(&self) -> Option<String> {
        let mut said = None;
        let mut steps = 1;
        while death::after(steps, || said = recover(&mut self.brain())) {
            steps += 1;
        }
        assert_eq!(recover(&mut self.brain()), None, "nothing is left to do");
        said.map(|(_, text)| text)
    }
}

fn copies(held: &[OwnedFd; 3]) -> [OwnedFd; 3] {
    held.each_ref().map(|fd| fd.try_clone().unwrap())
}

/// Leaves nothing aside; returns what was said.
fn recover(journal: &mut Journal) -> Option<(LogLevel, String)> {
    let Recovered { said, stalled } = journal.recover();
    assert!(said.len() <= 1 && stalled.is_empty(), "{said:?} {stalled:?}");
    said.into_iter().next()
}

fn append(path: PathBuf, text: &[u8]) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text).unwrap();
}

/// Ends what a dead brain began, then carries what is in the pipe, in turns to each file, until that is empty.
fn live(world: &World, names: &[&str], maxbytes: u64) {
    let mut journal = world.brain();
    assert_eq!(recover(&mut journal), None);
    let mut sinks: Vec<Sink> = names.iter().map(|name| world.sink(name, maxbytes)).collect();
    let mut turn = 0;
    while world.has_output() {
        let sink = &mut sinks[turn % names.len()];
        if let Flow::Some(_) = journal.take(&world.pipe, sink.path(), sink.file(), MOST).unwrap() {
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
            .env("HELD", held.each_ref().map(path_of).join(" "))
            .stdin(pipe.try_clone().unwrap())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
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
    assert_eq!(recover(&mut Journal::resume(held).unwrap()), None);
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

/// Under which another process can open what this one has open.
fn path_of(fd: &OwnedFd) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd())
}

#[test]
#[ignore = "it is the brain of the test above"]
fn a_brain_that_is_killed() {
    use std::os::fd::AsFd;
    let pipe = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let held = std::env::var("HELD").expect("the test above says what it holds");
    let mut held = held.split(' ');
    let mut open = |options: &mut OpenOptions| OwnedFd::from(options.open(held.next().unwrap()).unwrap());
    let memory = open(OpenOptions::new().read(true).write(true));
    let parts = [memory, open(OpenOptions::new().read(true)), open(OpenOptions::new().write(true))];
    let mut journal = Journal::resume(parts).unwrap();
    assert_eq!(recover(&mut journal), None);
    let path = PathBuf::from(std::env::var_os("LOG").expect("the test above names it"));
    let mut sink =
        Sink::open(Destination { maxbytes: 1_000_000, backups: 10_000, ..Destination::new(path) }).unwrap();
    loop {
        if let Flow::Some(_) = journal.take(&pipe, sink.path(), sink.file(), MOST).unwrap() {
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
    brain.take(&world.pipe, first.path(), first.file(), MOST).unwrap();
    assert_eq!(brain.put(first.file()).unwrap(), 4, "the size of the file");
    (&world.program).write_all(b"two\n").unwrap();
    brain.take(&world.pipe, second.path(), second.file(), MOST).unwrap();
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
    let (level, text) = recover(&mut world.brain()).unwrap();
    assert_eq!(level, LogLevel::Warn);
    assert!(text.contains("is no longer the file") && text.contains("6 bytes may be in both"), "{text}");
}

#[test]
fn what_cannot_be_written_after_a_death_waits_until_it_can() {
    let world = World::new();
    (&world.program).write_all(b"chunk\n").unwrap();
    world.taken();
    fs::remove_file(world.log()).unwrap();
    fs::create_dir(world.log()).unwrap();
    for _ in 0..2 {
        let Recovered { said, mut stalled } = world.brain().recover();
        assert!(said.is_empty());
        let (stalled, why) = stalled.pop().unwrap();
        assert_eq!((stalled.path().as_ref(), stalled.left()), (world.log().as_path(), 6));
        assert_eq!(why.kind(), io::ErrorKind::IsADirectory);
    }
    fs::remove_dir(world.log()).unwrap();
    world.recover_in_the_end();
    assert_eq!(world.content(), "chunk\n");
}

#[test]
fn a_device_shows_what_was_on_its_way_again() {
    let world = World::new();
    (&world.program).write_all(b"chunk\n").unwrap();
    let null = Sink::open(Destination {
        maxbytes: 1,
        backups: 0,
        ..Destination::new(std::path::Path::new("/dev/null"))
    })
    .unwrap();
    assert!(matches!(world.brain().take(&world.pipe, null.path(), null.file(), MOST), Ok(Flow::Some(6))));
    assert_eq!(world.recover_in_the_end(), None);
}

#[test]
fn only_so_much_is_taken_as_there_is_room_for() {
    let world = World::new();
    (&world.program).write_all(b"one and two\n").unwrap();
    let (sink, mut brain) = (world.sink("log", 0), world.brain());
    for (most, size) in [(3, 3), (5, 8), (1 << 30, 12)] {
        assert!(matches!(brain.take(&world.pipe, sink.path(), sink.file(), most), Ok(Flow::Some(_))));
        assert_eq!(brain.put(sink.file()).unwrap(), size);
    }
    assert_eq!(world.content(), "one and two\n");
}

/// The log, as somebody opens it to whom it is read-only.
fn refusing(world: &World) -> Open {
    append(world.log(), b"");
    let read_only = std::fs::File::open(world.log()).unwrap();
    Open { file: read_only, ..crate::logs::open::existing(&world.log()).unwrap() }
}

/// A chunk that the log does not take.
fn stall(world: &World, brain: &mut Journal, text: &str) -> Option<Stalled> {
    (&world.program).write_all(text.as_bytes()).unwrap();
    let sink = world.sink("log", 0);
    assert!(matches!(brain.take(&world.pipe, sink.path(), sink.file(), MOST), Ok(Flow::Some(_))));
    brain.put(&refusing(world)).unwrap_err();
    brain.set_aside()
}

/// Of the memory that the keeper holds, in bytes.
fn memory_in_use(world: &World) -> u64 {
    u64::try_from(fstat(&world.held[0]).unwrap().st_blocks).unwrap() * 512
}

#[test]
fn what_a_file_does_not_take_waits_while_others_go_on() {
    let (world, long) = (World::new(), "long\n".repeat(13_000));
    let mut brain = world.brain();
    let mut stalled = stall(&world, &mut brain, &long).unwrap();
    let other = world.sink("other", 0);
    for n in 0..100 {
        (&world.program).write_all(b"more\n").unwrap();
        assert_eq!(brain.take(&world.pipe, other.path(), other.file(), MOST).unwrap(), Flow::Some(5));
        assert_eq!(brain.put(other.file()).unwrap(), (n + 1) * 5);
    }
    let before = memory_in_use(&world);
    brain.put_aside(&mut stalled, &refusing(&world)).unwrap_err();
    assert_eq!((stalled.left(), world.content().as_str()), (65_000, ""));
    let sink = world.sink("log", 0);
    assert_eq!(brain.put_aside(&mut stalled, sink.file()).unwrap(), 65_000);
    assert!(stalled.left() == 0 && world.content() == long);
    assert!(memory_in_use(&world) + 65_000 <= before, "its memory is given back");
    assert_eq!(brain.put_aside(&mut stalled, sink.file()).unwrap(), 65_000, "once more is nothing");
    assert_eq!(brain.discard(stalled), 0);
    assert_eq!(world.dir.content("other").unwrap(), "more\n".repeat(100));
}

#[test]
fn what_a_file_takes_in_pieces_is_there_once() {
    let (world, text) = (World::new(), "0123456789\n".repeat(5_000));
    (&world.program).write_all(text.as_bytes()).unwrap();
    let (mut reader, program) = pipe().unwrap();
    // Until the one who reads it does.
    rustix::pipe::fcntl_setpipe_size(&program, 8192).unwrap();
    rustix::io::ioctl_fionbio(&program, true).unwrap();
    let to = Open { file: OwnedFd::from(program).into(), kind: Kind::Pipe, ..refusing(&world) };
    let (sink, mut brain, mut read) = (world.sink("log", 0), world.brain(), vec![0; text.len()]);
    brain.take(&world.pipe, sink.path(), sink.file(), MOST).unwrap();
    assert_eq!(brain.put(&to).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let mut stalled = brain.set_aside().unwrap();
    let mut have = 0;
    while have < read.len() {
        have += std::io::Read::read(&mut reader, &mut read[have..]).unwrap();
        let put = brain.put_aside(&mut stalled, &to);
        assert_eq!(put.is_ok(), stalled.left() == 0, "{put:?}");
    }
    assert!(read == text.as_bytes());
}

/// Each line of a program whose log takes nothing at first, then everything.
fn live_through_a_full_disk(world: &World) {
    let mut journal = world.brain();
    let mut waiting: Vec<Stalled> =
        journal.recover().stalled.into_iter().map(|(stalled, _)| stalled).collect();
    let (sink, refusing) = (world.sink("log", 0), refusing(world));
    let mut turn = 0;
    while world.has_output() {
        journal.take(&world.pipe, sink.path(), sink.file(), 4).unwrap();
        turn += 1;
        if turn == 2 {
            journal.put(sink.file()).unwrap();
        } else {
            journal.put(&refusing).unwrap_err();
            waiting.push(journal.set_aside().unwrap());
        }
    }
    for stalled in &mut waiting {
        journal.put_aside(stalled, sink.file()).unwrap();
    }
}

#[test]
fn brains_that_die_at_any_two_steps_of_a_full_disk_lose_nothing_and_repeat_nothing() {
    let mut first = 1;
    loop {
        let mut second = 1;
        let mut first_died;
        loop {
            let world = World::new();
            (&world.program).write_all(b"one\ntwo\nsix\n").unwrap();
            first_died = death::after(first, || live_through_a_full_disk(&world));
            let second_died = death::after(second, || live_through_a_full_disk(&world));
            live_through_a_full_disk(&world);
            let content = world.content();
            let mut lines: Vec<&str> = content.lines().collect();
            lines.sort_unstable();
            assert_eq!(lines, ["one", "six", "two"], "killed after {first} and {second} steps");
            assert_eq!(world.brain().aside(), 0, "every slot is released");
            if !second_died {
                break;
            }
            second += 3;
        }
        if !first_died {
            break;
        }
        first += 1;
    }
    assert!(first > 30, "a life has many steps, not {first}");
}

#[test]
fn when_no_slot_is_left_the_chunk_stays_where_it_is() {
    let world = World::new();
    let mut brain = world.brain();
    let mut waiting: Vec<Stalled> =
        (1..SLOTS).map(|n| stall(&world, &mut brain, &format!("{n}\n")).unwrap()).collect();
    assert!(stall(&world, &mut brain, "last\n").is_none());
    assert_eq!(brain.chunk().unwrap(), b"last\n");
    assert_eq!(brain.discard(waiting.remove(6)), 2);
    let last = brain.set_aside().unwrap();
    let sink = world.sink("log", 0);
    waiting.push(last);
    for stalled in &mut waiting {
        brain.put_aside(stalled, sink.file()).unwrap();
    }
    let expected: Vec<String> =
        (1..SLOTS).filter(|n| *n != 7).map(|n| n.to_string()).chain(["last".to_owned()]).collect();
    assert_eq!(world.content().lines().collect::<Vec<_>>(), expected);
}

#[test]
fn what_was_given_up_is_not_seen_again() {
    for steps in 1..20 {
        let world = World::new();
        (&world.program).write_all(b"lost\n").unwrap();
        let (sink, mut brain) = (world.sink("log", 0), world.brain());
        brain.take(&world.pipe, sink.path(), sink.file(), MOST).unwrap();
        let died = death::after(steps, || brain.give_up());
        let mut brain = world.brain();
        assert_eq!(recover(&mut brain), None);
        (&world.program).write_all(b"more\n").unwrap();
        brain.take(&world.pipe, sink.path(), sink.file(), MOST).unwrap();
        brain.put(sink.file()).unwrap();
        let content = world.content();
        assert!(content == "more\n" || died && content == "lost\nmore\n", "{content:?}");
        if !died {
            return;
        }
    }
    panic!("giving up takes more steps than it has");
}

#[test]
fn a_brain_that_dies_while_it_fetches_leaves_the_rest_in_the_pipe() {
    for fetched in 0..=6 {
        let world = World::new();
        (&world.program).write_all(b"chunk\n").unwrap();
        world.taken();
        let brain = world.brain();
        // The kernel may end a read anywhere.
        brain.memory.read_from(&brain.out, brain.slot.rest(), fetched).unwrap();
        drop(brain);
        assert_eq!(world.recover_in_the_end(), None);
        assert_eq!(world.content(), "chunk\n", "{fetched} bytes had been fetched");
    }
}

#[test]
fn what_waits_is_not_taken_for_written_because_somebody_else_said_the_same() {
    let world = World::new();
    let _ = stall(&world, &mut world.brain(), "tick\n").unwrap();
    append(world.log(), b"tick\n");
    assert_eq!(world.recover_in_the_end(), None);
    assert_eq!(world.content(), "tick\ntick\n");
}

#[test]
fn a_doubt_is_kept_until_the_file_can_be_looked_into() {
    let world = World::new();
    fs::create_dir(world.dir.file("mount")).unwrap();
    let sink = world.sink("mount/log", 0);
    (&world.program).write_all(b"chunk\n").unwrap();
    world.brain().take(&world.pipe, sink.path(), sink.file(), MOST).unwrap();
    append(world.dir.file("mount/log"), b"chu");
    fs::rename(world.dir.file("mount"), world.dir.file("away")).unwrap();
    let mut brain = world.brain();
    let (mut stalled, _) = brain.recover().stalled.pop().unwrap();
    assert_eq!(stalled.left(), 6, "as far as anybody knows");
    fs::rename(world.dir.file("away"), world.dir.file("mount")).unwrap();
    assert_eq!(brain.put_aside(&mut stalled, sink.file()).unwrap(), 6);
    assert_eq!(world.dir.content("mount/log").unwrap(), "chunk\n");
}

#[test]
fn what_is_no_journal_is_refused() {
    let parts = |bytes: usize, format: u64| {
        let other = Shared::create("other", bytes).unwrap();
        other.words()[IS].store(format, Ordering::Release);
        let [_, out, into] = Journal::create().unwrap().share().unwrap();
        [other.share().unwrap(), out, into]
    };
    assert!(Journal::resume(parts(BYTES, FORMAT)).is_ok());
    assert!(Journal::resume(parts(BYTES, 0)).is_err());
    assert!(Journal::resume(parts(4096, FORMAT)).is_err());
    let ([memory, out, _], [_, _, into]) = (parts(BYTES, FORMAT), parts(BYTES, FORMAT));
    assert!(Journal::resume([memory, out, into]).is_err());
}

// --- what somebody listens to ---

const VOICE_OF: Voice = Voice { child: ChildId(77), output: Output::Stderr };

/// Passes on what an earlier brain had yet to, then what is in the pipe, by hand.
fn listen_by_hand(world: &World, heard: &mut Vec<u8>) {
    let mut journal = world.brain();
    if let Some((voice, leftover)) = journal.take_leftover() {
        assert_eq!((voice, leftover.is_in_log), (VOICE_OF, false));
        heard.extend(leftover.bytes);
    }
    assert_eq!(recover(&mut journal), None);
    while world.has_output() {
        if let Flow::Some(_) = journal.take_by_hand(VOICE_OF, &world.pipe, 4).unwrap() {
            heard.extend(journal.chunk().unwrap());
            death::may_come();
            journal.is_heard();
        }
    }
}

/// The same of what is on its way to a file as it is, and listened to.
fn listen_by_the_way(world: &World, heard: &mut Vec<u8>) {
    let mut journal = world.brain();
    if let Some((voice, leftover)) = journal.take_leftover() {
        assert_eq!((voice, leftover.is_in_log), (VOICE_OF, true));
        heard.extend(leftover.bytes);
    }
    assert_eq!(recover(&mut journal), None);
    let mut sink = world.sink("log", 0);
    while world.has_output() {
        journal.listens(Some(VOICE_OF));
        if let Flow::Some(_) = journal.take(&world.pipe, sink.path(), sink.file(), 4).unwrap() {
            heard.extend(journal.chunk().unwrap());
            death::may_come();
            journal.listens(None);
            let size = journal.put(sink.file()).unwrap();
            sink.grown(size).unwrap();
        }
    }
}

/// Of pieces of four bytes one may be there twice.
#[track_caller]
fn is_heard(heard: &[u8], text: &str, steps: u32) -> bool {
    let mut pieces: Vec<&[u8]> = heard.chunks(4).collect();
    let all = pieces.len();
    pieces.dedup();
    assert_eq!(String::from_utf8_lossy(&pieces.concat()), text, "killed after {steps} steps");
    all > pieces.len()
}

#[test]
fn whoever_listens_hears_all_of_it_whichever_step_is_the_last() {
    let text = "one and two 3or4";
    type Life = fn(&World, &mut Vec<u8>);
    for (life, is_in_log) in [(listen_by_hand as Life, false), (listen_by_the_way, true)] {
        let (mut steps, mut died, mut twice) = (0, true, 0);
        while died {
            steps += 1;
            let world = World::new();
            (&world.program).write_all(text.as_bytes()).unwrap();
            let mut heard = Vec::new();
            died = death::after(steps, || life(&world, &mut heard));
            life(&world, &mut heard);
            twice += u32::from(is_heard(&heard, text, steps));
            if is_in_log {
                assert_eq!(world.content(), text, "killed after {steps} steps");
            }
        }
        assert!(steps > 30 && twice > 0, "{twice} of {steps} steps repeat a piece");
    }
}
