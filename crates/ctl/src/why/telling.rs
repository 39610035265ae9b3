//! An account in lines for people.
//!
//! What programs and other people wrote is shown so that no terminal takes it for an order, and no line for two.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Account, By, End, Hearing, Life, Told, Wish};
use crate::state;
use crate::terminal::plain;

/// Letters of a line of a log.
const WIDEST: usize = 300;

/// All lines about one process.
pub(super) fn lines(account: &Account) -> Vec<String> {
    let mut lines = vec![tame(&account.summary())];
    let mut add = |line: String| lines.push(format!("  {}", tame(&line)));
    if let Some((why, wish)) = &account.refused {
        add(format!("a start was refused to {}, {}: {why}", who(wish), account.when(wish.at)));
    }
    if let Some(told) = &account.told {
        tell_counts(account, told, &mut add);
    }
    if let Some(hearing) = &account.hearing {
        add(hearing.line());
    }
    if !account.lives.is_empty() {
        add(if account.told.is_some() { "last ends, newest first:" } else { "last end:" }.to_owned());
        account.lives.iter().for_each(|life| add(format!("  {}", account.end_of(life))));
    }
    if let Some(log) = &account.log {
        let of = if log.file.is_empty() {
            log.stream.to_owned()
        } else {
            format!("{} ({})", log.stream, log.file)
        };
        match &log.refusal {
            Some(refusal) => add(format!("its {of}: {refusal}")),
            // Of what never ran nothing else is to be expected.
            None if log.lines.is_empty() && account.lives.is_empty() => {}
            None if log.lines.is_empty() => add(format!("its {of} is empty")),
            None => {
                add(format!("the end of its {of}:"));
                log.lines.iter().for_each(|line| add(format!("  | {line}")));
            }
        }
    }
    let remedies = account.remedies();
    if !remedies.is_empty() {
        add("try:".to_owned());
        remedies.iter().for_each(|remedy| add(format!("  - {remedy}")));
    }
    lines
}

fn tell_counts(account: &Account, told: &Told, add: &mut impl FnMut(String)) {
    match &account.starter {
        Some(wish) => add(format!("last started by {}, {}", who(wish), account.when(wish.at))),
        None if told.attempts > 0 && told.autostart => {
            add("last started by itself (autostart=true)".to_owned())
        }
        None => {}
    }
    if told.attempts > 1 {
        let (tried, again) = (times(told.attempts), times(told.restarts));
        let since = account.when(told.counted_since);
        add(format!("tried {tried} since {since}; restarted by itself after an end {again}"));
    }
}

impl Account {
    pub(crate) fn lines(&self) -> Vec<String> {
        lines(self)
    }

    /// What it is now and since when, and why, in one line.
    pub(super) fn summary(&self) -> String {
        let Account { name, statename, .. } = self;
        let since = match self.since {
            0 => String::new(),
            at => format!(" since {}", self.when(at)),
        };
        let why = self.reason();
        let why = if why.is_empty() { why } else { format!(": {why}") };
        format!("{name}: {statename}{since}{why}")
    }

    fn reason(&self) -> String {
        let last = self.lives.first();
        match self.state {
            state::RUNNING | state::STARTING => {
                let trouble = self.hearing.as_ref().map_or("", Hearing::trouble);
                format!("pid {}{trouble}", self.pid)
            }
            state::STOPPING | state::STOPPED => match (&self.stopper, last) {
                (Some(wish), _) => format!("stopped by {}", who(wish)),
                (None, None) if self.told.as_ref().is_some_and(|told| !told.autostart) => {
                    "it was never started, and does not start by itself (autostart=false)".to_owned()
                }
                (None, None) if self.since == 0 => "it was never started".to_owned(),
                (None, _) => String::new(),
            },
            state::EXITED => match (last, &self.stopper) {
                (_, Some(wish)) => format!("it was to stay down, by wish of {}", who(wish)),
                (Some(life), None) => self.what_ended(life),
                (None, None) => String::new(),
            },
            state::BACKOFF | state::FATAL => {
                let given_up = match last.filter(|life| life.then == "given up") {
                    Some(life) => format!("; gave up after {}", attempts(life.attempts)),
                    None => String::new(),
                };
                // The text that everybody knows says less than what is known here.
                let why = match last.filter(|life| life.too_quick || !life.failure.is_empty()) {
                    Some(life) => format!("{}{}", self.what_ended(life), self.whose_wish(life)),
                    None => self.spawnerr.clone(),
                };
                let wait = if self.due >= 0 && self.state == state::BACKOFF {
                    format!("; the next attempt is in {}", span(self.due))
                } else {
                    String::new()
                };
                format!("{why}{given_up}{wait}")
            }
            state::UNKNOWN => "the kernel refused a signal to it".to_owned(),
            _ => String::new(),
        }
    }

    /// A line for one end.
    fn end_of(&self, life: &Life) -> String {
        let when = self.when(life.stop);
        let pid = if life.pid > 0 { format!("pid {}, ", life.pid) } else { String::new() };
        let then = match life.then.as_str() {
            "" => String::new(),
            "restart" => "; restarted".to_owned(),
            "retry" => "; another attempt follows".to_owned(),
            "given up" => format!("; given up after {}", attempts(life.attempts)),
            other => format!("; {other}"),
        };
        format!("{when}  {pid}{}{}{then}", self.what_ended(life), self.whose_wish(life))
    }

