//! Brains that die while events flow, at whatever moment, and upgrades: everybody goes on, and whoever was told something was told
//! all of it.
//!
//! Four pools listen and write down every byte: one listener, several, one that rejects now and then, one that is never done quickly. What
//! a client was answered `true` to must have been told, what a program did must have been told, whole and in order.
//! `PROVOST_CHAOS_SEED=n` decides the same again, `PROVOST_CHAOS_TIMES=n` as often.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use provost_testkit::{
    Daemon, HEAD, Implementation, Sandbox, Signal, Told, post, replace_program, supervisord_next, told,
};

use crate::stage::{Stage, look_for, number, until, until_within};

const POOLS: &str = r#"
[eventlistener:several]
command={child} listen:{dir}/several-%(process_num)s
process_name=%(process_num)s
numprocs=3
events=REMOTE_COMMUNICATION
startsecs=0
[eventlistener:choosy]
command={child} ready event:{dir}/choosy ok ready event:{dir}/choosy ok ready event:{dir}/choosy fail again
events=REMOTE_COMMUNICATION
startsecs=0
[eventlistener:busy]
command={child} ready event:{dir}/busy after:5ms ok again
events=REMOTE_COMMUNICATION
startsecs=0
[eventlistener:states]
command={child} listen:{dir}/states
events=PROCESS_STATE,TICK_5,PROCESS_LOG
startsecs=0
[program:f]
command={child} say:here after:100ms exit:1
process_name=f%(process_num)s
numprocs=6
startsecs=0
autorestart=true
stdout_events_enabled=true
stdout_logfile=NONE
"#;

/// What was published meanwhile.
#[derive(Debug, Default)]
struct Books {
    answered: BTreeSet<u64>,
    /// Nobody knows whether they were published.
    unanswered: BTreeSet<u64>,
}

/// Publishes one after the other until it is said to be enough.
fn publish(socket: &Path, enough: &AtomicBool) -> Books {
    let mut books = Books::default();
    for number in 0.. {
        if enough.load(Ordering::Relaxed) {
            break;
        }
        // Some of them are longer than a pipe, and than what is written at once.
        let filler = if number % 40 == 7 { "x".repeat(150_000) } else { String::new() };
        let call = format!(
            "<methodCall><methodName>supervisor.sendRemoteCommEvent</methodName><params><param><value>n</value></param><param><value>{number}{filler}</value></param></params></methodCall>"
        );
        match post(socket, "/RPC2", call.as_bytes()) {
            Ok(answer) if answer.body.windows(18).any(|piece| piece == b"<boolean>1</boolea") => {
                books.answered.insert(number);
            }
            _ => {
                books.unanswered.insert(number);
            }
        }
        // A pace that the slowest of them can nearly go.
        look_for(Duration::from_millis(4));
    }
    books
}

#[test]
fn whatever_dies_everybody_goes_on_and_is_told_everything() {
    let daemon = Daemon::start(&Implementation::ours(), &format!("{HEAD}{}", Stage::config(POOLS)));
    let mut chance = chance();
    live_through(Stage::of(daemon), times(40), |stage| {
        look_for(Duration::from_micros(chance(150_000)));
        let brain = next_brain(&stage.daemon);
        if chance(4) == 0 {
            // Its pipes fill meanwhile.
            brain.signal(Signal::STOP);
            look_for(Duration::from_micros(chance(40_000)));
        }
        brain.signal(Signal::KILL);
        brain.wait_until_gone();
        // One after the other in a row, now and then; but brains that die before they are ready the keeper makes ever more slowly.
        if chance(8) > 0 {
            answers(&stage.daemon);
        }
    });
}

#[test]
fn upgrades_go_unnoticed() {
    // It may have to be built.
    let next = supervisord_next();
    let sandbox = Sandbox::new();
    let ours = Implementation::ours();
    let (program, place) = (ours.supervisord[0].clone(), sandbox.file("supervisord"));
    replace_program(Path::new(&program), &place);
    let ours = Implementation { supervisord: vec![place.clone().into_os_string()], ..ours };
    let daemon = Daemon::start_in(sandbox, &ours, &format!("{HEAD}{}", Stage::config(POOLS)));
    let (mut chance, mut count) = (chance(), 0);
    live_through(Stage::of(daemon), times(6), |stage| {
        look_for(Duration::from_micros(chance(150_000)));
        count += 1;
        let program = if count % 2 == 1 { next } else { Path::new(&program) };
        replace_program(program, &place);
        let said = stage.daemon.ctl(&["upgrade"]);
        assert_eq!(said.status, 0, "{said:?}");
    });
}

