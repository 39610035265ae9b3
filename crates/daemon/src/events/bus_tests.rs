use std::sync::mpsc::{Receiver, channel};

use provost_config::PoolOverflow;
use provost_wire::events::Channel;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::pread;

use super::*;

const EAR: ChildId = ChildId(7);

/// A bus without a keeper and without a thread that tells, and what it has told the loop.
pub(in crate::events) fn alone(says_debug: bool) -> (Bus, Receiver<Notice>, Bell) {
    let (bell, loops) = (Bell::new().unwrap(), Bell::new().unwrap());
    let (notices, told) = Post::new(&loops);
    let numbers = Shared::create(NUMBERS, 4096).unwrap();
    let (wanted, is_behind, has_chores, hear_out, lines) = Default::default();
    let state = Mutex::new(State { numbers, pools: Vec::new(), found: BTreeMap::new() });
    let inner = Inner {
        state,
        wanted,
        is_behind,
        has_chores,
        hear_out,
        bell: bell.clone(),
        notices,
        lines,
        says_debug,
        identifier: "us".to_owned(),
    };
    (Bus(Arc::new(inner)), told, bell)
}

/// A pool opens, with one listener that is ready.
pub(in crate::events) fn open(bus: &Bus, name: &str, overflow: PoolOverflow, events: &[&str]) {
    let config = PoolConfig {
        buffer_size: 2,
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        result_handler: ResultHandler::Default,
        overflow,
        overflow_maxbytes: 0,
        listener_recover: false,
        payload_length: PayloadLength::Bytes,
    };
    let pool = Pool::new(name.into(), Arc::new(config), vec!["ear".into()], Queue::create().unwrap());
    let mut state = bus.state();
    state.pools.push(pool);
    bus.look_at_subscriptions(&state);
    drop(state);
    bus.join(
        name,
        Member {
            child: EAR,
            process: "ear".into(),
            pid: 1,
            may_hear: true,
            unit: None,
            is_ready: true,
            state: Listening::Ready,
            since: Mono(0),
            told: 0,
            event: None,
        },
    );
}

/// What a pool's listener is told next, which it accepts.
pub(in crate::events) fn told(bus: &Bus, pool: &str) -> Option<String> {
    let letter = bus.next(pool, Mono(0))?.letter;
    let mut bytes = vec![0; usize::try_from(letter.to - letter.from).unwrap()];
    assert_eq!(pread(&*letter.file, &mut bytes, letter.from), Ok(bytes.len()));
    assert!(bus.accepted(pool, EAR, true));
    bus.note(pool, EAR, |member| member.is_ready = true).unwrap();
    Some(String::from_utf8(bytes).unwrap())
}

fn rings(bell: &Bell) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let rings = poll(&mut [PollFd::new(bell, PollFlags::IN)], Some(&at_once)) == Ok(1);
    bell.silence();
    rings
}

fn said(channel: Channel, data: &[u8]) -> Said<'_> {
    Said { process: "p", group: "g", pid: 9, channel, data }
}

fn log(data: &[u8]) -> Event<'_> {
    Event::ProcessLog(said(Channel::Stdout, data))
}

#[test]
fn an_event_has_one_number_and_one_for_each_pool_that_hears_it() {
    let (bus, _, _) = alone(false);
    assert!(!bus.wants(EventType::LogStdout));
    bus.publish(&log(b"nobody"));
    open(&bus, "all", PoolOverflow::Spill, &["EVENT", "PROCESS_LOG", "PROCESS_LOG_STDOUT"]);
    open(&bus, "groups", PoolOverflow::Spill, &["PROCESS_GROUP"]);
    assert!(bus.wants(EventType::LogStdout) && bus.wants(EventType::Tick5));
    bus.publish(&log(b"x"));
    bus.publish(&Event::GroupAdded { group: "g" });
    let header = |serial, pool, nth, name, len| {
        format!("ver:3.0 server:us serial:{serial} pool:{pool} poolserial:{nth} eventname:{name} len:{len}\n")
    };
    let payload = "processname:p groupname:g pid:9 channel:stdout\nx";
    let said = header(0, "all", 0, "PROCESS_LOG_STDOUT", payload.len()) + payload;
    assert_eq!(told(&bus, "all"), Some(said));
    let added = |pool, nth| Some(header(1, pool, nth, "PROCESS_GROUP_ADDED", 12) + "groupname:g\n");
    assert_eq!((told(&bus, "all"), told(&bus, "groups")), (added("all", 1), added("groups", 0)));
    assert_eq!((told(&bus, "all"), told(&bus, "groups"), told(&bus, "none")), (None, None, None));
}

#[test]
fn whoever_tells_is_rung_for_once_when_a_listener_waits() {
    let (bus, _, bell) = alone(false);
    open(&bus, "ears", PoolOverflow::Spill, &["PROCESS_LOG"]);
    assert_eq!(told(&bus, "ears"), None);
    assert!(!rings(&bell));
    bus.publish(&Event::GroupAdded { group: "g" });
    assert!(!rings(&bell), "nobody hears it");
    bus.publish(&log(b"1"));
    assert!(rings(&bell));
    bus.publish(&log(b"2"));
    assert!(!rings(&bell), "there is something to tell already");
}

