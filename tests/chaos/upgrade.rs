//! One disturbance: the daemon becomes another build of itself, perhaps after a broken one has been refused.
//!
//! In: a world whose program file may be replaced. Out: one with a brain, and a keeper, of another build. What is broken must
//! change nothing: the same brain goes on, and whoever asked is told why.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use provost_testkit::{Implementation, make_foreign, replace_program, supervisord_next};

use crate::rpc::{self, member};
use crate::world::World;

/// How long a brain is left at work, at most.
const AT_WORK: Duration = Duration::from_millis(250);

/// Ways to be broken, and what is said of each.
const BROKEN: [(&str, &str); 5] = [
    ("panics", "ended with exit status 101 before it was ready"),
    ("exits", "ended with exit status 3 before it was ready"),
    ("hangs", "was not ready in time"),
    ("incompatible", "cannot take over: "),
    ("foreign", "Exec format error"),
];

pub(crate) fn disturb(world: &mut World) {
    world.chance.dawdle(AT_WORK);
    if world.chance.one_in(3) {
        refuse(world);
    }
    let (program, version) = match world.disturbances % 2 {
        0 => (supervisord_next().to_owned(), "next"),
        _ => (ours(), env!("CARGO_PKG_VERSION")),
    };
    be_well(world);
    replace_program(&program, &world.program());
    let moment = Instant::now();
    let answer = rpc::call(&world.socket(), "provost.upgrade", &["<int>30</int>"]);
    assert_eq!(member(&answer.body, "to"), Some(version), "{}", answer.body);
    assert_eq!(member(&answer.body, "keeper"), Some(""), "{}", answer.body);
    world.disturbances += 1;
    world.await_answer(&[moment]);
}

/// A broken program changes nothing.
fn refuse(world: &mut World) {
    let (mood, said) = BROKEN[world.chance.below(BROKEN.len() as u64) as usize];
    let brain = world.brain();
    if mood == "foreign" {
        make_foreign(supervisord_next(), &world.program());
    } else {
        fs::write(mood_of(world), mood).unwrap();
        replace_program(supervisord_next(), &world.program());
    }
    // One that hangs is waited for in any case; others have to say what is wrong, which takes them their time.
    let patience = if mood == "hangs" { "<int>1</int>" } else { "<int>30</int>" };
    let answer = rpc::call(&world.socket(), "provost.upgrade", &[patience]);
    assert_eq!(answer.fault(), Some(30), "{mood}: {}", answer.body);
    assert!(answer.body.contains(said), "{mood}: {}", answer.body);
    assert!(world.is_brain(brain), "{mood}: it is another brain");
    world.refused += 1;
}

fn be_well(world: &World) {
    // It may never have been there.
    let _ = fs::remove_file(mood_of(world));
}

fn mood_of(world: &World) -> PathBuf {
    world.program().with_extension("mood")
}

fn ours() -> PathBuf {
    Path::new(&Implementation::ours().supervisord[0]).to_owned()
}
