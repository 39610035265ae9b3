//! Time is the runtime's and stands still until everybody waits, so what a guess costs is known to the millisecond.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::timeout;

use super::*;

/// Of "correct horse", with as few rounds as bcrypt knows.
const BCRYPT: &str = "$2b$04$KlEJfrBI2CzRbojInHebCOxB4DMtv/3Su/PQSicI9hX.NdQ1Ks5P6";

const HERE: Place = Place::V4([192, 0, 2, 1]);
const ELSEWHERE: Place = Place::V4([192, 0, 2, 2]);

fn guard() -> Arc<Guard> {
    Arc::new(Guard::new(|| {}).unwrap())
}

fn stored(text: &str) -> Vec<Arc<Stored>> {
    vec![Arc::new(Stored::parse(text).unwrap())]
}

fn claim(secret: &str) -> Claim<'_> {
    Claim { name: b"jo", secret: secret.as_bytes() }
}

/// Asks as somebody whose password is `right`.
async fn ask(guard: &Guard, place: Place, secret: &str) -> Verdict {
    guard.judge(Some(place), claim(secret), &stored("right"), None, |_| {}).await
}

/// With how long the answer took.
async fn timed(guard: &Guard, place: Place, secret: &str) -> (Verdict, u128) {
    let began = Instant::now();
    (ask(guard, place, secret).await, began.elapsed().as_millis())
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_costs_whoever_gave_it_more_each_time() {
    let guard = guard();
    for cost in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
        assert_eq!(timed(&guard, HERE, "wrong").await, (Verdict::Wrong, cost));
    }
    assert_eq!(timed(&guard, ELSEWHERE, "wrong").await, (Verdict::Wrong, 100));
    assert_eq!(timed(&guard, ELSEWHERE, "right").await, (Verdict::Right(0), 0));
    // A right one in between is no excuse.
    assert_eq!(timed(&guard, HERE, "right").await, (Verdict::Right(0), 0));
    assert_eq!(timed(&guard, HERE, "wrong").await, (Verdict::Wrong, 5000));
    tokio::time::advance(lanes::FORGOTTEN).await;
    assert_eq!(timed(&guard, HERE, "wrong").await, (Verdict::Wrong, 100));
}

#[test]
fn all_of_loopback_is_one_place() {
    let place = |text: &str| Place::of(text.parse().unwrap());
    for other in ["127.0.0.2", "127.255.1.9", "::ffff:127.3.3.3", "::1"] {
        assert_eq!(place(other), place("127.0.0.1"), "{other}");
    }
    assert_eq!(place("::ffff:192.0.2.1"), HERE);
    assert_ne!(place("192.0.2.2"), HERE);
    assert_eq!(place("2001:db8::1"), place("2001:db8::ffff:1"));
    assert_ne!(place("2001:db8::1"), place("2001:db8:0:1::1"));
}

#[tokio::test(start_paused = true)]
async fn hanging_up_saves_nothing_but_leaves_the_lane() {
    let guard = guard();
    for _ in 0..4 {
        let hung_up = timeout(Duration::from_millis(1), ask(&guard, HERE, "wrong")).await;
        assert!(hung_up.is_err());
        tokio::time::advance(Duration::from_secs(5)).await;
    }
    // Four were wrong, and cost as much as four answers.
    assert_eq!(timed(&guard, HERE, "wrong").await, (Verdict::Wrong, 1600));
    let hung_up = timeout(Duration::from_millis(1), ask(&guard, HERE, "wrong")).await;
    assert!(hung_up.is_err());
    // Whoever comes next waits for what the last one has cost, right or not.
    assert_eq!(timed(&guard, HERE, "right").await, (Verdict::Right(0), 3199));
}

