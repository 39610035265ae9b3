//! Brains that are killed at every step of a conversation, and what a listener hears of that: nothing.

use provost_core::{ChildId, Mono};
use provost_wire::listener::Unit;
use rustix::pipe::pipe;

use super::super::queue::Queue;
use super::*;

const ME: ChildId = ChildId(7);
const EVENTS: u64 = 4;

/// What outlives brains: what the keeper holds, and the listener with all that it has heard.
struct World {
    kept: Kept,
    queue: Queue,
    stdout: OwnedFd,
    stdin: OwnedFd,
    listener: Listener,
}

struct Listener {
    out: OwnedFd,
    into: OwnedFd,
    heard: Vec<u8>,
    /// Messages that it has heard to the end.
    whole: usize,
    /// Those that it has answered.
    answered: usize,
    /// What it is about to say, and how much it says at once.
    words: Vec<u8>,
    at_once: usize,
    /// It answers when it has seen the first byte of a message, and not the last.
    is_early: bool,
}

fn text(serial: u64) -> String {
    // One is longer than a pipe.
    let filler = if serial == 3 { 150_000 } else { 20 };
    format!("event {serial} {}\n", "x".repeat(filler))
}

fn world(at_once: usize, is_early: bool) -> World {
    let mut queue = Queue::create().unwrap();
    for serial in 1..=EVENTS {
        queue
            .put(serial, Mono(serial), |_, out| {
                out.extend_from_slice(text(serial).as_bytes());
                None
            })
            .unwrap();
    }
    let nonblocking = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
    let ((stdout, into), (out, stdin)) = (pipe_with(nonblocking).unwrap(), pipe_with(nonblocking).unwrap());
    let listener = Listener {
        out,
        into,
        heard: Vec::new(),
        whole: 0,
        answered: 0,
        words: b"READY\n".to_vec(),
        at_once,
        is_early,
    };
    World { kept: Kept::create().unwrap(), queue, stdout, stdin, listener }
}

impl Listener {
    /// It does a little: reads what there is, and says what it has to say.
    fn act(&mut self) {
        let mut piece = vec![0; 80_000];
        if let Ok(read) = rustix::io::read(&self.out, &mut piece) {
            self.heard.extend_from_slice(&piece[..read]);
            self.whole += piece[..read].iter().filter(|byte| **byte == b'\n').count();
        }
        let begun = self.whole + usize::from(!self.heard.is_empty() && !self.heard.ends_with(b"\n"));
        if self.answered < if self.is_early { begun } else { self.whole } {
            self.answered += 1;
            self.words.extend_from_slice(b"RESULT 2\nOKREADY\n");
        }
        let now = self.words.len().min(self.at_once);
        if now > 0 {
            rustix::io::write(&self.into, &self.words.drain(..now).collect::<Vec<u8>>()).unwrap();
        }
    }

    fn has_all(&self) -> bool {
        self.whole == EVENTS as usize && self.words.is_empty() && self.answered == self.whole
    }
}

impl World {
    /// The keeper's part.
    fn next_brain(&mut self) {
        self.kept = Kept::found(self.kept.share().unwrap()).unwrap();
        let [memory, near] = self.queue.share().unwrap();
        self.queue = Queue::found(memory, near, None).unwrap();
    }

    /// One life of a brain, which ends when nothing is left to do.
    fn live(&mut self) {
        let World { kept, queue, stdout, stdin, listener } = self;
        let kept = Kept::found(kept.share().unwrap()).unwrap();
        let mut conversation = Conversation::resume(kept, stdout.try_clone().unwrap(), true, false);
        hear(&mut conversation, queue);
        conversation.has_stdin(stdin.try_clone().unwrap());
        let state = conversation.state();
        if let Some(letter) = queue.at_once(|queue| queue.out_with(ME, Unit::Bytes)).unwrap() {
            match state {
                Listening::Busy => conversation.was_told(letter.file).unwrap(),
                Listening::Ready => conversation.tell(letter).unwrap(),
                other => panic!("something is out with one that is {other:?}"),
            };
        } else if let Some(letter) = queue.at_once(|queue| queue.half_told(ME, Unit::Bytes)).unwrap() {
            conversation.was_told(letter.file).unwrap();
        }
        for turn in 0.. {
            assert!(turn < 100_000, "it comes to no end: {conversation:?}");
            listener.act();
            while conversation.listen().unwrap() == Listened::Some {
                hear(&mut conversation, queue);
                conversation.log_on();
            }
            conversation.go_on_telling().unwrap();
            if conversation.is_told() {
                queue.is_told(ME);
            }
            if conversation.is_ready()
                && let Some(letter) = queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap()
            {
                conversation.tell(letter).unwrap();
            }
            if listener.has_all() && conversation.state() == Listening::Ready {
                return;
            }
        }
    }
}