    /// How it ended, without when.
    fn what_ended(&self, life: &Life) -> String {
        if !life.failure.is_empty() {
            return match &life.end {
                End::Unborn => format!("could not be started: {}", life.failure),
                End::Exit(_) | End::Signal(_) | End::Unknown => format!("never ran: {}", life.failure),
            };
        }
        let too_quick = || {
            let startsecs = self.told.as_ref().map_or(1, |told| told.startsecs);
            format!(", too quickly (startsecs={startsecs})")
        };
        let lived = match life.milliseconds {
            Some(milliseconds) => format!(" after {}", lifetime(milliseconds)),
            None => String::new(),
        };
        match &life.end {
            End::Unborn => "could not be started".to_owned(),
            End::Exit(status) => {
                let verdict = match (life.expected, &life.stopper) {
                    (_, Some(_)) => "",
                    (true, None) => ", as expected",
                    (false, None) => ", not expected",
                };
                format!(
                    "exit status {status}{lived}{}",
                    if life.too_quick { too_quick() } else { verdict.to_owned() }
                )
            }
            End::Signal(None) => format!("ended by a signal{lived}"),
            End::Signal(Some((_, name))) => {
                let dumped = if life.core_dumped { ", core dumped" } else { "" };
                let memory = match life.out_of_memory.as_str() {
                    "" => "",
                    "perhaps" => {
                        ", perhaps by the kernel for want of memory (it has killed something on this machine)"
                    }
                    _ => ", by the kernel for want of memory (it has killed something in this control group)",
                };
                let quick = if life.too_quick { too_quick() } else { String::new() };
                format!("ended by {name}{lived}{dumped}{memory}{quick}")
            }
            End::Unknown => format!("ended{lived}, and nobody saw how"),
        }
    }

    /// Who wanted that end.
    fn whose_wish(&self, life: &Life) -> String {
        match (&life.stopper, &life.sent, life.signal()) {
            (stopper, _, _) if life.killed => {
                let told = self.told.as_ref();
                let asked = told.map_or("the stop signal".to_owned(), |told| {
                    format!("{} ignored for stopwaitsecs={}", told.stopsignal, told.stopwaitsecs)
                });
                let by = stopper.as_ref().map_or(String::new(), |wish| format!("; stopped by {}", who(wish)));
                format!(" (killed by the supervisor: {asked}{by})")
            }
            (Some(wish), _, _) => format!(" (stopped by {})", who(wish)),
            (None, Some((sent, wish)), Some(signal)) if *sent == signal => {
                format!(" (sent by {}, {})", who(wish), self.when(wish.at))
            }
            // What a program does to itself by a mistake is nobody's wish.
            (None, _, Some(1 | 2 | 9 | 10 | 12 | 15)) if life.out_of_memory.is_empty() => {
                " (not from the supervisor: another process of that machine, or itself)".to_owned()
            }
            (None, ..) => String::new(),
        }
    }

    /// A time, and how long ago that is.
    fn when(&self, at: i64) -> String {
        let shown = Timestamp::from_second(at)
            .map(|at| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string());
        let shown = shown.unwrap_or_else(|_| at.to_string());
        match self.now.saturating_sub(at) {
            ..0 => shown,
            0 => format!("{shown} (just now)"),
            ago => format!("{shown} ({} ago)", span(ago)),
        }
    }
}

/// Somebody, in words.
pub(super) fn who(wish: &Wish) -> String {
    match &wish.by {
        None => "the supervisor, which is ending".to_owned(),
        Some(By { user, from, door }) => {
            let user = if user.is_empty() { "somebody without a name" } else { user };
            format!("{user} from {from} ({door})")
        }
    }
}

fn times(n: i64) -> String {
    match n {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}

fn attempts(n: i64) -> String {
    if n == 1 { "one attempt".to_owned() } else { format!("{n} attempts in a row") }
}

/// The two largest units, as a person would say it.
fn span(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// How long something lasted, or has lasted.
pub(crate) fn lifetime(milliseconds: i64) -> String {
    match milliseconds {
        // Another daemon knows whole seconds only.
        0..10_000 if milliseconds % 1000 > 0 => {
            format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000)
        }
        _ => span(milliseconds / 1000),
    }
}

/// A line that stays one, is not endlessly long, and gives no terminal an order, in a pipe either: it may end on one.
fn tame(text: &str) -> String {
    let mut line: String = text.chars().take(WIDEST).collect();
    if line.len() < text.len() {
        line.push('…');
    }
    plain(&line.replace(['\n', '\t'], " ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_and_gives_no_orders() {
        assert_eq!(tame("a\n\u{1b}[2Jb\tc\u{202e}"), "a ^[[2Jb c<U+202E>");
        assert_eq!(tame(&"é".repeat(1000)).chars().count(), WIDEST + 1);
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = [0, 59, 60, 3599, 3600, 90_000, 200_000].map(span);
        assert_eq!(said, ["0 s", "59 s", "1 min", "59 min", "1 h 0 min", "1 d 1 h", "2 d 7 h"]);
        assert_eq!([12, 2000, 9_999, 61_000].map(lifetime), ["0.012 s", "2 s", "9.999 s", "1 min"]);
    }
}