#[tokio::test(start_paused = true)]
async fn a_lane_is_served_one_by_one_and_has_an_end() {
    let guard = guard();
    let began = Instant::now();
    let mut waiting = Vec::new();
    for _ in 0..lanes::MOST_WAITING {
        let guard = Arc::clone(&guard);
        waiting.push(tokio::spawn(async move {
            let verdict = ask(&guard, HERE, "wrong").await;
            (verdict, Instant::now())
        }));
        tokio::task::yield_now().await;
    }
    let (verdict, took) = timed(&guard, HERE, "right").await;
    assert!(
        matches!(verdict, Verdict::Later(wait) if wait > Duration::ZERO && wait < Duration::from_secs(60))
    );
    assert_eq!(took, 0);
    // One that hangs up leaves room, of which it is not known who gets it.
    waiting.pop().unwrap().abort();
    tokio::task::yield_now().await;
    let guard_too = Arc::clone(&guard);
    waiting.push(tokio::spawn(async move { (ask(&guard_too, HERE, "wrong").await, Instant::now()) }));
    let mut ends = Vec::new();
    for one in waiting {
        let (verdict, end) = one.await.unwrap();
        assert_eq!(verdict, Verdict::Wrong);
        ends.push((end - began).as_millis());
    }
    assert_eq!(ends, [100, 300, 700, 1500, 3100, 6300, 11_300, 16_300]);
}

