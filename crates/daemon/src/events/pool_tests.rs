use provost_config::{PayloadLength, ResultHandler};
use rustix::fs::ftruncate;
use rustix::io::pread;

use super::*;

const FIRST: ChildId = ChildId(8);
const SECOND: ChildId = ChildId(7);
const NOW: Mono = Mono(1000);

fn pool(overflow: PoolOverflow, buffer_size: usize) -> Pool {
    let config = PoolConfig {
        buffer_size,
        events: vec!["REMOTE_COMMUNICATION".to_owned()],
        result_handler: ResultHandler::Default,
        overflow,
        overflow_maxbytes: 1 << 30,
        listener_recover: false,
        payload_length: PayloadLength::Bytes,
    };
    let order = vec!["a".into(), "b".into()];
    let mut pool = Pool::new("p".into(), Arc::new(config), order, Queue::create().unwrap());
    // The order of the configuration, not that of their births.
    for (child, process) in [(SECOND, "b"), (FIRST, "a")] {
        pool.join(member(child, process));
    }
    pool
}

fn member(child: ChildId, process: &str) -> Member {
    Member {
        child,
        process: process.into(),
        pid: 1,
        may_hear: true,
        unit: None,
        is_ready: true,
        state: Listening::Ready,
        since: NOW,
        told: 0,
        event: None,
    }
}

fn put(pool: &mut Pool, serials: std::ops::RangeInclusive<u64>, bytes: usize) -> Lines {
    let (mut lines, payload) = (Lines::new(), "x".repeat(bytes));
    for serial in serials {
        let letter = Contents { server: "s", event: EventType::RemoteCommunication, payload: &payload };
        pool.put(serial, NOW, letter, &mut lines);
    }
    lines
}

/// Who is told what.
fn next(pool: &mut Pool, now: Mono) -> Option<(ChildId, u64)> {
    pool.next(now, &mut Lines::new()).map(|turn| (turn.child, turn.letter.serial))
}

fn refuses(pool: &mut Pool, child: ChildId, now: Mono) -> Lines {
    let mut lines = Lines::new();
    assert!(pool.returned(child, (true, true), now, &mut lines));
    pool.member(child).unwrap().is_ready = true;
    lines
}

#[test]
fn the_first_that_is_ready_is_told_the_oldest() {
    let mut pool = pool(PoolOverflow::Spill, 10);
    assert_eq!((next(&mut pool, NOW), pool.is_hungry), (None, true));
    put(&mut pool, 1..=4, 1);
    pool.member(FIRST).unwrap().may_hear = false;
    assert_eq!(next(&mut pool, NOW), Some((SECOND, 1)));
    assert_eq!(next(&mut pool, NOW), None);
    pool.member(FIRST).unwrap().may_hear = true;
    assert_eq!(next(&mut pool, NOW), Some((FIRST, 2)));
    assert!(pool.accepted(FIRST, true) && !pool.accepted(FIRST, true));
    assert!(pool.members().iter().all(|member| member.told == 1));
    assert_eq!((pool.member(FIRST).unwrap().event, pool.member(SECOND).unwrap().event), (None, Some(1)));
}

#[test]
fn refusals_in_a_row_make_the_pool_pause_ever_longer_and_an_acceptance_ends_that() {
    let mut pool = pool(PoolOverflow::Spill, 10);
    put(&mut pool, 1..=2, 1);
    let mut now = NOW;
    for millis in [0, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000] {
        assert_eq!(next(&mut pool, now), Some((FIRST, 1)));
        let lines = refuses(&mut pool, FIRST, now);
        assert_eq!(lines[0].1, "rebuffering event 1 for pool p (buf size=1, max=10)");
        let until = now + Duration::from_millis(millis);
        assert_eq!(pool.pause(), (millis > 0).then_some(until), "{millis}");
        if millis > 0 {
            assert_eq!(next(&mut pool, now + Duration::from_millis(millis - 1)), None);
        }
        now = until;
    }
    assert_eq!(next(&mut pool, now), Some((FIRST, 1)));
    pool.accepted(FIRST, true);
    pool.member(FIRST).unwrap().is_ready = true;
    assert_eq!((pool.pause(), next(&mut pool, now)), (None, Some((FIRST, 2))));
    // One that ends, or cannot be told, is no refusal.
    pool.returned(FIRST, (false, true), now, &mut Lines::new());
    pool.leave(FIRST);
    assert_eq!((pool.pause(), next(&mut pool, now)), (None, Some((SECOND, 2))));
}