fn hear(conversation: &mut Conversation, queue: &mut Queue) {
    let told = conversation.is_told();
    conversation.hear(|heard| {
        match heard {
            Heard::Ready => {}
            Heard::Result(result) => {
                assert_eq!(result, b"OK");
                queue.accepted(ME, told);
            }
            other => panic!("{other:?}"),
        }
        true
    });
}

#[test]
fn whichever_step_is_the_last_of_a_brain_a_listener_is_told_everything_once_and_whole() {
    let all: String = (1..=EVENTS).map(text).collect();
    for (at_once, is_early) in [(100, false), (7, false), (100, true)] {
        let (mut steps, mut died) = (0, true);
        while died {
            steps += 1;
            let mut world = world(at_once, is_early);
            died = death::after(steps, || world.live());
            world.next_brain();
            world.live();
            assert!(world.listener.heard == all.as_bytes(), "after {steps} steps of {at_once} {is_early}");
            assert_eq!((world.queue.waiting(), world.queue.out_count()), (0, 0), "after {steps} steps");
            assert_eq!(world.queue.tally().delivered, EVENTS, "after {steps} steps");
        }
        assert!(steps > 100, "only {steps} steps");
    }
}

#[test]
fn what_a_listener_has_said_when_its_brain_dies_is_heard_by_the_next() {
    let (stdout, into) = pipe().unwrap();
    let kept = Kept::create().unwrap();
    let found = |kept: &Kept| Kept::found(kept.share().unwrap()).unwrap();
    let said: [&[u8]; 5] = [b"REA", b"DY\n", b"RESULT 6\nO", b"\0K", b"OK\n"];
    let mut all = Vec::new();
    for piece in said {
        // Each piece is read by another brain, which dies before it has understood anything.
        rustix::io::write(&into, piece).unwrap();
        let mut brain = Conversation::resume(found(&kept), stdout.try_clone().unwrap(), false, false);
        assert_eq!(brain.listen().unwrap(), Listened::Some);
        let mut brain = Conversation::resume(found(&kept), stdout.try_clone().unwrap(), false, false);
        brain.hear(|heard| {
            all.push(heard);
            true
        });
        if brain.state() == Listening::Ready {
            let mut queue = Queue::create().unwrap();
            queue.put(1, Mono(1), |_, _| None).unwrap();
            brain.tell(queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap().unwrap()).unwrap();
        }
    }
    assert_eq!(all, [Heard::Ready, Heard::Result(b"O\0KOK\n".to_vec())]);
}

#[test]
fn one_that_says_very_much_is_heard_in_two_places_in_turn() {
    let nonblocking = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
    let (stdout, into) = pipe_with(nonblocking).unwrap();
    let mut brain = Conversation::resume(Kept::create().unwrap(), stdout, false, false);
    rustix::io::write(&into, b"READY\n").unwrap();
    let mut queue = Queue::create().unwrap();
    let long = vec![b'y'; LONGEST_RESULT];
    for round in 1..=6 {
        while brain.listen().unwrap() == Listened::Some {
            brain.hear(|heard| heard == Heard::Ready);
            brain.log_on();
        }
        queue.put(round, Mono(1), |_, _| None).unwrap();
        brain.tell(queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap().unwrap()).unwrap();
        queue.accepted(ME, true);
        let mut words = [format!("RESULT {LONGEST_RESULT}\n").as_bytes(), &long, b"READY\n"].concat();
        let mut results = Vec::new();
        while !words.is_empty() {
            let written = rustix::io::write(&into, &words).unwrap();
            words.drain(..written);
            assert_eq!(brain.listen().unwrap(), Listened::Some);
            brain.hear(|heard| {
                if let Heard::Result(result) = heard {
                    results.push(result);
                }
                true
            });
            brain.log_on();
        }
        assert!(results == [long.clone()], "round {round}");
    }
    let blocks = rustix::fs::fstat(&brain.kept.memory).unwrap().st_blocks * 512;
    assert!(blocks < 200_000, "{blocks} bytes");
}

