//! What has happened to a process, as the verb `why` tells it.
//!
//! In: `provost.getProcessHistory` of our daemon, or what any other says of a process, and the end of its log. Out: an
//! [`Account`]; `telling.rs` puts it into lines, `remedies.rs` knows what to try, `hearing.rs` both of event listeners. Calls are made by the verb.

mod hearing;
mod remedies;
mod telling;

pub(crate) use hearing::Hearing;
pub(crate) use telling::lifetime;

use provost_wire::Value;
use serde_json::{Value as Json, json};

use crate::call::CallError;
use crate::results::{as_json, int, text};
use crate::{namespec, state};

/// Everything that is known of one process.
#[derive(Debug)]
pub(crate) struct Account {
    /// The shortest namespec.
    pub(crate) name: String,
    pub(crate) state: i64,
    pub(crate) statename: String,
    pid: i64,
    now: i64,
    /// Since when it is what it is; 0 where nobody knows.
    since: i64,
    /// How many seconds until it is looked after again; less than 0: not by itself.
    due: i64,
    spawnerr: String,
    /// Newest first.
    lives: Vec<Life>,
    starter: Option<Wish>,
    stopper: Option<Wish>,
    /// The last start that was refused, since there was an attempt: why, and whose wish it was.
    refused: Option<(String, Wish)>,
    pub(crate) stdout_logfile: String,
    pub(crate) stderr_logfile: String,
    /// Only ours says more than how it is now.
    told: Option<Told>,
    pub(crate) log: Option<Log>,
    /// Of an event listener that runs.
    pub(crate) hearing: Option<Hearing>,
    /// All of it, for the document.
    value: Value,
}

/// How it is configured, and how often it was tried.
#[derive(Debug)]
struct Told {
    attempts: i64,
    restarts: i64,
    counted_since: i64,
    autostart: bool,
    autorestart: String,
    exitcodes: Vec<i64>,
    startsecs: i64,
    stopsignal: String,
    stopwaitsecs: i64,
    oneshot: bool,
    configured: bool,
}

#[derive(Debug)]
struct Life {
    pid: i64,
    stop: i64,
    milliseconds: Option<i64>,
    end: End,
    core_dumped: bool,
    expected: bool,
    too_quick: bool,
    failure: String,
    out_of_memory: String,
    stopper: Option<Wish>,
    killed: bool,
    sent: Option<(i64, Wish)>,
    then: String,
    attempts: i64,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    /// There was no child.
    Unborn,
    Exit(i64),
    /// Python's daemon does not say which.
    Signal(Option<(i64, String)>),
    Unknown,
}

#[derive(Debug)]
struct Wish {
    /// Nobody where everything stops.
    by: Option<By>,
    at: i64,
}

#[derive(Debug)]
struct By {
    user: String,
    from: String,
    door: String,
}

/// The end of a log.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) stream: &'static str,
    pub(crate) file: String,
    pub(crate) lines: Vec<String>,
    /// Why there are no lines.
    pub(crate) refusal: Option<String>,
}

impl Account {
    /// As `provost.getProcessHistory` tells it.
    pub(crate) fn of_history(value: Value) -> Result<Account, CallError> {
        let exitcodes = value.get("exitcodes").and_then(Value::as_array).unwrap_or_default();
        let told = Told {
            attempts: number(&value, "attempts"),
            restarts: number(&value, "restarts"),
            counted_since: number(&value, "counted_since"),
            autostart: holds(&value, "autostart"),
            autorestart: words(&value, "autorestart"),
            exitcodes: exitcodes.iter().filter_map(Value::as_int).collect(),
            startsecs: number(&value, "startsecs"),
            stopsignal: words(&value, "stopsignal"),
            stopwaitsecs: number(&value, "stopwaitsecs"),
            oneshot: holds(&value, "oneshot"),
            configured: holds(&value, "configured"),
        };
        let lives = value.get("lives").and_then(Value::as_array).unwrap_or_default();
        let lives = lives.iter().map(Life::of).collect();
        let (since, due) = (number(&value, "since"), number(&value, "due"));
        Account::new(value, since, due, lives, Some(told))
    }

    /// As `supervisor.getProcessInfo` tells it: an end at most, and not who wanted it.
    pub(crate) fn of_info(value: Value) -> Result<Account, CallError> {
        let (state, start, stop) = (int(&value, "state")?, number(&value, "start"), number(&value, "stop"));
        let since = if matches!(state, state::RUNNING | state::STARTING) { start } else { stop };
        let status = number(&value, "exitstatus");
        // It says 0 of whatever did not get as far as an exit.
        let has_ended = matches!(state, state::EXITED | state::STOPPED) && stop > 0;
        let life = Life {
            pid: 0,
            stop,
            milliseconds: (start > 0 && stop >= start)
                .then(|| stop.saturating_sub(start).saturating_mul(1000)),
            end: if status < 0 { End::Signal(None) } else { End::Exit(status) },
            core_dumped: false,
            expected: words(&value, "spawnerr").is_empty(),
            too_quick: false,
            failure: String::new(),
            out_of_memory: String::new(),
            stopper: None,
            killed: false,
            sent: None,
            then: String::new(),
            attempts: 0,
        };
        Account::new(value, since, -1, has_ended.then_some(life).into_iter().collect(), None)
    }

