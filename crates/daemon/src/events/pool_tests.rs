use provost_config::{PayloadLength, ResultHandler};

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
        pool.join(Member {
            child,
            process: process.into(),
            pid: 1,
            may_hear: true,
            unit: Unit::Bytes,
            is_ready: true,
            state: Listening::Ready,
            since: NOW,
            told: 0,
            event: None,
        });
    }
    pool
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
    assert!(!pool.is_behind() && !pool.wants_file(NOW));
}

#[test]
fn with_block_programs_wait_from_the_buffers_size_on_and_nothing_is_dropped() {
    let mut pool = pool(PoolOverflow::Block, 3);
    put(&mut pool, 1..=2, 1);
    assert!(!pool.is_behind());
    assert!(put(&mut pool, 3..=9, 1).is_empty());
    assert!(pool.is_behind());
    assert_eq!(pool.queue.waiting(), 9);
}

#[test]
fn beyond_a_mebibyte_a_file_is_wanted_and_without_one_the_oldest_go_in_the_end() {
    let mut pool = pool(PoolOverflow::Spill, 10);
    put(&mut pool, 1..=9, 100_000);
    assert!(!pool.wants_file(NOW));
    put(&mut pool, 10..=11, 100_000);
    assert!(pool.wants_file(NOW) && !pool.is_behind());
    pool.file = FileFor::Asked;
    assert!(!pool.wants_file(NOW));
    put(&mut pool, 12..=50, 100_000);
    assert!(pool.is_behind(), "whoever can be made to wait is");
    let until = NOW + Duration::from_secs(5);
    pool.file = FileFor::Refuses(until);
    assert!(!pool.wants_file(NOW) && pool.wants_file(until) && !pool.is_behind());
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