// --- one brain after the other, with nothing to be told but a few words ---

/// A listener's pipes, and what the keeper holds.
struct Ends {
    stdin: OwnedFd,
    stdout: OwnedFd,
    held: [OwnedFd; 2],
    /// The listener's own.
    reads: OwnedFd,
    says: OwnedFd,
}

impl Ends {
    fn new() -> Ends {
        let pipe = || pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
        let ((reads, stdin), (stdout, says)) = (pipe(), pipe());
        Ends { stdin, stdout, held: Kept::create().unwrap().share().unwrap(), reads, says }
    }

    /// What a new brain goes on with; the listener may come back after nonsense.
    fn next_brain(&self, is_logged: bool) -> Conversation {
        let held = self.held.each_ref().map(|fd| fd.try_clone().unwrap());
        let stdout = self.stdout.try_clone().unwrap();
        let mut brain = Conversation::resume(Kept::found(held).unwrap(), stdout, is_logged, true);
        brain.has_stdin(self.stdin.try_clone().unwrap());
        brain
    }

    fn says(&self, words: &[u8]) {
        assert_eq!(rustix::io::write(&self.says, words), Ok(words.len()));
    }

    fn log(&self) -> String {
        String::from_utf8(drain(&self.held[1])).unwrap()
    }
}

/// All that is in a pipe now.
fn drain(pipe: &OwnedFd) -> Vec<u8> {
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = rustix::io::read(pipe, &mut piece) {
        all.extend_from_slice(&piece[..read]);
    }
    all
}

/// Reads once, and what that means.
fn heard(brain: &mut Conversation) -> Vec<Heard> {
    assert_eq!(brain.listen().unwrap(), Listened::Some);
    understood(brain)
}

fn understood(brain: &mut Conversation) -> Vec<Heard> {
    let mut all = Vec::new();
    brain.hear(|heard| {
        all.push(heard);
        true
    });
    all
}

fn letter(text: &str) -> Letter {
    let mut queue = Queue::create().unwrap();
    let write = |_: u64, out: &mut Vec<u8>| {
        out.extend_from_slice(text.as_bytes());
        None
    };
    queue.put(1, Mono(1), write).unwrap();
    queue.take(ME, Unit::Bytes).unwrap().unwrap()
}

#[test]
fn a_log_that_takes_no_more_is_waited_for_and_gets_all_of_it_once() {
    let ends = Ends::new();
    let mut brain = ends.next_brain(true);
    while rustix::io::write(brain.log(), &[b'.'; 4096]) == Ok(4096) {}
    // There is room for a page of it.
    assert_eq!(rustix::io::read(&ends.held[1], &mut [0; 4096]), Ok(4096));
    let said: String = (0..3000).map(|n| format!("line {n}\n")).collect();
    ends.says(said.as_bytes());
    assert_eq!(heard(&mut brain), [Heard::Nonsense]);
    assert!(!brain.log_on());
    assert_eq!(brain.listen().unwrap(), Listened::LogIsFull, "nothing is read that nobody takes");
    // The next brain knows what is there already.
    let mut brain = ends.next_brain(true);
    assert!(!brain.log_on());
    let mut log = ends.log();
    assert!(brain.log_on());
    log += &ends.log();
    assert_eq!(log.trim_start_matches('.'), said);
    assert_eq!(brain.listen().unwrap(), Listened::Nothing);
}

#[test]
fn little_is_logged_later_while_there_is_something_to_tell_first() {
    let ends = Ends::new();
    let mut brain = ends.next_brain(true);
    ends.says(b"READY\n");
    assert_eq!(heard(&mut brain), [Heard::Ready]);
    assert!(!brain.may_log_later(), "it waits for an event, and may for long");
    brain.tell(letter("x\n")).unwrap();
    assert!(brain.may_log_later());
    ends.says(&[b'?'; UNLOGGED]);
    heard(&mut brain);
    assert!(!brain.may_log_later(), "it is not little any more");
    assert!(brain.log_on());
    assert_eq!(ends.log(), "READY\n".to_owned() + &"?".repeat(UNLOGGED));
}

