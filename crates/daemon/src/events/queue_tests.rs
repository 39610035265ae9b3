use super::*;

const ME: ChildId = ChildId(7);
const OTHER: ChildId = ChildId(8);

fn put(queue: &mut Queue, serials: std::ops::RangeInclusive<u64>) {
    for serial in serials {
        queue
            .put(serial, Mono(serial), |nth, out| {
                out.extend_from_slice(text(serial, nth).as_bytes());
                None
            })
            .unwrap();
    }
}

fn text(serial: u64, nth: u64) -> String {
    format!("event {serial}, the {nth}th\n")
}

fn message(letter: &Letter) -> String {
    let mut bytes = vec![0; usize::try_from(letter.to - letter.from).unwrap()];
    read_all(&letter.file, &mut bytes, letter.from).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Everything that waits, as one child gets it that accepts each.
fn all(queue: &mut Queue) -> Vec<u64> {
    let mut serials = Vec::new();
    while let Some(letter) = queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap() {
        assert!(message(&letter).starts_with(&format!("event {}, ", letter.serial)));
        serials.push(letter.serial);
        assert!(queue.accepted(ME, true));
    }
    serials
}

/// The same queue, as another brain finds it.
fn next_brain(queue: &Queue) -> Queue {
    let [memory, near] = queue.share().unwrap();
    let far = queue.far.as_ref().map(|far| far.try_clone().unwrap());
    Queue::found(memory, near, far).unwrap()
}

fn with_file() -> Queue {
    let mut queue = Queue::create().unwrap();
    queue.has_file(Queue::file_in(&std::env::temp_dir()).unwrap());
    queue
}

fn spill(queue: &mut Queue, bytes: usize) -> bool {
    let batch = queue.oldest_near(bytes).unwrap();
    batch.write_to(&queue.file().unwrap()).unwrap();
    queue.is_far(&batch)
}

#[test]
fn first_in_first_out_with_numbers_of_its_own() {
    let mut queue = Queue::create().unwrap();
    put(&mut queue, 40..=42);
    assert_eq!(message(&queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap().unwrap()), text(40, 0));
    assert_eq!((queue.waiting(), queue.out_count(), queue.last_serial()), (2, 1, Some(42)));
    assert_eq!(
        message(&queue.at_once(|queue| queue.take(OTHER, Unit::Bytes)).unwrap().unwrap()),
        text(41, 1)
    );
    assert!(queue.accepted(ME, true) && !queue.accepted(ME, true));
    assert_eq!(all(&mut queue), [42]);
    assert!(queue.accepted(OTHER, true));
    assert_eq!(queue.tally(), Tally { delivered: 3, rejected: 0, dropped: 0 });
}

#[test]
fn what_comes_back_comes_first_and_keeps_its_numbers() {
    let mut queue = Queue::create().unwrap();
    put(&mut queue, 1..=4);
    let first = message(&queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap().unwrap());
    queue.at_once(|queue| queue.take(OTHER, Unit::Bytes)).unwrap();
    assert!(queue.returned(ME, true, true) && queue.returned(OTHER, false, true));
    assert!(!queue.returned(ME, true, true));
    assert_eq!((queue.waiting(), queue.tally().rejected), (4, 1));
    // The last that came back is the first, as with Supervisor.
    assert_eq!(queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap().unwrap().serial, 2);
    assert_eq!(message(&queue.at_once(|queue| queue.take(OTHER, Unit::Bytes)).unwrap().unwrap()), first);
    queue.accepted(ME, true);
    queue.accepted(OTHER, true);
    assert_eq!(all(&mut queue), [3, 4]);
}

#[test]
fn the_oldest_is_dropped_first_wherever_it_is() {
    let mut queue = with_file();
    put(&mut queue, 1..=4);
    assert!(spill(&mut queue, 60));
    assert_eq!((queue.far_count(), queue.waiting()), (1, 4));
    queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap();
    queue.returned(ME, true, true);
    let dropped: Vec<u64> = std::iter::from_fn(|| queue.at_once(Queue::drop_oldest).unwrap()).collect();
    assert_eq!(dropped, [1, 2, 3, 4]);
    assert_eq!((queue.waiting(), queue.tally().dropped), (0, 4));
}

#[test]
fn what_takes_room_in_memory_goes_before_what_takes_none() {
    let mut queue = with_file();
    put(&mut queue, 1..=4);
    assert!(spill(&mut queue, 60));
    queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap();
    queue.returned(ME, true, true);
    put(&mut queue, 5..=6);
    let near = queue.near_bytes();
    assert_eq!(queue.drop_oldest_near().unwrap(), Some(2));
    assert!(queue.near_bytes() < near);
    assert_eq!(all(&mut queue), [1, 3, 4, 5, 6]);
    assert_eq!((queue.drop_oldest_near().unwrap(), queue.tally().dropped), (None, 1));
}

#[test]
fn what_is_in_the_file_is_older_than_what_is_not() {
    let mut queue = with_file();
    put(&mut queue, 1..=1000);
    while queue.near_bytes() > 1000 {
        assert!(spill(&mut queue, 4096));
        let next = queue.last_serial().unwrap() + 1;
        put(&mut queue, next..=next);
    }
    let last = queue.last_serial().unwrap();
    assert!(queue.far_count() > 900 && queue.waiting() == last);
    assert_eq!(queue.oldest(), Some(Mono(1)));
    assert_eq!(all(&mut next_brain(&queue)), (1..=last).collect::<Vec<_>>());
}

#[test]
fn a_batch_that_something_was_taken_from_meanwhile_is_of_no_use() {
    let mut queue = with_file();
    put(&mut queue, 1..=3);
    let batch = queue.oldest_near(4096).unwrap();
    queue.at_once(Queue::drop_oldest).unwrap();
    assert!(!queue.is_far(&batch));
    assert_eq!(all(&mut queue), [2, 3]);
}

#[test]
fn who_counts_characters_gets_the_other_form() {
    let mut queue = Queue::create().unwrap();
    let both = |_, out: &mut Vec<u8>| {
        out.extend_from_slice(b"bytescharacters");
        Some(5)
    };
    queue.put(1, Mono(1), both).unwrap();
    put(&mut queue, 2..=2);
    queue.put(3, Mono(3), both).unwrap();
    assert_eq!(
        message(&queue.at_once(|queue| queue.take(ME, Unit::Characters)).unwrap().unwrap()),
        "characters"
    );
    assert_eq!(message(&queue.at_once(|queue| queue.out_with(ME, Unit::Bytes)).unwrap().unwrap()), "bytes");
    queue.accepted(ME, true);
    assert_eq!(
        message(&queue.at_once(|queue| queue.take(ME, Unit::Characters)).unwrap().unwrap()),
        text(2, 1)
    );
    queue.accepted(ME, true);
    assert_eq!(message(&queue.at_once(|queue| queue.take(OTHER, Unit::Bytes)).unwrap().unwrap()), "bytes");
}

#[test]
fn an_event_may_be_long() {
    let mut queue = with_file();
    let long = "x".repeat(3 << 20);
    queue
        .put(1, Mono(1), |_, out| {
            out.extend_from_slice(long.as_bytes());
            None
        })
        .unwrap();
    put(&mut queue, 2..=2);
    assert!(spill(&mut queue, 4096));
    assert_eq!(queue.far_count(), 1);
    assert_eq!(message(&queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap().unwrap()), long);
    queue.accepted(ME, true);
    assert_eq!(all(&mut queue), [2]);
}

#[test]
fn a_queue_that_is_kept_up_with_takes_no_memory() {
    let mut queue = Queue::create().unwrap();
    let blocks = |queue: &Queue| rustix::fs::fstat(&queue.near).unwrap().st_blocks;
    for serial in 1..=10_000 {
        // There is always one more than is read.
        put(&mut queue, serial..=serial);
        if serial > 1 {
            queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap();
            queue.accepted(ME, true);
        }
    }
    assert!(blocks(&queue) * 512 <= 2 * HOLE as i64, "{} blocks", blocks(&queue));
    all(&mut queue);
    for serial in 10_001..=20_000 {
        put(&mut queue, serial..=serial);
        assert_eq!(all(&mut queue), [serial]);
    }
    assert!(blocks(&queue) * 512 <= 4 * PAGE as i64, "{} blocks", blocks(&queue));
}

/// Somebody who never answers keeps what it was told, and not what came after that.
#[test]
fn what_is_out_keeps_nothing_else_from_being_given_back() {
    let mut queue = with_file();
    put(&mut queue, 1..=3);
    while queue.near_bytes() > 0 {
        assert!(spill(&mut queue, 4096));
    }
    assert_eq!(queue.at_once(|queue| queue.take(OTHER, Unit::Bytes)).unwrap().unwrap().serial, 1);
    let file = queue.file().unwrap();
    for serial in 4..=60_000 {
        put(&mut queue, serial..=serial);
        if serial.is_multiple_of(1000) {
            assert!(spill(&mut queue, 1 << 20));
            while queue.far_count() > 1 {
                queue.at_once(Queue::drop_oldest).unwrap();
            }
        }
    }
    let blocks = rustix::fs::fstat(&file).unwrap().st_blocks * 512;
    assert!(blocks < 2 * HOLE as i64, "{blocks} bytes");
    assert_eq!(
        message(&queue.at_once(|queue| queue.out_with(OTHER, Unit::Bytes)).unwrap().unwrap()),
        text(1, 0)
    );
    queue.returned(OTHER, true, true);
    assert_eq!(all(&mut queue).first(), Some(&1));
}

#[test]
fn what_is_answered_before_it_was_told_stays_until_it_was() {
    let mut queue = Queue::create().unwrap();
    let blocks = |queue: &Queue| rustix::fs::fstat(&queue.near).unwrap().st_blocks * 512;
    for serial in 1..=2 {
        let long = vec![b'x'; 3 * HOLE as usize];
        queue
            .put(serial, Mono(1), |_, out| {
                out.extend_from_slice(&long);
                None
            })
            .unwrap();
    }
    // One accepts it and one refuses, and neither has read it.
    let letters =
        [ME, OTHER].map(|child| queue.at_once(|queue| queue.take(child, Unit::Bytes)).unwrap().unwrap());
    assert!(queue.accepted(ME, false) && queue.returned(OTHER, true, false));
    assert!(!queue.accepted(ME, false) && !queue.returned(OTHER, true, false));
    assert_eq!((queue.waiting(), queue.out_count()), (1, 0));
    let mut next = next_brain(&queue);
    for (child, letter) in [ME, OTHER].into_iter().zip(&letters) {
        assert_eq!(
            next.at_once(|queue| queue.half_told(child, Unit::Bytes)).unwrap().unwrap().from,
            letter.from
        );
        assert!(message(letter).bytes().all(|byte| byte == b'x'));
    }
    // What was refused is told again, and done with before it has been told the first time.
    assert_eq!(next.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap().unwrap().serial, 2);
    assert!(next.accepted(ME, true) && message(&letters[1]).bytes().all(|byte| byte == b'x'));
    next.is_told(ME);
    assert!(message(&letters[1]).bytes().all(|byte| byte == b'x'));
    assert!(blocks(&next) < 4 * HOLE as i64 + 2 * PAGE as i64, "{} bytes", blocks(&next));
    next.is_told(OTHER);
    assert_eq!(
        (blocks(&next), next.at_once(|queue| queue.half_told(ME, Unit::Bytes)).unwrap().is_none()),
        (0, true)
    );
    // One that is no more is told nothing.
    put(&mut next, 3..=3);
    next.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap();
    next.accepted(ME, false);
    next.only_with(|child| child == OTHER);
    assert!(next.at_once(|queue| queue.half_told(ME, Unit::Bytes)).unwrap().is_none());
}

#[test]
fn one_who_never_answers_keeps_his_own_event_and_no_memory() {
    let mut queue = Queue::create().unwrap();
    let blocks = |queue: &Queue| rustix::fs::fstat(&queue.near).unwrap().st_blocks * 512;
    let long = "x".repeat(5000);
    for serial in 1..=2000 {
        queue
            .put(serial, Mono(1), |_, out| {
                out.extend_from_slice(long.as_bytes());
                None
            })
            .unwrap();
        if serial == 1 || serial == 1000 {
            queue.at_once(|queue| queue.take(ChildId(100 + serial as u32), Unit::Bytes)).unwrap();
        } else {
            queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap();
            queue.accepted(ME, true);
        }
    }
    assert!(blocks(&queue) < 2 * HOLE as i64, "{} bytes", blocks(&queue));
    let before = blocks(&queue);
    let of = |queue: &mut Queue, child| {
        message(&queue.at_once(|queue| queue.out_with(ChildId(child), Unit::Bytes)).unwrap().unwrap())
    };
    assert_eq!((of(&mut queue, 101), of(&mut next_brain(&queue), 1100)), (long.clone(), long));
    assert!(queue.accepted(ChildId(1100), true));
    assert!(blocks(&queue) < before, "{before} bytes, then {}", blocks(&queue));
    assert!(queue.accepted(ChildId(101), true));
    assert_eq!(blocks(&queue), 0);
}

#[test]
fn what_is_out_with_somebody_who_is_no_more_waits_again() {
    let mut queue = Queue::create().unwrap();
    put(&mut queue, 1..=3);
    queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap();
    queue.at_once(|queue| queue.take(OTHER, Unit::Bytes)).unwrap();
    let mut next = next_brain(&queue);
    next.only_with(|child| child == OTHER);
    assert_eq!(next.at_once(|queue| queue.out_with(OTHER, Unit::Bytes)).unwrap().unwrap().serial, 2);
    assert_eq!(all(&mut next), [1, 3]);
}

/// One life of a brain: it brings the events that its predecessors have not, and passes on what waits; `heard` is the listener.
fn live(queue: &mut Queue, brought: &mut u64, heard: &mut Vec<u64>) {
    if let Some(record) = queue.at_once(|queue| queue.out_with(ME, Unit::Bytes)).unwrap() {
        heard.push(record.serial);
        queue.accepted(ME, true);
    }
    while *brought < 12 {
        put(queue, *brought + 1..=*brought + 1);
        *brought += 1;
        if brought.is_multiple_of(5) {
            spill(queue, 150);
        }
        if brought.is_multiple_of(2)
            && let Some(record) = queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap()
        {
            if record.serial == 3 && heard.last() != Some(&3) {
                heard.push(3);
                queue.returned(ME, true, true);
            } else {
                heard.push(record.serial);
                queue.accepted(ME, true);
            }
        }
    }
    while let Some(record) = queue.at_once(|queue| queue.take(ME, Unit::Bytes)).unwrap() {
        heard.push(record.serial);
        queue.accepted(ME, true);
    }
}

#[test]
fn whichever_step_is_the_last_of_a_brain_no_event_is_lost_and_none_overtakes_another() {
    let (mut steps, mut died) = (0, true);
    while died {
        steps += 1;
        let (mut brought, mut heard) = (0, Vec::new());
        let mut queue = with_file();
        died = death::after(steps, || live(&mut queue, &mut brought, &mut heard));
        live(&mut next_brain(&queue), &mut brought, &mut heard);
        let firsts: Vec<u64> = (1..=12).filter(|serial| heard.contains(serial)).collect();
        assert_eq!(firsts, (1..=12).collect::<Vec<u64>>(), "after {steps} steps");
        let mut seen = 0;
        for serial in heard {
            assert!(serial <= seen + 1, "{serial} before {} after {steps} steps", seen + 1);
            seen = seen.max(serial);
        }
    }
    assert!(steps > 300, "only {steps} steps");
}
