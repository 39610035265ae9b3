//! What follows from what a listener says: for its state, for the event that it has, and in the main log.
//!
//! In: what the ear has understood, in order (`provost_wire::listener`). Out: words to the bus, and how often a listener has broken the
//! protocol. What it is told, and when it is listened to again, is the affair of `thread.rs`.

use std::time::Duration;

use provost_config::{LogLevel, ResultHandler};
use provost_core::{ChildId, Mono};
use provost_wire::events::decoded;
use provost_wire::listener::{Heard, Listening};

use super::bus::{Bus, state_name};
use super::judge::{Judge, Verdict};
use crate::clock;

/// Whoever breaks the protocol again and again is not told of more often than that.
const SELDOM: Duration = Duration::from_secs(1);
/// Whoever does it more often in that time is not heard for the rest of it: it may babble for ever, and come back each time.
const OFTEN: u32 = 8;

/// How often it breaks the protocol.
#[derive(Debug, Default)]
pub(super) struct Offences {
    /// When that was last told of.
    told_of: Option<Mono>,
    /// How often since.
    since: u32,
    /// It is not heard for a while.
    rests: bool,
}

impl Offences {
    /// Whether it has committed too many, and is not to be heard until this time.
    pub(super) fn rest(&mut self) -> Option<Mono> {
        let told_of = self.told_of.filter(|_| self.since > OFTEN)?;
        (self.rests, self.since) = (true, 0);
        Some(told_of + SELDOM)
    }

    pub(super) fn rests(&self) -> bool {
        self.rests
    }

    /// Whether it rested until now.
    pub(super) fn end_rest(&mut self) -> bool {
        std::mem::take(&mut self.rests)
    }

    /// One more; whether it is to be told of.
    fn add(&mut self, now: Mono) -> bool {
        let is_new = self.told_of.is_none_or(|then| now.since(then) >= SELDOM);
        if is_new {
            (self.told_of, self.since) = (Some(now), 0);
        } else {
            self.since += 1;
        }
        is_new
    }
}

/// What is needed to draw consequences from what a listener says.
pub(super) struct Hearing<'a> {
    pub(super) child: ChildId,
    pub(super) pool: &'a str,
    pub(super) process: &'a str,
    pub(super) offences: &'a mut Offences,
    pub(super) told: bool,
    pub(super) bus: &'a Bus,
}

impl Hearing<'_> {
    /// Whether what it says makes sense.
    pub(super) fn consequence(
        &mut self,
        heard: Heard,
        state: &mut Listening,
        judge: &mut Judge,
        handler: &ResultHandler,
    ) -> bool {
        let name = self.process;
        match heard {
            Heard::Ready | Heard::Recovered => self.enters(state, Listening::Ready),
            Heard::Result(result) => return self.result(&result, state, judge, handler),
            Heard::BadLine(line) => {
                self.say(LogLevel::Warn, || format!("{name}: bad result line: '{}'", decoded(&line)));
                self.enters(state, Listening::Unknown);
                self.bus.returned(self.pool, self.child, true, self.told);
            }
            // What a result was found to be is told of already.
            Heard::Nonsense if *state == Listening::Unknown => {}
            Heard::Nonsense => self.enters(state, Listening::Unknown),
        }
        true
    }

    fn result(
        &mut self,
        result: &[u8],
        state: &mut Listening,
        judge: &mut Judge,
        handler: &ResultHandler,
    ) -> bool {
        let name = self.process;
        match judge.judge(handler, result) {
            Verdict::Accepted => {
                self.say(LogLevel::Debug, || format!("{name}: event was processed"));
                self.enters(state, Listening::Acknowledged);
                self.bus.accepted(self.pool, self.child, self.told);
                true
            }
            Verdict::Refused => {
                self.say(LogLevel::Warn, || format!("{name}: event was rejected"));
                self.enters(state, Listening::Acknowledged);
                self.bus.returned(self.pool, self.child, true, self.told);
                true
            }
            Verdict::Senseless => {
                self.say(LogLevel::Warn, || format!("{name}: event caused an error"));
                self.enters(state, Listening::Unknown);
                self.bus.returned(self.pool, self.child, true, self.told);
                false
            }
        }
    }

    fn enters(&mut self, state: &mut Listening, new: Listening) {
        let (name, old) = (self.process, std::mem::replace(state, new));
        let is_told = new == Listening::Unknown && self.offences.add(clock::now().mono);
        if self.offences.since <= OFTEN {
            self.say(LogLevel::Debug, || format!("{name}: {} -> {}", state_name(old), state_name(new)));
        }
        if is_told {
            self.say(LogLevel::Warn, || {
                format!(
                    "{name}: has entered the UNKNOWN state and will no longer receive events, this usually \
                     indicates the process violated the eventlistener protocol"
                )
            });
        }
    }

    fn say(&self, level: LogLevel, text: impl FnOnce() -> String) {
        if self.bus.says(level) {
            self.bus.tell(level, text());
        }
    }
}
