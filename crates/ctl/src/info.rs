//! What a daemon says of one process, taken out of its XML-RPC struct: ours says more than Python's.

use provost_wire::Value;
use serde_json::json;

use crate::call::CallError;
use crate::results::{int, text};
use crate::{namespec, state};

/// An entry of `getAllProcessInfo`, as far as verbs look.
#[derive(Debug)]
pub(crate) struct Info<'a> {
    /// The shortest namespec.
    pub(crate) name: String,
    pub(crate) group: &'a str,
    pub(crate) process: &'a str,
    /// The code; what it is called may be anything to a script, and is one of eight words.
    pub(crate) state: i64,
    pub(crate) statename: &'a str,
    pub(crate) description: &'a str,
    value: &'a Value,
}

impl<'a> Info<'a> {
    pub(crate) fn of(value: &'a Value) -> Result<Info<'a>, CallError> {
        let (group, process) = (text(value, "group")?, text(value, "name")?);
        Ok(Info {
            name: namespec::join(group, process),
            group,
            process,
            state: int(value, "state")?,
            statename: text(value, "statename")?,
            description: text(value, "description")?,
            value,
        })
    }

    /// Whether it should run and does not, or cannot be told to. Who has EXITED unexpectedly has a reason.
    pub(crate) fn has_failed(&self) -> bool {
        match self.state {
            state::FATAL | state::BACKOFF | state::UNKNOWN => true,
            state::EXITED => !self.text("spawnerr").is_empty(),
            _ => false,
        }
    }

    /// 0 is none.
    pub(crate) fn number(&self, member: &str) -> i64 {
        int(self.value, member).unwrap_or(0)
    }

    /// Empty where the daemon says nothing.
    pub(crate) fn text(&self, member: &str) -> &'a str {
        text(self.value, member).unwrap_or_default()
    }

    /// For `--json`. What is unknown, or not so, is null.
    pub(crate) fn object(&self) -> serde_json::Value {
        let number = |member| Some(self.number(member)).filter(|number| *number != 0);
        let text = |member| Some(self.text(member)).filter(|text| !text.is_empty());
        let (pid, start, stop) = (number("pid"), number("start"), number("stop"));
        // A pid is there only while the process is.
        let uptime = pid.and(start).map(|start| self.number("now").saturating_sub(start).max(0));
        json!({
            "name": self.name,
            "group": self.group,
            "process": self.process,
            "state": self.statename,
            "state_code": self.state,
            "description": self.description,
            "pid": pid,
            "started": start,
            "stopped": stop,
            "uptime": uptime,
            "exit_status": self.number("exitstatus"),
            "spawn_error": text("spawnerr"),
            "stdout_logfile": text("stdout_logfile"),
            "stderr_logfile": text("stderr_logfile"),
        })
    }
}
