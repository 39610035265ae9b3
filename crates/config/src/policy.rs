//! When a program comes back, how long it waits before, and when the daemon goes down with it.
//!
//! In: the options of a program that Supervisor does not have, and `startretries`, which knows one value more.
//! Out: typed policies, all of them off unless written, and advice where something written does nothing. What the
//! policies do is decided in `core`; nothing here counts or waits.

use std::time::Duration;

use crate::AutoRestart;
use crate::expand::Scope;
use crate::options::ValueKind;
use crate::python::{integer, number, repr, strip};
use crate::section::Section;

/// How many more times a failed start is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retries {
    /// So many times; below zero behaves as zero, as it always has.
    Limit(i64),
    /// Until it runs, or somebody stops it.
    Infinite,
}

impl Retries {
    /// The number that clients and documents show: -1 for no limit.
    pub fn number(self) -> i64 {
        match self {
            Retries::Limit(n) => n,
            Retries::Infinite => -1,
        }
    }

    /// Whether there is another attempt after so many failed ones in a row.
    pub fn allow(self, failures: u32) -> bool {
        match self {
            Retries::Limit(n) => i64::from(failures) <= n,
            Retries::Infinite => true,
        }
    }
}

/// How long a program waits after a failed start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backoff {
    pub curve: Curve,
    /// No wait is longer; a day, unless written (see [`Backoff::longest`]).
    pub most: Option<Duration>,
    pub jitter: Jitter,
}

impl Backoff {
    /// Where waits end that nobody has limited. Supervisor's own curve would need a century to get there.
    const DAY: Duration = Duration::from_secs(86_400);

    pub fn longest(&self) -> Duration {
        self.most.unwrap_or(Backoff::DAY)
    }

    /// The wait after so many failures in a row, before chance has its say.
    pub fn wait(&self, failures: u32) -> Duration {
        self.curve.wait(failures).min(self.longest())
    }
}

/// How the waits grow, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Curve {
    /// 1, 2, 3, 4 …
    #[default]
    Linear,
    /// 1, 2, 4, 8 …
    Exponential,
    /// 1, 1, 1, 1 …
    Constant,
}

impl Curve {
    pub fn name(self) -> &'static str {
        match self {
            Curve::Linear => "linear",
            Curve::Exponential => "exponential",
            Curve::Constant => "constant",
        }
    }

    fn wait(self, failures: u32) -> Duration {
        Duration::from_secs(match (self, failures) {
            (_, 0) => 0,
            (Curve::Linear, n) => n.into(),
            (Curve::Exponential, n) => 1u64.checked_shl(n - 1).unwrap_or(u64::MAX),
            (Curve::Constant, _) => 1,
        })
    }
}

/// How much chance changes a wait: by a factor between 1 - j and 1 + j.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Jitter {
    /// j, in thousandths: 0 to 1000.
    pub thousandths: u16,
}

/// A program that comes back more often than this stays down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartLimit {
    pub restarts: u16,
    pub within: Duration,
}

impl StartLimit {
    /// One remembers the time of each, for every process.
    const MOST: u16 = 1000;
}

/// What an end soon after the start means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramType {
    /// It is meant to stay: an end before `startsecs` is a failed start.
    Simple,
    /// It is meant to do something and end: an expected exit code is success at any time.
    Oneshot,
}

/// Whose end ends the daemon, beside that of an essential program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitOn {
    None,
    /// Any program that is FATAL.
    Fatal,
    /// Any program that has ended for good by itself.
    Exited,
    /// All programs, when the last of them is down.
    AllExited,
}

impl ExitOn {
    pub fn name(self) -> &'static str {
        match self {
            ExitOn::None => "none",
            ExitOn::Fatal => "fatal",
            ExitOn::Exited => "exited",
            ExitOn::AllExited => "all_exited",
        }
    }
}

/// The policies of one program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policies {
    pub(crate) startretries: Retries,
    pub(crate) restartpause: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) startlimit: Option<StartLimit>,
    pub(crate) essential: bool,
    pub(crate) program_type: ProgramType,
}

impl Policies {
    /// Everything but `startretries`, which is read where Supervisor reads it.
    pub(crate) fn read(section: &Section<'_>, scope: &Scope<'_>, startretries: Retries) -> Policies {
        Policies {
            startretries,
            restartpause: section.defaulted("restartpause", ValueKind::Seconds, scope, seconds),
            backoff: Backoff {
                curve: section.defaulted("backoff", ValueKind::Backoff, scope, curve),
                most: section.parsed("maxbackoff", ValueKind::Seconds, scope, cap),
                jitter: section.defaulted("backoffjitter", ValueKind::Fraction, scope, jitter),
            },
            startlimit: section.parsed("startlimit", ValueKind::StartLimit, scope, start_limit),
            essential: section.boolean("essential", scope),
            program_type: section.defaulted("type", ValueKind::ProgramType, scope, program_type),
        }
    }

