//! What a button or an old link does, and what is said of it afterwards, in Supervisor's words where it has any (SPEC 9).

use jiff::Timestamp;
use jiff::tz::TimeZone;
use provost_core::{Command, Fault as CoreFault, LogDeed, Reply, StatusEntry, Target};

use super::refused;
use super::words::{ctime, namespec};
use crate::gate::Refused;
use crate::rpc::fault_text;
use crate::session::Session;

/// A wish that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Refresh,
    All(Verb),
    One(Verb, String),
    /// `GROUP:*`
    Group(Verb, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Start,
    Stop,
    Restart,
    ClearLog,
}

impl Verb {
    fn of(self, target: Target) -> Command {
        match self {
            Verb::Start => Command::Start { target, wait: true },
            Verb::Stop => Command::Stop { target, wait: true },
            Verb::Restart => Command::Restart { target, wait: true },
            Verb::ClearLog => Command::Logs { target, deed: LogDeed::Clear },
        }
    }

    fn done(self) -> &'static str {
        match self {
            Verb::Start => "started",
            Verb::Stop => "stopped",
            Verb::Restart => "restarted",
            Verb::ClearLog => "cleared",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) text: String,
    pub(super) denied: bool,
}

impl Action {
    /// From the fields `action` and `processname`; nothing where they mean nothing.
    pub(super) fn read(action: &str, process: Option<&str>) -> Option<Action> {
        let verb = match action {
            "refresh" => return Some(Action::Refresh),
            "startall" => return Some(Action::All(Verb::Start)),
            "stopall" => return Some(Action::All(Verb::Stop)),
            "restartall" => return Some(Action::All(Verb::Restart)),
            "start" => Verb::Start,
            "stop" => Verb::Stop,
            "restart" => Verb::Restart,
            "clearlog" => Verb::ClearLog,
            _ => return None,
        };
        let process = process?;
        Some(match process.strip_suffix(":*").or_else(|| process.strip_suffix(':')) {
            Some(group) => Action::Group(verb, group.to_owned()),
            None => Action::One(verb, process.to_owned()),
        })
    }

    /// As a question to a person.
    pub(super) fn question(&self) -> String {
        let verb = |verb: Verb| match verb {
            Verb::Start => "Start",
            Verb::Stop => "Stop",
            Verb::Restart => "Restart",
            Verb::ClearLog => "Clear the log of",
        };
        match self {
            Action::Refresh => "Refresh the page?".to_owned(),
            Action::All(one) => format!("{} all programs?", verb(*one)),
            Action::One(one, name) => format!("{} {name}?", verb(*one)),
            Action::Group(one, name) => format!("{} all of {name}?", verb(*one)),
        }
    }

    pub(super) async fn perform(&self, session: &Session<'_>) -> Outcome {
        match self {
            Action::Refresh => said(format!("Page refreshed at {}", now())),
            Action::All(verb) => match session.ask(verb.of(Target::all())).await {
                Ok(reply) => {
                    let but = failures(&reply).map_or_else(String::new, |names| format!(", but not {names}"));
                    said(format!("All {} at {}{but}", verb.done(), now()))
                }
                Err(refused) => refusal(refused),
            },
            Action::Group(verb, name) => match session.ask(verb.of(Target::group(name.clone()))).await {
                Ok(reply) => {
                    let but = failures(&reply).map_or_else(String::new, |names| format!(", but not {names}"));
                    let what = if *verb == Verb::ClearLog { "Logs of group" } else { "Group" };
                    said(format!("{what} {name} {}{but}", verb.done()))
                }
                Err(Refused::Fault(CoreFault::BadName { .. })) => said(format!("No such group named {name}")),
                Err(refused) => refusal(refused),
            },
            Action::One(verb, name) => one(session, *verb, name).await,
        }
    }
}

async fn one(session: &Session<'_>, verb: Verb, name: &str) -> Outcome {
    match session.ask(Command::ProcessInfo { name: name.to_owned() }).await {
        Ok(_) => {}
        Err(Refused::Fault(CoreFault::BadName { .. })) => {
            return said(format!("No such process named {name}"));
        }
        Err(refused) => return refusal(refused),
    }
    let refused = match session.ask(verb.of(Target::named(name))).await {
        Ok(_) if verb == Verb::ClearLog => return said(format!("Log for {name} cleared")),
        Ok(_) => return said(format!("Process {name} {}", verb.done())),
        Err(refused) => refused,
    };
    match verb {
        Verb::Stop | Verb::ClearLog => refusal(refused),
        Verb::Start | Verb::Restart => {
            let known = match &refused {
                Refused::Fault(fault) => short(fault),
                Refused::NotAllowed { .. } => None,
            };
            let Outcome { text, denied } = refusal(refused);
            Outcome { text: format!("ERROR: Process {name}: {}", known.unwrap_or(&text)), denied }
        }
    }
}

/// What Supervisor's page says of a start that has failed.
fn short(fault: &CoreFault) -> Option<&'static str> {
    Some(match fault {
        CoreFault::NoFile { .. } => "no such file",
        CoreFault::NotExecutable { .. } => "file not executable",
        CoreFault::AlreadyStarted { .. } => "already started",
        CoreFault::SpawnError { .. } => "spawn error",
        CoreFault::AbnormalTermination { .. } => "abnormal termination",
        _ => return None,
    })
}

/// Of several, those where it did not work. That something is so already is what was wanted.
fn failures(reply: &Reply) -> Option<String> {
    let Reply::Statuses(entries) = reply else { return None };
    let failed = |entry: &StatusEntry| match &entry.result {
        Ok(()) | Err(CoreFault::AlreadyStarted { .. } | CoreFault::NotRunning { .. }) => None,
        Err(refused) => {
            let why = short(refused).map_or_else(|| fault_text(refused.clone()), str::to_owned);
            Some(format!("{} ({why})", namespec(&entry.group, &entry.name)))
        }
    };
    let names: Vec<String> = entries.iter().filter_map(failed).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn said(text: String) -> Outcome {
    Outcome { text, denied: false }
}

fn refusal(why: Refused) -> Outcome {
    Outcome { denied: matches!(why, Refused::NotAllowed { .. }), text: refused(why) }
}

fn now() -> String {
    ctime(Timestamp::now(), &TimeZone::system())
}