#[test]
fn programs_wait_for_a_pool_that_blocks_only_if_it_hears_what_they_say() {
    let (bus, _, _) = alone(false);
    open(&bus, "groups", PoolOverflow::Block, &["PROCESS_GROUP"]);
    for _ in 0..5 {
        bus.publish(&Event::GroupAdded { group: "g" });
    }
    assert!(!bus.is_behind());
    open(&bus, "ears", PoolOverflow::Block, &["PROCESS_LOG", "PROCESS_COMMUNICATION"]);
    bus.hear(Word::Piece, &said(Channel::Stdout, b"1"));
    assert!(!bus.is_behind());
    bus.hear(Word::Message, &said(Channel::Stderr, b"2"));
    assert!(bus.is_behind());
    assert!(told(&bus, "ears").unwrap().contains(" eventname:PROCESS_LOG_STDOUT "));
    assert!(!bus.is_behind(), "there is room again");
    assert!(told(&bus, "ears").unwrap().contains(" eventname:PROCESS_COMMUNICATION_STDERR "));
}

#[test]
fn lines_for_the_main_log_are_counted_until_somebody_has_written_them() {
    let (bus, notices, _) = alone(false);
    open(&bus, "ears", PoolOverflow::Drop, &["PROCESS_LOG"]);
    let said = log(b"x");
    while !bus.has_told_too_much() {
        bus.publish(&said);
    }
    assert!(bus.is_behind(), "programs wait, too");
    let Ok(Notice::Line(line)) = notices.try_recv() else { panic!("no line") };
    assert_eq!(
        (line.level, &*line.text),
        (LogLevel::Error, "pool ears event buffer overflowed, discarding event 0")
    );
    drop(line);
    assert!(!bus.has_told_too_much());
    // What the log would not keep is not sent.
    drop((bus, notices));
    let (bus, notices, _) = alone(false);
    open(&bus, "ears", PoolOverflow::Spill, &["PROCESS_LOG"]);
    bus.publish(&said);
    bus.next("ears", Mono(0)).unwrap();
    assert!(bus.returned("ears", EAR, true, true) && notices.try_recv().is_err());
}

#[test]
fn what_a_pool_reports_is_how_it_stands() {
    let (bus, _, _) = alone(false);
    open(&bus, "ears", PoolOverflow::Drop, &["PROCESS_LOG"]);
    for _ in 0..4 {
        bus.publish(&log(b"x"));
    }
    let turn = bus.next("ears", clock::mono()).unwrap();
    let [report] = &bus.reports()[..] else { panic!("one pool") };
    assert_eq!((&*report.name, &report.events[..], report.overflow), ("ears", &["PROCESS_LOG"][..], "drop"));
    assert_eq!((report.waiting, report.delivered, report.rejected, report.dropped), (1, 0, 0, 2));
    assert!(report.oldest_ms.is_some_and(|age| age < 60_000) && report.waiting_bytes > 0);
    let [listener] = &report.listeners[..] else { panic!("one listener") };
    assert_eq!((listener.state, listener.told, listener.event), ("BUSY", 1, Some(turn.letter.serial)));
}

#[test]
fn what_is_out_with_those_who_are_no_more_comes_back() {
    let (bus, _, _) = alone(false);
    open(&bus, "ears", PoolOverflow::Spill, &["PROCESS_LOG"]);
    bus.publish(&log(b"x"));
    bus.next("ears", Mono(0)).unwrap();
    bus.settle(|child| child == EAR);
    assert!(bus.out_with("ears", EAR).is_some());
    bus.settle(|_| false);
    assert!(bus.out_with("ears", EAR).is_none());
    assert_eq!(bus.reports()[0].waiting, 1);
    bus.note("ears", EAR, |member| member.is_ready = true).unwrap();
    bus.next("ears", Mono(0)).unwrap();
    bus.leave("ears", EAR);
    assert_eq!((bus.reports()[0].waiting, bus.reports()[0].listeners.len()), (1, 0));
}

#[test]
fn all_threads_may_publish_and_no_number_is_given_twice() {
    let (bus, _, _) = alone(false);
    open(&bus, "ears", PoolOverflow::Spill, &["PROCESS_LOG"]);
    let (done, all_done) = channel::<()>();
    for _ in 0..4 {
        let (bus, done) = (bus.clone(), done.clone());
        std::thread::spawn(move || {
            for _ in 0..100 {
                bus.publish(&log(b"x"));
            }
            drop(done);
        });
    }
    drop(done);
    // Nobody sends; it ends with the last of them.
    let _ = all_done.recv();
    for serial in 0..400 {
        let expected = format!("ver:3.0 server:us serial:{serial} pool:ears poolserial:{serial} ");
        assert!(told(&bus, "ears").is_some_and(|told| told.starts_with(&expected)), "{expected}");
    }
    assert_eq!(told(&bus, "ears"), None);
}
