//! Whether a program lived only when it should: no run that nobody wanted, no end without a cause, never two at once.
//!
//! In: the runs of one program by its own ledger, what was asked for, and who was killed. Out: what cannot be explained,
//! and how each run really ended. Clients write down when they asked and when they were answered; in between anything
//! that they asked for may happen, outside of that nothing.

use provost_testkit::{End, Entry};

use crate::cast::{Part, Role, STOPWAITSECS};
use crate::client::{Want, Wish};
use crate::exits::Ended;
use crate::victims::Kill;

/// How long after a signal, or a fork, a program on a busy machine may take to say so.
const SLACK_NS: u64 = 5_000_000_000;
/// No stop may take longer than this beyond the patience that was configured.
const LONGEST_STOP_NS: u64 = 10_000_000_000;

const ABNORMAL_TERMINATION: i32 = 40;
const SPAWN_ERROR: i32 = 50;
const ALREADY_STARTED: i32 = 60;
const NOT_RUNNING: i32 = 70;

/// All that is known about one program.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) part: Part,
    pub(crate) runs: Vec<Entry>,
    /// In the order in which they were wished.
    pub(crate) wishes: Vec<Wish>,
    pub(crate) kills: Vec<Kill>,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Own(u8),
    /// SIGTERM.
    Asked(u8),
    Killed,
    /// SIGKILL, because SIGTERM was not enough.
    Escalated,
}

impl Life {
    /// How the runs ended, as far as that can be explained.
    pub(crate) fn ends(&self) -> Vec<Ended> {
        let end = |run| match self.cause(run)? {
            Cause::Own(status) | Cause::Asked(status) => Some(Ended::Status(status)),
            Cause::Killed | Cause::Escalated => Some(Ended::Signal("SIGKILL".to_owned())),
        };
        self.runs.iter().filter_map(end).collect()
    }

    /// What may be said of the exit status at the end of a stop: that of the last run, -1 for a signal. As with Supervisor,
    /// 0 before the first, of an attempt to start that came to nothing (nobody else knows whether there was one), and of one
    /// that ended too quickly by itself: with a stop under way nobody else knows which of the two was seen first.
    pub(crate) fn exitstatuses(&self, stop: &Wish) -> Vec<i32> {
        let Some(last) = self.runs.iter().rfind(|run| run.began_ns <= stop.done_ns) else { return vec![0] };
        let by_this_or_earlier_stop = self
            .wishes
            .iter()
            .any(|wish| wish.want == Want::Stop && (wish.sent_ns..=wish.done_ns).contains(&last.at_ns));
        let started_since = self.wishes.iter().any(|wish| {
            wish.want == Want::Start && wish.done_ns >= last.at_ns && wish.sent_ns <= stop.done_ns
        });
        let cause = self.cause(last);
        let real = match cause {
            Some(Cause::Own(status) | Cause::Asked(status)) => i32::from(status),
            Some(Cause::Killed | Cause::Escalated) | None => -1,
        };
        let too_quick_perhaps = self.part.role == Role::Early && matches!(cause, Some(Cause::Own(_)));
        let is_certain = by_this_or_earlier_stop && !started_since && !too_quick_perhaps;
        if is_certain { vec![real] } else { vec![real, 0] }
    }

