//! The brain dies two hundred times while twenty programs write, end, are stopped and are killed; and nobody notices.
//!
//! In: our programs, and chance (`PROVOST_CHAOS_SEED=n` decides the same again, `PROVOST_CHAOS_TIMES=n` as often). Out:
//! figures, or everything that is wrong. Whoever acts keeps books past the supervisor (`client.rs`, `victims.rs`, and the
//! programs themselves, `provost_testkit::ledger`); at the end `judge.rs` holds logs, pids and exits against them. What
//! disturbs is a function of its own (`kill.rs`), so that other things than a death can be done to a brain.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "the seed, and what it all came to")]

mod cast;
mod chance;
mod client;
mod evidence;
mod exits;
mod figures;
mod judge;
mod kill;
mod rpc;
mod timeline;
mod upgrade;
mod victims;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use evidence::Evidence;
use world::World;

/// What is done to the brain, once; it counts itself.
type Disturb = fn(&mut World);

/// How long all disturbances together may take. Far more than they need on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn two_hundred_deaths_of_the_brain_go_unnoticed() {
    live_through(200, kill::disturb);
}

#[test]
fn fifty_upgrades_go_unnoticed_and_broken_programs_are_refused() {
    live_through(50, upgrade::disturb);
}

#[track_caller]
fn live_through(times: u64, disturb: Disturb) {
    // Two worlds at once would only disturb each other. Whether the other failed is its own affair.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock();
    let seed = number("PROVOST_CHAOS_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        u64::from(now.subsec_nanos())
    });
    let times = number("PROVOST_CHAOS_TIMES").unwrap_or(times);
    println!("PROVOST_CHAOS_SEED={seed} PROVOST_CHAOS_TIMES={times} decides the same again");
    let mut world = World::begin(seed);
    let done = Done::default();
    let (wishes, kills) = thread::scope(|scope| {
        // Whatever ends this block, a panic too, ends the threads first.
        let ending = EndOnDrop(&done);
        let clients: Vec<_> = world.clients(seed).map(|client| scope.spawn(|| client.live(&done))).collect();
        let killer = world.killer(seed);
        let killer = scope.spawn(|| killer.live(&done));
        let end = Instant::now() + PATIENCE;
        while world.disturbances < times {
            assert!(Instant::now() < end, "only {} of {times} in {PATIENCE:?}", world.disturbances);
            disturb(&mut world);
        }
        drop(ending);
        let wishes: Vec<_> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        (wishes, killer.join().unwrap())
    });
    let evidence = Evidence::gather(world, wishes, kills);
    println!("{}", evidence.figures);
    let faults = judge::judge(&evidence);
    assert!(faults.is_empty(), "seed {seed}: {} faults\n{}", faults.len(), faults.join("\n"));
}

/// Everybody is to come to an end.
#[derive(Default)]
struct Done(AtomicBool);

impl Done {
    fn is_said(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct EndOnDrop<'a>(&'a Done);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}