#[test]
fn what_makes_no_sense_takes_no_memory_and_ends_with_a_word() {
    let ends = Ends::new();
    let mut brain = ends.next_brain(false);
    let mut all = Vec::new();
    for _ in 0..100 {
        ends.says(&[b'?'; MOST]);
        all.extend(heard(&mut brain));
        assert!(brain.log_on());
    }
    assert_eq!((&*all, brain.state()), (&[Heard::Nonsense][..], Listening::Unknown));
    ends.says(b"\nREADY\n");
    assert_eq!(heard(&mut brain), [Heard::Recovered]);
    let taken = rustix::fs::fstat(&ends.held[0]).unwrap().st_blocks * 512;
    assert!(taken <= 2 * ROOM as i64, "{taken} bytes");
}

#[test]
fn what_is_not_understood_yet_is_not_lost_when_it_moves() {
    let ends = Ends::new();
    let mut brain = ends.next_brain(false);
    let noise = [&[b'?'; MOST - 6][..], b"\nREADY"].concat();
    while ROOM - brain.filled >= MOST {
        ends.says(&noise);
        heard(&mut brain);
        brain.log_on();
    }
    let before = brain.place;
    ends.says(b"\n");
    assert_eq!(brain.listen().unwrap(), Listened::Some);
    assert_ne!(brain.place, before);
    assert_eq!(understood(&mut ends.next_brain(false)), [Heard::Recovered], "most of the word was there");
}

#[test]
fn whoever_does_not_read_is_told_the_rest_when_there_is_room() {
    let ends = Ends::new();
    let mut brain = ends.next_brain(false);
    assert!(!brain.is_ready(), "it has not said so");
    ends.says(b"READY\n");
    heard(&mut brain);
    assert!(brain.is_ready() && brain.is_told());
    let text = "much\n".repeat(50_000);
    assert_eq!(brain.tell(letter(&text)).unwrap(), Telling::Waits);
    assert!(!brain.is_ready() && !brain.is_told());
    assert_eq!(brain.go_on_telling().unwrap(), Telling::Waits);
    let mut told = Vec::new();
    while !brain.is_told() {
        let read = drain(&ends.reads);
        assert!(!read.is_empty(), "there was room, and nothing came");
        told.extend(read);
        brain.go_on_telling().unwrap();
    }
    told.extend(drain(&ends.reads));
    assert!(told == text.as_bytes());
}

#[test]
fn whoever_has_closed_its_standard_input_is_not_told_and_not_ready() {
    let mut ends = Ends::new();
    let mut brain = ends.next_brain(false);
    ends.says(b"READY\n");
    heard(&mut brain);
    ends.reads = pipe().unwrap().0;
    assert_eq!(brain.tell(letter("x\n")).unwrap(), Telling::Deaf);
    brain.is_not_told();
    assert_eq!((brain.state(), brain.is_ready()), (Listening::Ready, false));
    assert!(brain.is_told() && brain.stdin().is_none());
    assert_eq!(ends.next_brain(false).state(), Listening::Ready);
}

#[test]
fn what_is_no_conversation_is_refused() {
    let log = || pipe().unwrap().0;
    let other = Shared::create("other", BYTES).unwrap();
    assert!(Kept::found([other.share().unwrap(), log()]).is_err(), "nobody has written there what it is");
    let small = Shared::create("small", HEAD).unwrap();
    small.words()[IS].store(FORMAT, Ordering::Release);
    assert!(Kept::found([small.share().unwrap(), log()]).is_err());
}

#[test]
fn the_log_ends_with_the_conversation() {
    let ends = Ends::new();
    let brain = ends.next_brain(true);
    let more = || rustix::io::read(&ends.held[1], &mut [0; 1]);
    assert_eq!(more(), Err(rustix::io::Errno::AGAIN));
    drop(brain);
    assert_eq!(more(), Ok(0), "somebody else holds its other end");
}
