//! The twenty programs: who they are, what they do, and the configuration that says so.
//!
//! In: a seed. Out: [`Part`]s and the text of a file. What each of them does to itself and what others do to it follows
//! from its [`Role`], and so does what the judge expects.

use std::fmt::Write;

use provost_testkit::HEAD;

/// What happens to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing: it has one pid from beginning to end.
    Steady,
    /// Clients stop, start, restart and signal it.
    Asked,
    /// It ends again and again, and is restarted each time; clients disturb it, too.
    Crashing,
    /// It ends before its startsecs are over, as a rule, and is retried.
    Early,
    /// It ignores SIGTERM: whoever stops it needs SIGKILL.
    Stubborn,
    /// Somebody else kills it.
    Victim,
    /// It ends again and again, and is restarted only where the status was not expected.
    Choosy,
}

/// One program.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Bytes a second.
    rate: u64,
    /// In one write; what may be killed at any moment writes no more than a pipe takes at once.
    chunk: usize,
    /// Lines until its own end, at most; 0 for one that has none.
    most: u64,
    startsecs: u32,
    seed: u64,
}

/// What a choosy program may end with, and stay down.
const EXPECTED: std::ops::RangeInclusive<u8> = 1..=30;
/// How long a stubborn one may be stubborn.
pub(crate) const STOPWAITSECS: u64 = 1;
/// A log is rotated when it has this size.
const LOG_SIZE: u64 = 1024 * 1024;
/// No program writes for longer than this many seconds, so that no rotated file is ever dropped.
const LONGEST: u64 = 360;

impl Part {
    /// Whether this exit status is one that was configured as expected.
    pub(crate) fn expects(&self, status: u8) -> bool {
        match self.role {
            Role::Choosy => EXPECTED.contains(&status),
            _ => status == 0,
        }
    }

    /// Rotated files that are kept. The judge sees to it that there are never as many.
    pub(crate) fn backups(&self) -> u64 {
        self.rate * LONGEST / LOG_SIZE + 10
    }

    fn section(&self) -> String {
        let Part { name, role, rate, chunk, most, startsecs, seed } = self;
        let mut words =
            format!("lines:rate={rate},chunk={chunk},most={most},seed={seed},ledger={{dir}}/ledger");
        let mut more = String::new();
        match role {
            Role::Steady | Role::Asked | Role::Crashing | Role::Early => more.push_str("autorestart=true\n"),
            Role::Stubborn => {
                words.insert_str(0, "ignore:TERM ");
                write!(more, "autorestart=true\nstopwaitsecs={STOPWAITSECS}\n").unwrap();
            }
            Role::Victim => {
                words.insert_str(0, "hello ");
                more.push_str("autorestart=true\nenvironment=PROVOST_HELLO=\"{dir}/victims\"\n");
            }
            Role::Choosy => {
                let codes: Vec<String> = EXPECTED.map(|code| code.to_string()).collect();
                write!(more, "autorestart=unexpected\nexitcodes={}\n", codes.join(",")).unwrap();
            }
        }
        if *role != Role::Stubborn {
            more.push_str("stopwaitsecs=25\n");
        }
        format!(
            "[program:{name}]\ncommand={{child}} {words}\nstartsecs={startsecs}\nstartretries=1000000\n{more}\
             stdout_logfile={{dir}}/{name}.log\nstdout_logfile_maxbytes={LOG_SIZE}\n\
             stdout_logfile_backups={}\nredirect_stderr=true\n\n",
            self.backups()
        )
    }
}

/// All of them.
pub(crate) fn cast(seed: u64) -> Vec<Part> {
    // Role, how many, bytes a second, bytes in a write, lines at most, startsecs.
    let parts = [
        (Role::Steady, 5, 1_600_000, 65_536, 0, 1),
        (Role::Steady, 3, 1_600_000, 4_096, 0, 0),
        (Role::Asked, 2, 1_200_000, 65_536, 0, 0),
        (Role::Asked, 2, 1_200_000, 4_096, 0, 1),
        (Role::Crashing, 3, 1_000_000, 16_384, 6_000, 0),
        (Role::Early, 1, 500_000, 1_000, 3_000, 2),
        (Role::Stubborn, 1, 500_000, 4_096, 0, 0),
        (Role::Victim, 2, 700_000, 4_096, 0, 1),
        (Role::Choosy, 1, 500_000, 4_096, 2_000, 0),
    ];
    let each = parts.into_iter().flat_map(|part| std::iter::repeat_n(part, part.1));
    each.enumerate()
        .map(|(number, (role, _, rate, chunk, most, startsecs))| Part {
            name: format!("{role:?}_{number:02}").to_lowercase(),
            role,
            rate,
            chunk,
            most,
            startsecs,
            seed: (seed + number as u64 * 7) % 1000,
        })
        .collect()
}

pub(crate) fn configuration(cast: &[Part]) -> String {
    let sections: String = cast.iter().map(Part::section).collect();
    // The judge reads all of the main log.
    format!("{HEAD}logfile_maxbytes=0\n\n{sections}")
}