    fn new(
        value: Value,
        since: i64,
        due: i64,
        lives: Vec<Life>,
        told: Option<Told>,
    ) -> Result<Account, CallError> {
        Ok(Account {
            name: namespec::join(text(&value, "group")?, text(&value, "name")?),
            state: int(&value, "state")?,
            statename: text(&value, "statename")?.to_owned(),
            pid: number(&value, "pid"),
            now: number(&value, "now"),
            since,
            due,
            spawnerr: words(&value, "spawnerr"),
            lives,
            starter: value.get("started_by").and_then(Wish::of),
            stopper: value.get("stopped_by").and_then(Wish::of),
            refused: value
                .get("refused")
                .and_then(|refused| Some((words(refused, "failure"), refused.get("by").and_then(Wish::of)?))),
            stdout_logfile: words(&value, "stdout_logfile"),
            stderr_logfile: words(&value, "stderr_logfile"),
            told,
            log: None,
            hearing: None,
            value,
        })
    }

    /// Whether the daemon may know more of it than its history.
    pub(crate) fn may_hear(&self) -> bool {
        self.told.is_some() && self.state == state::RUNNING
    }

    /// Whether what it writes to stderr lies in its other log.
    pub(crate) fn redirects_stderr(&self) -> bool {
        holds(&self.value, "redirect_stderr")
    }

    /// For `--json`: all that the daemon says, the log, and what to try.
    pub(crate) fn object(&self) -> Json {
        let mut object = as_elsewhere(as_json(&self.value));
        object["process"] = object["name"].take();
        object["name"] = json!(self.name);
        object["state_code"] = json!(self.state);
        object["state"] = json!(self.statename);
        object["summary"] = json!(self.summary());
        object["is_history"] = json!(self.told.is_some());
        object["log"] = self.log.as_ref().map_or(
            Json::Null,
            |log| json!({"stream": log.stream, "file": log.file, "lines": log.lines, "refusal": log.refusal}),
        );
        object["listener"] = self.hearing.as_ref().map_or(Json::Null, Hearing::object);
        object["try"] = json!(self.remedies());
        if let Some(members) = object.as_object_mut() {
            members.remove("statename");
        }
        object
    }
}

impl Life {
    fn of(value: &Value) -> Life {
        let signal = || Some((number(value, "signal"), words(value, "signalname")));
        Life {
            pid: number(value, "pid"),
            stop: number(value, "stop"),
            milliseconds: Some(number(value, "milliseconds")),
            end: match text(value, "end").unwrap_or_default() {
                "unborn" => End::Unborn,
                "exit" => End::Exit(number(value, "exitstatus")),
                "signal" => End::Signal(signal()),
                _ => End::Unknown,
            },
            core_dumped: holds(value, "core_dumped"),
            expected: holds(value, "expected"),
            too_quick: holds(value, "too_quick"),
            failure: words(value, "failure"),
            out_of_memory: words(value, "out_of_memory"),
            stopper: value.get("stopped_by").and_then(Wish::of),
            killed: holds(value, "killed"),
            sent: value
                .get("sent")
                .and_then(|sent| Some((number(sent, "signal"), sent.get("by").and_then(Wish::of)?))),
            then: words(value, "then"),
            attempts: number(value, "attempts"),
        }
    }

    fn signal(&self) -> Option<i64> {
        match &self.end {
            End::Signal(signal) => signal.as_ref().map(|(number, _)| *number),
            End::Unborn | End::Exit(_) | End::Unknown => None,
        }
    }
}

impl Wish {
    /// `None` for an empty struct: nobody wished anything.
    fn of(value: &Value) -> Option<Wish> {
        let by = match text(value, "who").ok()? {
            "client" => Some(By {
                user: words(value, "user"),
                from: words(value, "from"),
                door: words(value, "door"),
            }),
            _ => None,
        };
        Some(Wish { by, at: number(value, "at") })
    }
}

fn number(value: &Value, member: &str) -> i64 {
    int(value, member).unwrap_or(0)
}

fn words(value: &Value, member: &str) -> String {
    text(value, member).unwrap_or_default().to_owned()
}

fn holds(value: &Value, member: &str) -> bool {
    value.get(member).and_then(Value::as_bool).unwrap_or(false)
}

/// Members by the names that `status --json` has for them.
fn as_elsewhere(value: Json) -> Json {
    match value {
        Json::Object(members) => {
            members.into_iter().map(|(name, value)| (known_as(name), as_elsewhere(value))).collect()
        }
        Json::Array(items) => items.into_iter().map(as_elsewhere).collect(),
        plain => plain,
    }
}

fn known_as(name: String) -> String {
    let known = match name.as_str() {
        "start" => "started",
        "stop" => "stopped",
        "exitstatus" => "exit_status",
        "spawnerr" => "spawn_error",
        "signalname" => "signal_name",
        _ => return name,
    };
    known.to_owned()
}