#[test]
fn with_drop_the_newest_stay_and_each_that_goes_is_told_of() {
    let mut pool = pool(PoolOverflow::Drop, 3);
    put(&mut pool, 1..=1, 1);
    next(&mut pool, NOW);
    let lines = put(&mut pool, 2..=6, 1);
    let said: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
    let overflowed = |serial| format!("pool p event buffer overflowed, discarding event {serial}");
    assert_eq!(said, [overflowed(2), overflowed(3)]);
    assert!(lines.iter().all(|(level, _)| *level == LogLevel::Error));
    // One that comes back needs room as well.
    let lines = refuses(&mut pool, FIRST, NOW);
    assert_eq!(lines[0].1, overflowed(4));
    assert_eq!((next(&mut pool, NOW), pool.queue.waiting()), (Some((FIRST, 1)), 2));
    assert!(!pool.is_behind(NOW) && !pool.wants_file(NOW));
}

#[test]
fn with_block_programs_wait_from_the_buffers_size_on_and_nothing_is_dropped() {
    let mut pool = pool(PoolOverflow::Block, 3);
    put(&mut pool, 1..=2, 1);
    assert!(!pool.is_behind(NOW));
    assert!(put(&mut pool, 3..=3, 1).is_empty());
    assert!(pool.is_behind(NOW));
    assert!(put(&mut pool, 4..=9, 1).is_empty());
    assert!(pool.is_behind(NOW));
    assert_eq!(pool.queue.waiting(), 9);
}

#[test]
fn beyond_a_mebibyte_a_file_is_wanted_and_without_one_the_oldest_go_in_the_end() {
    let mut pool = pool(PoolOverflow::Spill, 10);
    put(&mut pool, 1..=9, 100_000);
    assert!(!pool.wants_file(NOW));
    put(&mut pool, 10..=11, 100_000);
    assert!(pool.wants_file(NOW) && !pool.is_behind(NOW));
    pool.file = FileFor::Asked;
    assert!(!pool.wants_file(NOW));
    put(&mut pool, 12..=50, 100_000);
    assert!(pool.is_behind(NOW), "whoever can be made to wait is");
    let until = NOW + Duration::from_secs(5);
    pool.file = FileFor::Refuses(until);
    assert!(!pool.wants_file(NOW) && pool.wants_file(until) && !pool.is_behind(NOW));
    assert_eq!(pool.next_try_of_file(), Some(until));
    let lines = put(&mut pool, 51..=200, 100_000);
    let kept = NEAR_WITHOUT_FILE / 100_000;
    assert_eq!(lines.len() as u64, 200 - pool.queue.waiting());
    assert!((kept - 2..=kept).contains(&pool.queue.waiting()), "{}", pool.queue.waiting());
    assert_eq!(next(&mut pool, NOW), Some((FIRST, 201 - pool.queue.waiting() - 1)));
}

#[test]
fn what_came_when_nobody_could_hear_is_not_left_over() {
    let mut pool = pool(PoolOverflow::Spill, 10);
    put(&mut pool, 1..=3, 1);
    next(&mut pool, NOW);
    assert_eq!(pool.left_over(), 3);
    for child in [FIRST, SECOND] {
        pool.may_hear(child, false);
    }
    put(&mut pool, 4..=6, 1);
    assert_eq!(pool.left_over(), 3);
    pool.accepted(FIRST, true);
    assert_eq!(pool.left_over(), 2);
}