    /// Says what was written and does nothing, or more than one would think.
    pub(crate) fn advise(&self, section: &Section<'_>, autorestart: AutoRestart, autostart: bool) {
        let advise = |key: &str, text: &str| {
            if section.written(key).is_some() {
                section.advise(key, text.to_owned());
            }
        };
        match (self.startretries, section.written("startretries").map(|value| strip(&value.text))) {
            (Retries::Infinite, Some("-1")) => advise(
                "startretries",
                "retries for ever, where Supervisor 4.3.0 would not retry: write infinite, or 0 for no retry",
            ),
            (Retries::Limit(..0), _) => {
                advise("startretries", "behaves as 0: write 0, or infinite to retry for ever");
            }
            _ => {}
        }
        if !self.startretries.allow(1) {
            for key in ["backoff", "maxbackoff", "backoffjitter"] {
                advise(key, "has no effect, because startretries allows no second attempt");
            }
        } else if self.cap_is_out_of_reach() {
            advise("maxbackoff", "has no effect, because no wait gets that long");
        } else if self.grows_for_ever() {
            advise("backoff", "soon waits for hours, because startretries is infinite: set maxbackoff");
        }
        if autorestart == AutoRestart::Never {
            for key in ["restartpause", "startlimit"] {
                advise(key, "has no effect with autorestart=false");
            }
        }
        if self.program_type == ProgramType::Oneshot && autorestart == AutoRestart::Always {
            advise("type", "repeats for ever, because of autorestart=true: use unexpected, or false");
        }
        if self.essential && !autostart {
            advise("essential", "has no effect until somebody starts the program (autostart=false)");
        }
        if self.essential && self.never_ends(autorestart) {
            advise(
                "essential",
                "has no effect: with autorestart=true, infinite retries and no startlimit it never ends for good",
            );
        }
    }

    fn cap_is_out_of_reach(&self) -> bool {
        let waits = match self.startretries {
            Retries::Limit(n) => u32::try_from(n).unwrap_or(u32::MAX),
            Retries::Infinite => u32::MAX,
        };
        let stretch = u128::from(1000 + self.backoff.jitter.thousandths);
        let longest = self.backoff.curve.wait(waits).as_millis() * stretch / 1000;
        self.backoff.most.is_some_and(|most| most.as_millis() >= longest)
    }

    fn grows_for_ever(&self) -> bool {
        self.startretries == Retries::Infinite
            && self.backoff.curve == Curve::Exponential
            && self.backoff.most.is_none()
    }

    fn never_ends(&self, autorestart: AutoRestart) -> bool {
        self.startretries == Retries::Infinite
            && autorestart == AutoRestart::Always
            && self.startlimit.is_none()
    }
}

/// A number of retries; -1 and `infinite` are no limit. Whatever is no number is refused in Supervisor's words.
pub(crate) fn retries(text: &str) -> Result<Retries, String> {
    if strip(text).eq_ignore_ascii_case("infinite") {
        return Ok(Retries::Infinite);
    }
    Ok(match integer(text)? {
        -1 => Retries::Infinite,
        n => Retries::Limit(n),
    })
}

/// Seconds with up to three decimals, not negative.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    decimal(text)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("not a number of seconds such as 5 or 0.25: {}", repr(text)))
}

fn cap(text: &str) -> Result<Duration, String> {
    match seconds(text)? {
        Duration::ZERO => Err("0 is no limit: leave maxbackoff out for waits without one".to_owned()),
        most => Ok(most),
    }
}

fn curve(text: &str) -> Result<Curve, String> {
    let lower = text.to_lowercase();
    let known = [Curve::Linear, Curve::Exponential, Curve::Constant];
    known
        .into_iter()
        .find(|curve| curve.name() == lower)
        .ok_or_else(|| format!("not linear, exponential or constant: {}", repr(text)))
}

fn jitter(text: &str) -> Result<Jitter, String> {
    decimal(text)
        .and_then(|thousandths| u16::try_from(thousandths).ok())
        .filter(|thousandths| *thousandths <= 1000)
        .map(|thousandths| Jitter { thousandths })
        .ok_or_else(|| format!("not a number from 0 to 1 such as 0.2: {}", repr(text)))
}

