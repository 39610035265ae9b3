//! The end of a run: everything is stopped, the daemon ends, and what everybody has written down is brought together.
//!
//! In: the world, what clients wished, and who was killed. Out: [`Evidence`] to be judged. The logs of a program are read
//! here and removed if they are whole, so that a failure keeps what it needs, and not a gigabyte.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use provost_testkit::{
    Chapter, DEADLINE, Daemon, Signal, Verdict, ledger, monotonic_ns, send_signal, verify,
};

use crate::cast::Part;
use crate::client::{Want, Wish};
use crate::exits::{self, Comparison, Told};
use crate::figures::{Figures, Keeper};
use crate::rpc::{self, Info};
use crate::timeline::Life;
use crate::victims::Kill;
use crate::world::World;

/// What there is to know about one program.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) life: Life,
    pub(crate) verdict: Verdict,
    pub(crate) rotated: u64,
    pub(crate) told: Vec<Told>,
    /// How what was told fits how its runs ended.
    pub(crate) exits: Comparison,
    /// What the daemon said of it, again and again.
    pub(crate) samples: Vec<Info>,
}

#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) cases: Vec<Case>,
    pub(crate) figures: Figures,
    /// The exit status of the daemon.
    pub(crate) status: Option<i32>,
    /// Has the files.
    _daemon: Daemon,
}

impl Evidence {
    #[track_caller]
    pub(crate) fn gather(world: World, mut wishes: Vec<Wish>, kills: Vec<Kill>) -> Evidence {
        let stops = stop_everything(&world);
        let time = world.began.elapsed();
        let keeper = [world.keeper_before, Keeper::of(world.daemon.pid())];
        let World { mut daemon, cast, disturbances, refused, silences, samples, .. } = world;
        let (asked, repeated) = (wishes.len(), wishes.iter().filter(|wish| wish.tries > 1).count());
        wishes.extend(stops);
        send_signal(daemon.pid(), Signal::TERM);
        let status = daemon.wait_for_end().and_then(|status| status.code());

        let main_log = fs::read_to_string(daemon.sandbox().file("main.log")).unwrap();
        let directory = daemon.sandbox().path();
        let verdicts = read_logs(directory, &cast);
        let cases: Vec<Case> = cast
            .into_iter()
            .zip(verdicts)
            .map(|(part, (verdict, rotated))| {
                let of = |name: &str| *name == part.name;
                let told = exits::told(&part.name, main_log.lines());
                let samples = samples.iter().flatten().filter(|info| of(&info.name)).cloned().collect();
                let life = Life {
                    runs: ledger(&directory.join("ledger"), &part.name),
                    wishes: wishes.iter().filter(|wish| of(&wish.name)).cloned().collect(),
                    kills: kills.iter().filter(|kill| of(&kill.name)).cloned().collect(),
                    part,
                };
                let exits = exits::compare(&life.ends(), &told);
                Case { life, verdict, rotated, told, exits, samples }
            })
            .collect();
        let sum = |of: fn(&Case) -> u64| cases.iter().map(of).sum();
        let count = |of: fn(&Case) -> usize| cases.iter().map(of).sum();
        let figures = Figures {
            disturbances,
            refused,
            time,
            lines: sum(|case| case.verdict.lines),
            bytes: sum(|case| case.verdict.bytes),
            rotations: sum(|case| case.rotated),
            runs: count(|case| case.life.runs.len()),
            wishes: asked,
            repeated,
            killed_programs: kills.len(),
            exits_told_twice: count(|case| case.exits.again.len()),
            unborn: count(|case| case.unborn()),
            silences,
            keeper,
        };
        Evidence { cases, figures, status, _daemon: daemon }
    }
}

impl Case {
    /// Ends that were told of runs without an entry: SIGTERM has met them before their first instruction.
    pub(crate) fn unborn(&self) -> usize {
        let asked = exits::Ended::Signal("SIGTERM".to_owned());
        self.exits.invented.iter().filter(|at| self.told[**at].ended == asked).count()
    }
}

/// Returns the wish for each program.
#[track_caller]
fn stop_everything(world: &World) -> Vec<Wish> {
    let (sent_ns, end) = (monotonic_ns(), Instant::now() + DEADLINE);
    rpc::call(&world.socket(), "supervisor.stopAllProcesses", &[]);
    let infos = loop {
        let infos = rpc::infos(&rpc::call(&world.socket(), "supervisor.getAllProcessInfo", &[]));
        let down = |info: &Info| ["STOPPED", "EXITED", "FATAL"].contains(&info.state.as_str());
        if infos.iter().all(down) {
            break infos;
        }
        assert!(Instant::now() < end, "not everything can be stopped: {infos:?}");
        thread::sleep(Duration::from_millis(5));
    };
    let done_ns = monotonic_ns();
    let wish = |info: &Info| Wish {
        name: info.name.clone(),
        want: Want::Stop,
        sent_ns,
        done_ns,
        tries: 1,
        // Not each of them is known to have run.
        fault: Some(70),
        settled: true,
        exitstatus: Some(info.exitstatus),
    };
    infos.iter().map(wish).collect()
}

/// A verdict on each program's log, and how often it was rotated; as many at once as there are processors.
fn read_logs(directory: &Path, cast: &[Part]) -> Vec<(Verdict, u64)> {
    let queue = Mutex::new(cast.iter().enumerate());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some((at, part)) = queue.lock().unwrap().next() else { break };
                    let read = read_log(directory, part);
                    done.lock().unwrap().push((at, read));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, read)| read).collect()
}

fn read_log(directory: &Path, part: &Part) -> (Verdict, u64) {
    let files = files_of(directory, &part.name);
    let rotated = files.len() as u64 - 1;
    assert!(rotated < part.backups(), "{}: more rotated files than are kept", part.name);
    let mut all: Box<dyn Read> = Box::new(std::io::empty());
    for file in &files {
        all = Box::new(all.chain(Late(file.clone(), None)));
    }
    let chapters: Vec<Chapter> =
        ledger(&directory.join("ledger"), &part.name).iter().map(Chapter::from).collect();
    let verdict = verify(&part.name, &chapters, BufReader::with_capacity(1 << 20, all)).unwrap();
    if verdict.faults.is_empty() {
        files.iter().for_each(|file| fs::remove_file(file).unwrap());
    }
    (verdict, rotated)
}

/// The rotated files of a program, the oldest first, and then its log.
fn files_of(directory: &Path, name: &str) -> Vec<PathBuf> {
    let prefix = format!("{name}.log");
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let mut numbered: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let rest = entry.file_name().to_str()?.strip_prefix(&prefix)?.to_owned();
            let number = if rest.is_empty() { 0 } else { rest.strip_prefix('.')?.parse().ok()? };
            Some((number, entry.path()))
        })
        .collect();
    numbered.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    numbered.into_iter().map(|(_, path)| path).collect()
}

/// A file that is opened when it is its turn: hundreds of them follow each other.
struct Late(PathBuf, Option<File>);

impl Read for Late {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let file = match &mut self.1 {
            Some(file) => file,
            none => none.insert(File::open(&self.0)?),
        };
        file.read(buffer)
    }
}