#[test]
fn who_subscribes_to_a_family_hears_all_of_it_and_nothing_else() {
    let mut pool = pool(PoolOverflow::Spill, 10);
    let mut subscribe = |events: &[&str]| {
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        put(&mut pool, 1..=1, 1);
        let before = pool.queue.waiting();
        pool.renew(Arc::new(PoolConfig { events, ..(*pool.config).clone() }), Vec::new());
        assert_eq!(pool.queue.waiting(), before, "what waits goes on waiting");
        let heard = EventType::ALL.iter().filter(|kind| pool.wanted & bit(**kind) != 0);
        heard.map(|kind| kind.name()).collect::<Vec<_>>()
    };
    assert_eq!(subscribe(&["TICK_60"]), ["TICK_60"]);
    let log = ["PROCESS_LOG", "PROCESS_LOG_STDOUT", "PROCESS_LOG_STDERR"];
    assert_eq!(subscribe(&["PROCESS_LOG", "PROCESS_LOG_STDOUT"]), log);
    assert_eq!(subscribe(&["EVENT"]).len(), EventType::ALL.len());
}

#[test]
fn of_two_children_of_one_process_it_is_the_turn_of_the_older() {
    let mut pool = pool(PoolOverflow::Spill, 10);
    pool.join(member(ChildId(3), "a"));
    let order = |pool: &Pool| pool.members().iter().map(|member| member.child).collect::<Vec<_>>();
    assert_eq!(order(&pool), [ChildId(3), FIRST, SECOND]);
    pool.join(member(FIRST, "a"));
    assert_eq!(order(&pool), [ChildId(3), FIRST, SECOND], "who comes again is there once");
    pool.renew(Arc::clone(&pool.config), vec!["b".into(), "a".into()]);
    assert_eq!(order(&pool), [SECOND, ChildId(3), FIRST]);
    pool.leave(SECOND);
    assert_eq!(order(&pool), [ChildId(3), FIRST]);
}

#[test]
fn who_leaves_takes_along_what_it_had_answered_and_was_still_being_told() {
    let mut pool = pool(PoolOverflow::Spill, 10);
    put(&mut pool, 1..=1, 1);
    assert_eq!(next(&mut pool, NOW), Some((FIRST, 1)));
    assert!(pool.accepted(FIRST, false));
    assert!(pool.queue.half_told(FIRST, Unit::Bytes).unwrap().is_some());
    pool.leave(FIRST);
    assert!(pool.queue.half_told(FIRST, Unit::Bytes).unwrap().is_none());
    assert_eq!(pool.queue.waiting(), 0);
}

#[test]
fn whoever_counts_characters_is_told_those() {
    let mut pool = pool(PoolOverflow::Spill, 10);
    pool.member(FIRST).unwrap().unit = Some(Unit::Characters);
    let told = |pool: &mut Pool, payload: &str| {
        let letter = Contents { server: "s", event: EventType::RemoteCommunication, payload };
        pool.put(1, NOW, letter, &mut Lines::new());
        let Turn { child, letter, .. } = pool.next(NOW, &mut Lines::new()).unwrap();
        let mut bytes = vec![0; usize::try_from(letter.to - letter.from).unwrap()];
        assert_eq!(pread(&*letter.file, &mut bytes, letter.from), Ok(bytes.len()));
        assert!(pool.accepted(child, true));
        let message = String::from_utf8(bytes).unwrap();
        message.split_once(" len:").unwrap().1.to_owned()
    };
    assert_eq!(told(&mut pool, "\u{e9}t\u{e9}"), "3\n\u{e9}t\u{e9}");
    assert_eq!(told(&mut pool, "\u{e9}t\u{e9}"), "5\n\u{e9}t\u{e9}", "the other counts bytes");
    pool.member(FIRST).unwrap().is_ready = true;
    assert_eq!(told(&mut pool, "ete"), "3\nete", "of plain ASCII there is one form");
}

