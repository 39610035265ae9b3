//! The last things that happened in a world and were wanted in it, for a person to read.
//!
//! Worlds are played without it: it is only when one breaks a rule that it is played again, with notes taken.

use std::collections::VecDeque;
use std::fmt::Write;

use provost_core::{Action, Input, Now, Reply};

use crate::common::tell;

/// `None` where nobody reads it.
#[derive(Debug, Default)]
pub(crate) struct Trace(Option<Lines>);

#[derive(Debug)]
struct Lines {
    most: usize,
    lines: VecDeque<String>,
}

impl Trace {
    pub(crate) fn of_the_last(most: usize) -> Trace {
        Trace(Some(Lines { most, lines: VecDeque::new() }))
    }

    pub(crate) fn happens(&mut self, now: Now, input: &Input) {
        if let Some(lines) = &mut self.0 {
            lines.add(now, "", &told(input));
        }
    }

    pub(crate) fn wanted(&mut self, now: Now, action: &Action) {
        if let Some(lines) = &mut self.0 {
            lines.add(now, "    -> ", &tell(action).unwrap_or_else(|| told_too(action)));
        }
    }

    /// Something that neither the supervisor nor the keeper says.
    pub(crate) fn remark(&mut self, now: Now, text: &str) {
        if let Some(lines) = &mut self.0 {
            lines.add(now, "** ", text);
        }
    }

    pub(crate) fn text(&self) -> String {
        self.0.iter().flat_map(|lines| &lines.lines).fold(String::new(), |text, line| text + line + "\n")
    }
}

impl Lines {
    fn add(&mut self, now: Now, sign: &str, what: &str) {
        if self.lines.len() == self.most {
            self.lines.pop_front();
        }
        let mut line = String::new();
        // Writing to a string cannot fail.
        let _ = write!(line, "{:>14.6}  {sign}", now.mono.0 as f64 / 1e9);
        line.extend(what.chars().take(180));
        self.lines.push_back(line);
    }
}

fn told(input: &Input) -> String {
    match input {
        Input::Adopt { group, process, child, pid, .. } => {
            format!("{group}:{process} has child {} from before, pid {pid}", child.0)
        }
        Input::Recall { group, process, memory } => {
            let (state, backoff) = (memory.state.name(), memory.backoff);
            format!("{group}:{process} was {state}, backoff {backoff}, exit {:?}", memory.exit)
        }
        Input::Command(ask, _, command) => format!("ask {}: {command:?}", ask.0),
        Input::Spawned { child, pid, at } => {
            format!("child {} runs as {pid} since {:.6}", child.0, at.mono.0 as f64 / 1e9)
        }
        Input::SpawnFailed { child, error } => format!("child {} cannot be: {}", child.0, error.text),
        Input::Exited { child, status, at, next, .. } => {
            let next = next.map_or_else(String::new, |next| format!(", child {} took its place", next.0));
            format!("child {} ended with {status:?} at {:.6}{next}", child.0, at.mono.0 as f64 / 1e9)
        }
        Input::ConfigRead { ask, purpose, result } => {
            let good = if result.is_ok() { "good" } else { "broken" };
            format!("the configuration is {good}, read for {purpose:?}, {ask:?}")
        }
        other => format!("{other:?}"),
    }
}

/// What stories have no words for.
fn told_too(action: &Action) -> String {
    match action {
        Action::Remember { group, name, memory, .. } => {
            format!("remember {group}:{name} {}, backoff {}", memory.state.name(), memory.backoff)
        }
        Action::Reply { ask, reply: Reply::Infos(_) | Reply::Configured(_) | Reply::Info(_) } => {
            format!("reply {}: as asked", ask.0)
        }
        Action::Reply { ask, reply } => format!("reply {}: {reply:?}", ask.0),
        Action::PrepareLogs { process, config, .. } => format!("logs for {} as {process:?}", config.name),
        Action::Resolve { process, .. } => format!("can {process:?} be started?"),
        Action::Adopt { child, process, .. } => format!("adopt child {} for {process:?}", child.0),
        other => format!("{other:?}"),
    }
}