#[tokio::test(start_paused = true)]
async fn what_was_right_passes_by_all_that_is_wrong() {
    let guard = guard();
    assert_eq!(timed(&guard, HERE, "right").await, (Verdict::Right(0), 0));
    let guesser = tokio::spawn({
        let guard = Arc::clone(&guard);
        async move { while ask(&guard, HERE, "wrong").await == Verdict::Wrong {} }
    });
    for _ in 0..1000 {
        assert_eq!(timed(&guard, HERE, "right").await, (Verdict::Right(0), 0));
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    // So that the guesser's turn does not end just now.
    tokio::time::advance(Duration::from_millis(500)).await;
    // Not remembered are: another name, another place, another entry of the same password.
    let other_name = Claim { name: b"jon", secret: b"right" };
    let same_entry = stored("right");
    let asked = guard.judge(Some(HERE), other_name, &same_entry, None, |_| {});
    assert!(timeout(Duration::from_millis(1), asked).await.is_err());
    let other_entry = stored("{SHA256}27042f4e6eaca7d0b2a7ee4026df2ecfa51d3339e6d122aa099118ecd8563bad");
    let asked = guard.judge(Some(HERE), claim("right"), &other_entry, None, |_| {});
    assert!(timeout(Duration::from_millis(1), asked).await.is_err());
    guesser.abort();
}

#[tokio::test(start_paused = true)]
async fn slow_hashes_are_run_once_and_then_remembered() {
    let guard = guard();
    let entries = stored(BCRYPT);
    let judge = |secret: &'static str| guard.judge(Some(HERE), claim(secret), &entries, None, |_| {});
    assert_eq!(judge("correct horse").await, Verdict::Right(0));
    let runs = guard.hasher.runs();
    for _ in 0..100 {
        assert_eq!(judge("correct horse").await, Verdict::Right(0));
    }
    assert_eq!(guard.hasher.runs(), runs);
    tokio::time::advance(remembered::KEPT).await;
    assert_eq!(judge("correct horse").await, Verdict::Right(0));
    assert_eq!(guard.hasher.runs(), runs + 1);
    assert_eq!(judge("correct house").await, Verdict::Wrong);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_has_costs_a_hash_and_is_never_right() {
    let guard = guard();
    let decoy = &stored(BCRYPT)[0];
    let verdict = guard.judge(Some(HERE), claim("correct horse"), &[], Some(decoy), |_| {}).await;
    assert_eq!((verdict, guard.hasher.runs()), (Verdict::Wrong, 1));
    // One that somebody has costs its own.
    guard.judge(Some(HERE), claim("correct horse"), &stored("right"), Some(decoy), |_| {}).await;
    assert_eq!(guard.hasher.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_several_entries_it_says_which_one_is_right() {
    let guard = guard();
    let entries: Vec<_> = [BCRYPT, "one", "other"].into_iter().flat_map(stored).collect();
    for (secret, which) in [("other", 2), ("correct horse", 0), ("one", 1), ("other", 2)] {
        assert_eq!(
            guard.judge(Some(HERE), claim(secret), &entries, None, |_| {}).await,
            Verdict::Right(which)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_hasher_without_room_costs_nobody_anything() {
    let guard = Arc::new(Guard { hasher: Hasher::stalled(), ..Guard::new(|| {}).unwrap() });
    let slow = |n: u8| {
        let guard = Arc::clone(&guard);
        async move {
            guard
                .judge(Some(Place::V4([10, 0, 0, n])), claim("correct horse"), &stored(BCRYPT), None, |_| {})
                .await
        }
    };
    let mut asked: Vec<_> = (0..hasher::MOST_JOBS).map(|n| tokio::spawn(slow(n as u8))).collect();
    tokio::task::yield_now().await;
    assert_eq!(guard.hasher.waiting(), hasher::MOST_JOBS);
    assert_eq!(slow(99).await, Verdict::Later(HASHER_BUSY));
    // What is quick needs no hasher.
    assert_eq!(ask(&guard, HERE, "right").await, Verdict::Right(0));
    // Whoever hangs up leaves room.
    asked.pop().unwrap().abort();
    tokio::task::yield_now().await;
    let _next = tokio::spawn(slow(99));
    tokio::task::yield_now().await;
    assert_eq!(slow(98).await, Verdict::Later(HASHER_BUSY));
}

#[tokio::test(start_paused = true)]
async fn hanging_up_while_a_hash_is_run_is_told() {
    let guard = Guard { hasher: Hasher::stalled(), ..Guard::new(|| {}).unwrap() };
    let (entries, count) = (stored(BCRYPT), AtomicU32::new(0));
    let told = |guesses: Guesses| count.store(guesses.count, Ordering::Relaxed);
    let asked = guard.judge(Some(HERE), claim("wrong"), &entries, None, told);
    assert!(timeout(Duration::from_millis(1), asked).await.is_err());
    assert_eq!(count.into_inner(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_log_grows_by_few_lines() {
    let guard = guard();
    let (lines, last) = (AtomicU32::new(0), AtomicU32::new(0));
    for _ in 0..1000 {
        let told = |guesses: Guesses| {
            assert_eq!(guesses.name, b"jo");
            lines.fetch_add(1, Ordering::Relaxed);
            last.store(guesses.count, Ordering::Relaxed);
        };
        guard.judge(Some(HERE), claim("wrong"), &stored("right"), None, told).await;
    }
    assert_eq!((lines.into_inner(), last.into_inner()), (10, 512));
}

#[test]
fn a_line_holds_nothing_that_could_end_it() {
    let mut guesses = Guesses { name: b"jo".into(), count: 1, untold: 0 };
    assert_eq!(guesses.line("10.0.0.1:5"), "wrong password for user \"jo\" from 10.0.0.1:5");
    guesses = Guesses { name: format!("a\n\u{1b}[2J\"{}", "x".repeat(100_000)).into(), count: 8, untold: 3 };
    let line = guesses.line("10.0.0.1:5");
    assert!(!line.contains(['\n', '\u{1b}']) && line.len() < 250, "{line}");
    assert!(
        line.ends_with("; it is number 8 from that address; 3 more lines like this were left out"),
        "{line}"
    );
}

#[tokio::test(start_paused = true)]
async fn who_needs_not_guess_is_not_kept_waiting() {
    let guard = guard();
    let began = Instant::now();
    for _ in 0..100 {
        let told = |_| panic!("this is told");
        assert_eq!(guard.judge(None, claim("wrong"), &stored("right"), None, told).await, Verdict::Wrong);
    }
    assert_eq!(guard.judge(None, claim("right"), &stored("right"), None, |_| {}).await, Verdict::Right(0));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[test]
fn a_place_is_what_one_guesser_has() {
    let place = |text: &str| Place::of(text.parse().unwrap());
    assert_eq!(place("192.0.2.1"), HERE);
    assert_eq!(place("::ffff:192.0.2.1"), HERE);
    assert_ne!(place("192.0.2.1"), place("192.0.2.2"));
    assert_eq!(place("2001:db8::1"), place("2001:db8::ffff:1:2:3"));
    assert_ne!(place("2001:db8::1"), place("2001:db8:0:1::1"));
    assert_ne!(Place::V4([0, 0, 0, 1]).bytes(), Place::Uid(1).bytes());
}