#[test]
fn where_no_file_may_hold_anything_none_is_wanted() {
    let mut pool = pool(PoolOverflow::Spill, 10);
    pool.renew(Arc::new(PoolConfig { overflow_maxbytes: 0, ..(*pool.config).clone() }), Vec::new());
    let piece = usize::try_from(NEAR_WITHOUT_FILE / 4).unwrap();
    assert!(put(&mut pool, 1..=3, piece).is_empty());
    assert!(!pool.wants_file(NOW) && !pool.is_behind(NOW));
    pool.file = FileFor::Refuses(NOW);
    assert_eq!(pool.next_try_of_file(), None);
    let lines = put(&mut pool, 4..=4, piece);
    assert_eq!(lines[0].1, "pool p event buffer overflowed, discarding event 1");
    assert_eq!((lines.len(), pool.queue.waiting()), (1, 3));
}

#[test]
fn events_that_cannot_be_read_are_given_up_and_those_after_them_are_told() {
    let mut pool = pool(PoolOverflow::Spill, 10);
    // Too long to be still at hand.
    put(&mut pool, 1..=3, 64 * 1024);
    let letter = pool.next(NOW, &mut Lines::new()).unwrap().letter;
    ftruncate(&*letter.file, 0).unwrap();
    let mut lines = Lines::new();
    assert!(pool.next(NOW, &mut lines).is_none());
    let (level, text) = &lines[0];
    assert_eq!(*level, LogLevel::Critical);
    assert!(text.starts_with("pool p cannot read its events, 3 are lost: "), "{text}");
    assert_eq!((pool.queue.waiting(), pool.queue.tally().dropped), (0, 3));
    put(&mut pool, 4..=4, 1);
    assert_eq!(next(&mut pool, NOW), Some((SECOND, 4)));
}

#[test]
fn nobody_waits_for_a_disk_that_does_not_answer() {
    let mut pool = pool(PoolOverflow::Spill, 10);
    put(&mut pool, 1..=1, usize::try_from(NEAR_AT_MOST).unwrap());
    pool.at_disk = Some(NOW);
    let long = NOW + LONG;
    assert!(pool.is_behind(NOW) && pool.is_behind(Mono(long.0 - 1)) && !pool.is_behind(long));
    pool.at_disk = None;
    assert!(pool.is_behind(long));
}

#[test]
fn whoever_is_about_to_stop_hears_what_had_happened_by_then_and_no_more() {
    let mut pool = pool(PoolOverflow::Spill, 10);
    assert!(!pool.hear_out(FIRST), "there is nothing");
    put(&mut pool, 1..=1, 1);
    assert_eq!(next(&mut pool, NOW), None);
    // It is RUNNING again.
    pool.may_hear(FIRST, true);
    put(&mut pool, 2..=2, 1);
    assert!(pool.hear_out(FIRST) && !pool.has_heard_all(FIRST));
    put(&mut pool, 3..=3, 1);
    assert_eq!(next(&mut pool, NOW), Some((FIRST, 1)));
    refuses(&mut pool, FIRST, NOW);
    assert_eq!(next(&mut pool, NOW), Some((FIRST, 1)), "what comes back counts again");
    assert_eq!(next(&mut pool, NOW), Some((SECOND, 2)));
    assert!(pool.accepted(SECOND, true) && pool.has_heard_all(SECOND));
    pool.member(SECOND).unwrap().is_ready = true;
    assert_eq!(next(&mut pool, NOW), None, "the third came too late");
    assert!(!pool.has_heard_all(FIRST), "it has one and has not answered");
    pool.member(FIRST).unwrap().state = Listening::Unknown;
    assert!(pool.has_heard_all(FIRST), "from that one no answer comes");
    assert!(pool.has_heard_all(ChildId(99)));
    for child in [FIRST, SECOND] {
        pool.may_hear(child, false);
    }
    assert_eq!(pool.left_over(), 1, "what came too late is no loss");
}
