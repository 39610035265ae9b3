//! A hostile world for the core: seeded, bounded, replayable (`PROVOST_SIM_SEED=n` runs one seed, `PROVOST_SIM_SEEDS=n`
//! that many, `PROVOST_SIM_LAST=n` tells more of a world that broke a rule).
//!
//! The world spawns late or not at all, lets children die whenever they like or not for an hour, refuses signals, runs
//! out of descriptors, jumps the wall clock by years, stalls for minutes, kills brains between two actions, and asks
//! senseless things at the worst moment. The referee checks what must never happen and what must have happened; a
//! world that breaks a rule is played once more, with its last inputs and actions written down.

mod asks;
mod cast;
mod chance;
mod closing;
#[path = "../common/mod.rs"]
mod common;
mod course;
mod keeper;
mod people;
mod referee;
mod seen;
mod trace;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use referee::Broken;
use seen::Seen;
use trace::Trace;
use world::World;

/// Worlds that every build plays, and the steps of the core that they come to at least.
const SEEDS: u64 = 12_000;
const STEPS: u64 = 10_000_000;
const THREADS: usize = 2;
/// What happens in the longest of them, before it is told to end.
const HAPPENINGS: u32 = 4_000;

/// What some worlds came to.
#[derive(Default)]
struct Total {
    worlds: u64,
    steps: u64,
    told: u64,
    seen: Seen,
}

/// What a person reads of it; a backtrace would only be in the way.
struct Failure(String);

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[test]
fn no_seed_breaks_a_rule() -> Result<(), Failure> {
    if let Some(seed) = number("PROVOST_SIM_SEED") {
        let mut total = Total::default();
        play(seed, &mut total)?;
        println!("seed {seed} breaks no rule in {} steps\n{}", total.steps, total.seen);
        return Ok(());
    }
    let seeds = number("PROVOST_SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(1);
    let total = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| play_until(seeds, &next))).collect();
        threads.into_iter().try_fold(Total::default(), |mut all, thread| {
            let total = thread.join().expect("failures are told, not thrown")?;
            all.worlds += total.worlds;
            all.steps += total.steps;
            all.told += total.told;
            all.seen.add(&total.seen);
            Ok(all)
        })
    })?;
    println!(
        "{} worlds, {} steps, {} of them with news\n{}",
        total.worlds, total.steps, total.told, total.seen
    );
    if seeds >= SEEDS {
        assert!(total.steps >= STEPS, "only {} steps", total.steps);
        total.seen.must_be_rich();
    }
    Ok(())
}

/// Takes seeds in turn until none is left, or one has broken a rule.
fn play_until(last: u64, next: &AtomicU64) -> Result<Total, Failure> {
    let mut total = Total::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed > last {
            return Ok(total);
        }
        if let Err(Failure(text)) = play(seed, &mut total) {
            next.store(last + 1, Ordering::Relaxed);
            return Err(Failure(format!("after {seed} seeds: {text}")));
        }
    }
}

/// Plays one world, silently; one that breaks a rule once more, with notes.
fn play(seed: u64, total: &mut Total) -> Result<(), Failure> {
    // Most worlds are short, and every sort of them may be long.
    let happenings = HAPPENINGS / [8, 4, 4, 2, 1][(seed % 5) as usize];
    let mut world = World::new(seed, Trace::default());
    let seen = catch_unwind(AssertUnwindSafe(|| total.seen.add(world.play(happenings))));
    total.worlds += 1;
    total.steps += world.steps;
    total.told += world.told;
    let Err(thrown) = seen else { return Ok(()) };
    let last = number("PROVOST_SIM_LAST").unwrap_or(30);
    let mut again = World::new(seed, Trace::of_the_last(usize::try_from(last).unwrap_or(usize::MAX)));
    // It fails as it did before.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        again.play(happenings);
    }));
    Err(Failure(format!(
        "seed {seed} breaks a rule in step {}: {}\n\nThe last that happened:\n{}\nAgain: PROVOST_SIM_SEED={seed} cargo \
         test -p provost-core --test simulator\n",
        world.steps,
        rule(thrown.as_ref()),
        again.trace.text(),
    )))
}

/// What the referee says, or the core itself.
fn rule(thrown: &(dyn std::any::Any + Send)) -> String {
    let panicked = || {
        let text = thrown.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| thrown.downcast_ref::<&str>().copied());
        format!("the core panics: {}", text.unwrap_or("without a word"))
    };
    thrown.downcast_ref::<Broken>().map_or_else(panicked, |Broken(rule)| rule.clone())
}

fn number(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "the test asks, not the core")]
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}