    /// Everything that cannot be explained.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        faults.extend(self.runs.windows(2).filter_map(|pair| self.succession(&pair[0], &pair[1])));
        faults.extend(self.runs.iter().filter_map(|run| self.unexplained_end(run)));
        faults.extend(self.wishes.iter().filter_map(|wish| self.disobedience(wish)));
        if self.part.role == Role::Steady && self.runs.len() != 1 {
            faults.push(format!("{} runs of a program that nobody touched", self.runs.len()));
        }
        faults
    }

    fn cause(&self, run: &Entry) -> Option<Cause> {
        match run.end {
            Some(End::Own(status)) => Some(Cause::Own(status)),
            Some(End::Asked(status)) => Some(Cause::Asked(status)),
            None if self.kills.iter().any(|kill| kill.pid == run.pid && kill.at_ns >= run.began_ns) => {
                Some(Cause::Killed)
            }
            None => (self.part.role == Role::Stubborn && self.stop_during(run).is_some())
                .then_some(Cause::Escalated),
        }
    }

    /// A stop that was carried out when the run gave its last sign of life.
    fn stop_during(&self, run: &Entry) -> Option<&Wish> {
        self.wishes.iter().find(|wish| {
            // A stubborn program may be stuck in its full pipe long before it is stopped.
            wish.want == Want::Stop && wish.done_ns >= run.at_ns && wish.done_ns >= run.began_ns
        })
    }

    fn unexplained_end(&self, run: &Entry) -> Option<String> {
        let Some(cause) = self.cause(run) else {
            return Some(format!("run {} (pid {}) ended, and nobody knows why", run.generation, run.pid));
        };
        let asked = self.wishes.iter().any(|wish| match wish.want {
            Want::Stop => (wish.sent_ns..=wish.done_ns).contains(&run.at_ns),
            Want::Signal => (wish.sent_ns..=wish.done_ns + SLACK_NS).contains(&run.at_ns),
            Want::Start => false,
        });
        (matches!(cause, Cause::Asked(_)) && !asked)
            .then(|| format!("run {} (pid {}) was ended, and nobody asked for it", run.generation, run.pid))
    }

    fn succession(&self, before: &Entry, run: &Entry) -> Option<String> {
        if before.at_ns > run.began_ns {
            return Some(format!("runs {} and {} at once", before.generation, run.generation));
        }
        let started = self.wishes.iter().any(|wish| {
            wish.want == Want::Start && (wish.sent_ns..=wish.done_ns + SLACK_NS).contains(&run.began_ns)
        });
        let follows = match self.cause(before) {
            Some(Cause::Own(status)) => self.part.role != Role::Choosy || !self.part.expects(status),
            Some(Cause::Killed) | None => true,
            Some(Cause::Asked(_)) => self.wishes.iter().any(|wish| {
                wish.want == Want::Signal && (wish.sent_ns..=wish.done_ns + SLACK_NS).contains(&before.at_ns)
            }),
            Some(Cause::Escalated) => false,
        };
        (!started && !follows)
            .then(|| format!("run {} (pid {}) began, and nobody asked for it", run.generation, run.pid))
    }

    /// What was answered, and was not so.
    fn disobedience(&self, wish: &Wish) -> Option<String> {
        let Wish { want, sent_ns, done_ns, tries, fault, settled, .. } = wish;
        let known: &[i32] = match (want, self.part.role) {
            // Another signal may have met it, or its own end.
            (Want::Start, Role::Early) => &[ALREADY_STARTED, ABNORMAL_TERMINATION, SPAWN_ERROR],
            (Want::Start, _) => &[ALREADY_STARTED],
            (Want::Stop | Want::Signal, _) => &[NOT_RUNNING],
        };
        if let Some(fault) = fault.filter(|fault| !known.contains(fault)) {
            return Some(format!("{want:?} was answered with fault {fault}"));
        }
        if !settled {
            return Some(format!("{want:?} (asked at {sent_ns}) does not come to pass"));
        }
        let told = format!("{want:?}, asked at {sent_ns} {tries} times, done at {done_ns}");
        match want {
            Want::Signal => None,
            Want::Start => {
                let began = |run: &Entry| (*sent_ns..=done_ns + SLACK_NS).contains(&run.began_ns);
                (fault.is_none() && !self.runs.iter().any(began))
                    .then(|| format!("{told}: nothing was started"))
            }
            Want::Stop => {
                let next_start = self.wishes.iter().find(|w| w.want == Want::Start && w.sent_ns >= *done_ns);
                let until = next_start.map_or(u64::MAX, |wish| wish.sent_ns);
                let alive = self.runs.iter().find(|run| run.began_ns < until && run.at_ns > *done_ns);
                if let Some(run) = alive {
                    return Some(format!("{told}: run {} (pid {}) lives", run.generation, run.pid));
                }
                self.wrong_pace(wish).map(|what| format!("{told}: {what}"))
            }
        }
    }

    /// The patience with a stubborn program is what was configured, however many brains count it.
    fn wrong_pace(&self, wish: &Wish) -> Option<&'static str> {
        let took = wish.done_ns - wish.sent_ns;
        let stubborn = self.part.role == Role::Stubborn;
        // One that was stopped before its first instruction was not stubborn yet.
        let start =
            self.wishes.iter().filter(|other| other.want == Want::Start && other.sent_ns <= wish.sent_ns);
        let last_start = start.map(|start| start.sent_ns).max().unwrap_or(0);
        let was_there = self.runs.iter().any(|run| (last_start..=wish.sent_ns).contains(&run.began_ns));
        if stubborn && was_there && wish.fault.is_none() && took < STOPWAITSECS * 1_000_000_000 {
            return Some("too little patience");
        }
        (took > STOPWAITSECS * 1_000_000_000 + LONGEST_STOP_NS).then_some("too much patience")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cast::cast;

    const SECOND: u64 = 1_000_000_000;

    fn life(role: Role) -> Life {
        let part = cast(1).into_iter().find(|part| part.role == role).unwrap();
        Life { part, runs: Vec::new(), wishes: Vec::new(), kills: Vec::new() }
    }

    impl Life {
        fn run(mut self, began: u64, ended: u64, end: Option<End>) -> Life {
            let generation = self.runs.len() as u32 + 1;
            let (began_ns, at_ns) = (began * SECOND, ended * SECOND);
            let pid = generation as i32 + 100;
            self.runs.push(Entry { generation, pid, began_ns, lines: 1, intended: 1, at_ns, end });
            self
        }

        fn wish(mut self, want: Want, sent: u64, done: u64) -> Life {
            let (name, sent_ns, done_ns) = (self.part.name.clone(), sent * SECOND, done * SECOND);
            self.wishes.push(Wish {
                name,
                want,
                sent_ns,
                done_ns,
                tries: 1,
                fault: None,
                settled: true,
                exitstatus: None,
            });
            self
        }

        fn kill(mut self, pid: i32, at: u64) -> Life {
            self.kills.push(Kill { name: self.part.name.clone(), pid, at_ns: at * SECOND });
            self
        }

        #[track_caller]
        fn is_well(&self) {
            assert_eq!(self.faults(), Vec::<String>::new());
        }

        #[track_caller]
        fn shows(&self, text: &str) {
            let faults = self.faults();
            assert!(faults.iter().any(|fault| fault.contains(text)), "{faults:?}");
        }
    }

    const ASKED: Option<End> = Some(End::Asked(3));
    const OWN: Option<End> = Some(End::Own(45));

    #[test]
    fn a_life_in_order_has_no_faults() {
        life(Role::Steady).run(1, 50, ASKED).wish(Want::Stop, 49, 51).is_well();
        life(Role::Asked)
            .run(1, 10, ASKED)
            .wish(Want::Stop, 9, 11)
            .wish(Want::Start, 20, 21)
            .run(20, 30, ASKED)
            .wish(Want::Signal, 29, 30)
            .run(31, 40, ASKED)
            .wish(Want::Stop, 39, 41)
            .is_well();
        let crashing = life(Role::Crashing).run(1, 2, OWN).run(2, 3, OWN);
        assert_eq!(crashing.ends(), [Ended::Status(45), Ended::Status(45)]);
        crashing.is_well();
        let victim = life(Role::Victim).run(1, 10, None).kill(101, 10).run(11, 20, None).kill(102, 21);
        assert_eq!(victim.ends()[1], Ended::Signal("SIGKILL".into()));
        victim.is_well();
        life(Role::Stubborn).run(1, 10, None).wish(Want::Stop, 9, 11).is_well();
    }

    #[test]
    fn the_exit_status_of_what_was_stopped_is_certain_until_it_is_started_again() {
        let stopped = life(Role::Asked).run(1, 10, ASKED).wish(Want::Stop, 9, 11).wish(Want::Stop, 12, 13);
        assert_eq!(stopped.exitstatuses(&stopped.wishes[0]), [3]);
        assert_eq!(stopped.exitstatuses(&stopped.wishes[1]), [3]);
        let started = stopped.wish(Want::Start, 14, 15).wish(Want::Stop, 16, 17);
        assert_eq!(started.exitstatuses(&started.wishes[1]), [3]);
        assert_eq!(started.exitstatuses(&started.wishes[3]), [3, 0]);
        let crashed = life(Role::Crashing).run(5, 8, OWN).wish(Want::Stop, 1, 2).wish(Want::Stop, 10, 11);
        assert_eq!(crashed.exitstatuses(&crashed.wishes[0]), [0]);
        assert_eq!(crashed.exitstatuses(&crashed.wishes[1]), [45, 0]);
        // The brain was dead when it was asked; the next one saw the end first, and then the wish.
        let overtaken = life(Role::Early).run(1, 2, OWN).wish(Want::Stop, 1, 3);
        assert_eq!(overtaken.exitstatuses(&overtaken.wishes[0]), [45, 0]);
        let asked = life(Role::Early).run(1, 2, ASKED).wish(Want::Stop, 1, 3);
        assert_eq!(asked.exitstatuses(&asked.wishes[0]), [3]);
    }

    #[test]
    fn an_end_without_a_cause_is_seen() {
        life(Role::Steady).run(1, 50, ASKED).wish(Want::Stop, 60, 61).shows("nobody asked");
        life(Role::Steady).run(1, 50, None).wish(Want::Stop, 60, 61).shows("nobody knows why");
        life(Role::Victim).run(1, 10, None).kill(7, 10).shows("nobody knows why");
        life(Role::Asked).run(1, 50, ASKED).wish(Want::Signal, 10, 11).shows("nobody asked");
    }

    #[test]
    fn a_start_without_a_cause_is_seen() {
        life(Role::Steady)
            .run(1, 50, ASKED)
            .run(51, 60, ASKED)
            .wish(Want::Stop, 49, 61)
            .shows("began, and nobody asked");
        life(Role::Choosy).run(1, 2, Some(End::Own(5))).run(3, 4, OWN).shows("began, and nobody asked");
        life(Role::Choosy).run(1, 2, OWN).run(3, 4, OWN).is_well();
        life(Role::Crashing).run(1, 3, OWN).run(2, 4, OWN).shows("at once");
    }

    #[test]
    fn a_wish_that_was_not_carried_out_is_seen() {
        let stopped = life(Role::Crashing).run(1, 10, OWN).wish(Want::Stop, 11, 12);
        stopped.is_well();
        stopped.run(13, 14, OWN).shows("run 2 (pid 102) lives");
        life(Role::Asked).run(1, 15, ASKED).wish(Want::Stop, 9, 11).shows("lives");
        life(Role::Asked).wish(Want::Start, 9, 11).shows("nothing was started");
        let mut refused = life(Role::Asked).wish(Want::Stop, 9, 11);
        refused.wishes[0].fault = Some(10);
        refused.shows("fault 10");
        let mut forgotten = life(Role::Stubborn).wish(Want::Stop, 9, 11);
        forgotten.wishes[0].settled = false;
        forgotten.shows("does not come to pass");
    }

    #[test]
    fn a_stop_that_is_too_quick_or_too_slow_is_seen() {
        life(Role::Stubborn).run(1, 10, None).wish(Want::Stop, 10, 10).shows("too little patience");
        let unborn = life(Role::Stubborn).run(1, 10, None).wish(Want::Start, 20, 21);
        let faults = unborn.wish(Want::Stop, 21, 21).faults();
        assert!(!faults.iter().any(|fault| fault.contains("too little patience")), "{faults:?}");
        life(Role::Stubborn).run(1, 30, None).wish(Want::Stop, 9, 31).shows("too much patience");
    }
}