fn start_limit(text: &str) -> Result<StartLimit, String> {
    let read = || {
        let (restarts, within) = text.split_once('/')?;
        let restarts = u16::try_from(number(restarts, 10)?).ok()?;
        let within = Duration::from_millis(decimal(within)?);
        let fits = (1..=StartLimit::MOST).contains(&restarts) && !within.is_zero();
        fits.then_some(StartLimit { restarts, within })
    };
    read().ok_or_else(|| {
        format!("not RESTARTS/SECONDS such as 5/60, with 1 to {} restarts: {}", StartLimit::MOST, repr(text))
    })
}

fn program_type(text: &str) -> Result<ProgramType, String> {
    match text.to_lowercase().as_str() {
        "simple" => Ok(ProgramType::Simple),
        "oneshot" => Ok(ProgramType::Oneshot),
        _ => Err(format!("not simple or oneshot: {}", repr(text))),
    }
}

pub(crate) fn exit_on(text: &str) -> Result<ExitOn, String> {
    let lower = text.to_lowercase();
    let known = [ExitOn::None, ExitOn::Fatal, ExitOn::Exited, ExitOn::AllExited];
    known
        .into_iter()
        .find(|exit_on| exit_on.name() == lower)
        .ok_or_else(|| format!("not none, fatal, exited or all_exited: {}", repr(text)))
}

/// A number with up to three decimals, in thousandths; at most ten digits before the point, so that no sum overflows.
fn decimal(text: &str) -> Option<u64> {
    let text = strip(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole, 10) || !digits(fraction, 3) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let fraction: u64 = format!("{fraction:0<3}").parse().ok()?;
    Some(whole * 1000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words() {
        assert_eq!(retries("-1"), Ok(Retries::Infinite));
        assert_eq!(retries(" Infinite "), Ok(Retries::Infinite));
        assert_eq!(retries("-2"), Ok(Retries::Limit(-2)));
        assert_eq!(retries("3"), Ok(Retries::Limit(3)));
        assert_eq!(retries("ever").unwrap_err(), "invalid literal for int() with base 10: 'ever'");
        assert_eq!(curve("Exponential"), Ok(Curve::Exponential));
        assert_eq!(exit_on("ALL_EXITED"), Ok(ExitOn::AllExited));
        assert_eq!(program_type("forking").unwrap_err(), "not simple or oneshot: 'forking'");
    }

    #[test]
    fn decimals_have_up_to_three_places_and_nothing_else() {
        for (text, millis) in [
            ("0", Some(0)),
            (" 5 ", Some(5000)),
            ("0.25", Some(250)),
            ("1.005", Some(1005)),
            ("9999999999", Some(9_999_999_999_000)),
            ("99999999999", None),
            ("0.0001", None),
            (".5", None),
            ("5.", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("1_0", None),
            ("5s", None),
            ("", None),
            ("nan", None),
        ] {
            assert_eq!(decimal(text), millis, "{text:?}");
        }
        assert_eq!(jitter("1.000"), Ok(Jitter { thousandths: 1000 }));
        assert!(jitter("1.001").is_err());
        assert!(cap("0").is_err());
    }

    #[test]
    fn limits_of_restarts() {
        let limit = |restarts, seconds| Ok(StartLimit { restarts, within: Duration::from_secs(seconds) });
        assert_eq!(start_limit("5/60"), limit(5, 60));
        assert_eq!(start_limit(" 1 / 10 "), limit(1, 10));
        for wrong in ["5", "0/60", "-1/60", "5/0", "1001/60", "5/60/1", "5/1m", "/", ""] {
            assert!(start_limit(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn waits_grow_as_told_and_never_overflow() {
        let waits = |curve, most: Option<u64>| {
            let backoff = Backoff { curve, most: most.map(Duration::from_secs), ..Backoff::default() };
            [1, 2, 3, 4, 64, 65, u32::MAX].map(|failures| backoff.wait(failures).as_secs())
        };
        assert_eq!(waits(Curve::Linear, None), [1, 2, 3, 4, 64, 65, 86_400]);
        assert_eq!(waits(Curve::Exponential, None), [1, 2, 4, 8, 86_400, 86_400, 86_400]);
        assert_eq!(waits(Curve::Constant, None), [1; 7]);
        assert_eq!(waits(Curve::Exponential, Some(5)), [1, 2, 4, 5, 5, 5, 5]);
    }
}
