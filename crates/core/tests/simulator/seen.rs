//! What the worlds have met: a simulator that meets nothing proves nothing.

use std::collections::BTreeMap;

use provost_core::State;

#[derive(Debug, Default)]
pub(crate) struct Seen {
    counts: BTreeMap<&'static str, u64>,
}

impl Seen {
    pub(crate) fn saw(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Seen) {
        for (what, count) in &other.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }

    /// Every state and every kind of trouble must have come up often.
    pub(crate) fn must_be_rich(&self) {
        let wanted = State::ALL.map(State::name).into_iter().chain([
            "a brain died",
            "a brain died in the middle of a step",
            "a brain died before it was up",
            "a brain died while everything stopped",
            "an end told again",
            "an heir whose turn had been announced",
            "a stop signal that may not have gone out",
            "an order to stop after the child's end",
            "a stop before the child was there",
            "news of an exit before the child was known to be there",
            "a child that SIGKILL does not end",
            "SIGKILL again",
            "a stop while another child does not die",
            "a full table of descriptors",
            "a stall of minutes",
            "the wall clock jumped by years",
            "a crowd of commands",
            "a spawn failed",
            "logs could not be cleared, rotated or opened",
            "words for a child",
            "words that no child took",
            "a refused signal",
            "a refused restart",
            "a group came",
            "a group went",
            "a group was renewed",
            "a group was exchanged",
            "a wish that died with a brain",
            "a brain died over an exchange",
            "a pool came",
            "a pool went",
            "a pool is another than it was",
            "a listener may hear",
            "a listener may hear no longer",
            "a listener of another brain's may hear",
            "a brain died before it had said that it runs",
            "an update that waits for a stop",
            "a process goes on with other options",
            "a process comes back with another command",
            "a process left its group in an update",
            "a process came into its group in an update",
            "a brain died over an update",
            "an update was answered",
            "a keeper that was quicker than an update",
            "a program came",
            "a process went",
            "a relaunch withdrawn",
            "a relaunch",
            "a stop of a child that had been replaced",
            "a shutdown overrode a restart",
            "a wave after a wave",
            "a wait by another curve",
            "more than three retries",
            "a pause",
            "restarted too often",
            "a job done at once",
            "an end for an essential program",
            "an end by exit_on",
            "the end: exit",
            "the end: renew",
        ]);
        for what in wanted {
            let count = self.counts.get(what).copied().unwrap_or(0);
            // Each process begins STOPPED without an event, so all states are counted alike.
            assert!(count >= 20, "the worlds are too friendly: {what:?} came up {count} times\n{self}");
        }
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.counts.iter().try_for_each(|(what, count)| writeln!(f, "{count:>10}  {what}"))
    }
}
