//! A hostile world for the core: seeded, bounded, replayable (`PROVOST_SIM_SEED=n` runs one seed, `PROVOST_SIM_SEEDS=n` that many).
//!
//! The world spawns late or not at all, lets children die whenever it likes, ignores stop signals, takes its time over
//! SIGKILL, refuses signals, jumps the wall clock, and asks senseless things at the worst moment. After every step
//! the referee checks what must never happen; at the end of a run what must have happened.

mod common;
#[path = "simulator/policies.rs"]
mod policies;
#[path = "simulator/referee.rs"]
mod referee;
#[path = "simulator/world.rs"]
mod world;

use world::World;

/// Runs that every build makes; each is some hundreds of steps.
const SEEDS: u64 = 400;
const STEPS: u32 = 600;

#[test]
fn no_seed_breaks_a_rule() {
    #[expect(clippy::disallowed_methods, reason = "the test asks, not the core")]
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("PROVOST_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("PROVOST_SIM_SEEDS").unwrap_or(SEEDS) + 1,
    };
    let mut seen = referee::Seen::default();
    for seed in seeds.clone() {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        seen.add(&world.end());
    }
    // A world in which nothing happens proves nothing.
    if seeds.end - seeds.start >= SEEDS {
        seen.must_be_rich();
    }
}
