//! One disturbance: the brain is killed, once or several times in a row.
//!
//! In: a world with a brain that answers. Out: one with another brain that answers. The moment is left to chance: while
//! the brain still finds its way, after it has been at work for a while, or frozen, with pipes that fill up meanwhile.

use std::time::{Duration, Instant};

use provost_testkit::Signal;

use crate::world::World;

/// How long a brain is left at work, at most.
const AT_WORK: Duration = Duration::from_millis(250);
/// How long one that comes up is left alone, at most.
const COMING_UP: Duration = Duration::from_millis(15);
/// How long one stands still before it dies, at most.
const FROZEN: Duration = Duration::from_millis(60);

pub(crate) fn disturb(world: &mut World) {
    world.chance.dawdle(AT_WORK);
    let row = match world.chance.below(12) {
        0 => 3,
        1 | 2 => 2,
        _ => 1,
    };
    let mut moments = vec![kill(world)];
    for _ in 1..row {
        // Not before there is one: a row of deaths, not one death of many causes.
        let brain = world.next_brain();
        world.chance.dawdle(COMING_UP);
        brain.signal(Signal::KILL);
        moments.push(Instant::now());
        brain.wait_until_gone();
    }
    world.disturbances += row;
    world.await_answer(&moments);
}

fn kill(world: &mut World) -> Instant {
    let brain = world.next_brain();
    if world.chance.one_in(5) {
        brain.signal(Signal::STOP);
        world.chance.dawdle(FROZEN);
    }
    brain.signal(Signal::KILL);
    let moment = Instant::now();
    brain.wait_until_gone();
    moment
}
