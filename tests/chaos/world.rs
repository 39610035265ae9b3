//! The daemon with its programs, and what everybody who acts upon it needs.
//!
//! In: a seed. Out: a daemon that answers, its brain of the moment as a process that can be signalled, and the time that
//! passes until a brain answers again.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use provost_testkit::{DEADLINE, Daemon, HelloSocket, Implementation, Process, Sandbox, replace_program};

use crate::cast::{self, Part, Role};
use crate::chance::Chance;
use crate::client::Client;
use crate::figures::Keeper;
use crate::rpc::{self, Info};
use crate::victims::Killer;

const PROGRAM: &str = "supervisord";

/// Everything that is going on.
pub(crate) struct World {
    pub(crate) daemon: Daemon,
    pub(crate) cast: Vec<Part>,
    pub(crate) chance: Chance,
    /// How often the brain has been disturbed.
    pub(crate) disturbances: u64,
    /// How many broken programs it has refused to become.
    pub(crate) refused: u64,
    /// From each disturbance to the first answer.
    pub(crate) silences: Vec<Duration>,
    /// What the daemon said of its processes, again and again.
    pub(crate) samples: Vec<Vec<Info>>,
    pub(crate) began: Instant,
    pub(crate) keeper_before: Keeper,
    victims: Option<HelloSocket>,
    last_brain: i32,
}

impl World {
    /// Starts everything, and waits for nothing but the first answer.
    pub(crate) fn begin(seed: u64) -> World {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.file("ledger")).unwrap();
        let victims = HelloSocket::bind(&sandbox.file("victims"));
        let cast = cast::cast(seed);
        // From a file of its own, which may be replaced.
        let ours = Implementation::ours();
        let program = sandbox.file(PROGRAM);
        replace_program(Path::new(&ours.supervisord[0]), &program);
        let implementation = Implementation { supervisord: vec![program.into_os_string()], ..ours };
        let daemon = Daemon::start_in(sandbox, &implementation, &cast::configuration(&cast));
        let began = Instant::now();
        rpc::call(&daemon.socket(), "supervisor.getState", &[]);
        World {
            keeper_before: Keeper::of(daemon.pid()),
            daemon,
            cast,
            chance: Chance::new(seed, 1),
            disturbances: 0,
            refused: 0,
            silences: Vec::new(),
            samples: Vec::new(),
            began,
            victims: Some(victims),
            last_brain: 0,
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.daemon.socket()
    }

    /// The file that the daemon was started from.
    pub(crate) fn program(&self) -> PathBuf {
        self.daemon.sandbox().file(PROGRAM)
    }

    /// The pid of the brain of the moment.
    #[track_caller]
    pub(crate) fn brain(&self) -> i32 {
        self.living_brain().expect("between two disturbances there is a brain")
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.daemon.sandbox().file("ledger")
    }

    /// Those who ask for something; no two of them have to do with the same program.
    pub(crate) fn clients(&self, seed: u64) -> impl Iterator<Item = Client> + use<'_> {
        let groups: [&[Role]; 2] =
            [&[Role::Asked], &[Role::Stubborn, Role::Crashing, Role::Choosy, Role::Early]];
        (10..).zip(groups).map(move |(actor, roles)| {
            let of_role = |part: &&Part| roles.contains(&part.role);
            let parts = self.cast.iter().filter(of_role).cloned().collect();
            Client::new(self.socket(), self.ledger(), parts, Chance::new(seed, actor))
        })
    }

    /// The one who kills programs behind everybody's back.
    pub(crate) fn killer(&mut self, seed: u64) -> Killer {
        let victims = self.cast.iter().filter(|part| part.role == Role::Victim);
        let names = victims.map(|part| part.name.clone()).collect();
        let hellos = self.victims.take().expect("there is one killer");
        Killer::new(hellos, self.ledger(), names, Chance::new(seed, 2))
    }

    /// The brain of the moment: one that has not been taken hold of before, as soon as it has its name.
    #[track_caller]
    pub(crate) fn next_brain(&mut self) -> Process {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(pid) = self.living_brain().filter(|pid| *pid != self.last_brain) {
                self.last_brain = pid;
                return Process::new(pid);
            }
            assert!(Instant::now() < end, "no new brain in {DEADLINE:?}");
            // The kernel announces no births.
            thread::sleep(Duration::from_micros(500));
        }
    }

    fn living_brain(&self) -> Option<i32> {
        let keeper = self.daemon.pid();
        let children = fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).unwrap();
        let mut pids = children.split_whitespace().map(|pid| pid.parse().unwrap());
        // The newest children come last.
        pids.rfind(|pid: &i32| self.is_brain(*pid))
    }

    pub(crate) fn is_brain(&self, pid: i32) -> bool {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "provost-brain\n")
    }

    /// Waits until a brain answers, and writes down how long that took after each of these moments.
    #[track_caller]
    pub(crate) fn await_answer(&mut self, since: &[Instant]) {
        let answer = rpc::call(&self.socket(), "supervisor.getAllProcessInfo", &[]);
        self.silences.extend(since.iter().map(Instant::elapsed));
        self.samples.push(rpc::infos(&answer));
    }
}