#[track_caller]
fn live_through(mut stage: Stage, times: u64, mut disturb: impl FnMut(&mut Stage)) {
    let (socket, enough) = (stage.daemon.socket(), AtomicBool::new(false));
    let books = std::thread::scope(|scope| {
        let ending = EndOnDrop(&enough);
        let publisher = scope.spawn(|| publish(&socket, &enough));
        (0..times).for_each(|_| disturb(&mut stage));
        drop(ending);
        publisher.join().unwrap()
    });
    let files = |names: &[&str]| names.iter().map(|name| stage.file(name)).collect::<Vec<_>>();
    let pools = [
        ("honest", files(&["honest"])),
        ("several", files(&["several-0", "several-1", "several-2"])),
        ("choosy", files(&["choosy"])),
        ("busy", files(&["busy"])),
    ];
    // Nobody is stuck: all that waits is told.
    for (name, _) in &pools {
        until_within(Duration::from_secs(60), name, || {
            let pool = stage.pool(name);
            pool["waiting"] == 0
                && pool["listeners"].as_array().unwrap().iter().all(|one| one["event"].is_null())
        });
    }
    println!("{times} times; {} events answered, {} not", books.answered.len(), books.unanswered.len());
    for (name, files) in &pools {
        let events: Vec<Vec<Told>> = files.iter().map(|file| whole(file)).collect();
        judge(name, &events, &books, *name == "choosy");
    }
    let states = whole(&stage.file("states"));
    judge_states(&states);
    let ticks: Vec<u64> = states.iter().filter(|told| told.event == "TICK_5").map(when).collect();
    assert!(ticks.is_sorted_by(|a, b| a + 5 == *b), "{ticks:?}");
    println!("{} ticks", ticks.len());
    // And who listens now is told what comes now.
    let next = books.answered.len() as u64 + books.unanswered.len() as u64;
    stage.published = next;
    stage.publish(5);
    until("five more", || whole(&stage.file("honest")).last().and_then(number) == Some(next + 4));
    stage.end_well();
}

/// Every message is whole, and what follows is the next; nothing else was ever told.
#[track_caller]
fn whole(file: &Path) -> Vec<Told> {
    told(file).0
}

#[track_caller]
fn judge(name: &str, listeners: &[Vec<Told>], books: &Books, rejects: bool) {
    let mut times: BTreeMap<u64, usize> = BTreeMap::new();
    for events in listeners {
        for told in events {
            *times.entry(number(told).expect("only these are subscribed to")).or_default() += 1;
            let filler = told.payload.iter().filter(|byte| **byte == b'x').count();
            assert_eq!(filler, if number(told).unwrap() % 40 == 7 { 150_000 } else { 0 });
        }
    }
    let lost: Vec<_> = books.answered.iter().filter(|number| !times.contains_key(number)).collect();
    assert!(lost.is_empty(), "{name} was never told {lost:?}");
    let twice = times.values().filter(|times| **times > 1).count();
    println!("{name}: {} told, {twice} of them more than once", times.len());
    if rejects {
        return;
    }
    assert!(twice == 0, "{name}: {:?}", times.iter().filter(|(_, times)| **times > 1).collect::<Vec<_>>());
    for events in listeners {
        let numbers: Vec<u64> = events.iter().filter_map(number).collect();
        assert!(numbers.is_sorted(), "{name}: {numbers:?}");
        assert!(events.iter().map(|told| told.serial).is_sorted_by(|a, b| a < b), "{name}");
    }
}

/// Each change of state begins where the one before it has ended; or what was told last of a process is told again, word for word: all that
/// one step has made of it, as a brain that died over that step had not yet written it down.
#[track_caller]
fn judge_states(events: &[Told]) {
    const STEP: usize = 3;
    let mut told_of: BTreeMap<String, Vec<(&Told, String)>> = BTreeMap::new();
    let (mut twice, mut changes) = (0, 0);
    for told in events {
        let Some(state) = told.event.strip_prefix("PROCESS_STATE_") else { continue };
        let payload = str::from_utf8(&told.payload).unwrap();
        let token = |key: &str| payload.split(' ').find_map(|token| token.strip_prefix(key)).unwrap();
        let (process, from) = (token("processname:"), token("from_state:"));
        changes += 1;
        let before = told_of.entry(process.to_owned()).or_default();
        if before.last().is_some_and(|(_, state)| state != from) {
            let same = |(earlier, _): &(&Told, String)| {
                (&earlier.event, &earlier.payload) == (&told.event, &told.payload)
            };
            let again = before.iter().rposition(same).filter(|at| before.len() - at <= STEP);
            let Some(again) = again else {
                panic!("{process} goes from {from} to {state} at serial {}, after {before:?}", told.serial);
            };
            twice += before.len() - again;
            before.truncate(again);
        }
        before.push((told, state.to_owned()));
    }
    println!("{changes} changes of state, {twice} of them told twice");
    assert!(changes > 20 && twice <= changes / 10, "{twice} of {changes}");
}

fn when(told: &Told) -> u64 {
    str::from_utf8(&told.payload).unwrap().strip_prefix("when:").unwrap().parse().unwrap()
}

/// The brain of the moment, as soon as there is one.
#[track_caller]
fn next_brain(daemon: &Daemon) -> provost_testkit::Process {
    let mut found = None;
    until("a brain", || {
        found = crate::stage::living_brain(daemon);
        found.is_some()
    });
    found.unwrap()
}

/// Waits until somebody answers.
#[track_caller]
fn answers(daemon: &Daemon) {
    let call = b"<methodCall><methodName>supervisor.getState</methodName></methodCall>";
    until("an answer", || post(&daemon.socket(), "/RPC2", call).is_ok_and(|answer| answer.status == 200));
}

/// Numbers below what is asked for; which ones, the seed says.
fn chance() -> impl FnMut(u64) -> u64 {
    let seed = variable("PROVOST_CHAOS_SEED").unwrap_or_else(|| {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let time = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
        u64::from(time) ^ text.len() as u64
    });
    println!("PROVOST_CHAOS_SEED={seed}");
    let mut state = seed | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

fn times(usual: u64) -> u64 {
    variable("PROVOST_CHAOS_TIMES").unwrap_or(usual)
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
