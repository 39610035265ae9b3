//! What a verb works with: the daemon, the streams, and the exit status so far.
//!
//! A verb says lines, makes calls, and returns an error for what it cannot put
//! into Supervisor's words; [`Session::command`] finds the verb for a line and tells such errors.

use std::io::Write;
use std::rc::Rc;

use provost_wire::{FaultCode, Value};

use crate::call::{CallError, Server};
use crate::interrupt::Interrupt;
use crate::keyboard::{Keyboard, Typed};
use crate::verbs;

pub(crate) struct Session<'a> {
    pub(crate) server: Box<dyn Server + 'a>,
    pub(crate) output: &'a mut dyn Write,
    pub(crate) errors: &'a mut dyn Write,
    pub(crate) keyboard: Keyboard,
    pub(crate) interrupt: Rc<Interrupt>,
    /// Somebody is there to be asked.
    pub(crate) interactive: bool,
    /// The last verb that set it wins.
    pub(crate) status: u8,
    /// Plugins that the configuration names and that we cannot load.
    pub(crate) plugins: Vec<String>,
    /// `quit` was said.
    pub(crate) leaving: bool,
}

/// Exit statuses (SPEC 7.3).
pub(crate) mod exit {
    pub(crate) const GENERIC: u8 = 1;
    pub(crate) const BAD_ARGUMENTS: u8 = 2;
    pub(crate) const UNIMPLEMENTED: u8 = 3;
    pub(crate) const REFUSED: u8 = 4;
    pub(crate) const NOT_INSTALLED: u8 = 5;
    pub(crate) const NOT_RUNNING: u8 = 7;
    /// `status` only.
    pub(crate) const SOME_STOPPED: u8 = 3;
    /// `status` only.
    pub(crate) const STATUS_UNKNOWN: u8 = 4;
}

/// The interface we speak, as opposed to the program's version.
const API_VERSION: &str = "3.0";

impl Session<'_> {
    /// Runs one line as typed, whatever it is, and tells what went wrong.
    pub(crate) fn command(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        let line = match line.strip_prefix('?') {
            Some(topic) => format!("help {topic}"),
            None => line.to_owned(),
        };
        let (word, argument) = split(&line);
        let Some(verb) = verbs::find(word) else {
            self.say(&format!("*** Unknown syntax: {line}"));
            self.mention_plugins();
            self.status = exit::GENERIC;
            return;
        };
        match (verb.run)(self, argument) {
            Ok(()) => {}
            Err(CallError::Interrupted) => {
                self.say("");
                self.status = exit::GENERIC;
                self.leaving = true;
            }
            Err(CallError::Status { code: 401, .. }) => {
                self.say("Server requires authentication");
                if self.interactive && self.ask_who() {
                    return self.command(&line);
                }
                self.status = exit::GENERIC;
            }
            Err(error) => {
                self.say(&format!("error: {error}"));
                self.status = exit::GENERIC;
            }
        }
    }

    /// Somebody whose action is unknown may have got it from a plugin.
    fn mention_plugins(&mut self) {
        if !self.plugins.is_empty() {
            let names = self.plugins.join(", ");
            let _ = writeln!(self.errors, "[ctlplugin:x] sections are Python and are not loaded: {names}");
        }
    }

    pub(crate) fn say(&mut self, line: &str) {
        // Who no longer listens (`supervisorctl status | head -1`) need not be told so.
        let _ = writeln!(self.output, "{line}");
    }

    /// A usage failure: what is wrong, then how it is done.
    pub(crate) fn misused(&mut self, verb: &verbs::Verb, complaint: &str, status: u8) {
        self.say(complaint);
        self.say(verb.usage);
        self.status = status;
    }

    pub(crate) fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, CallError> {
        // Calls may take long; what has been said must be readable meanwhile.
        let _ = self.output.flush();
        self.server.call(method, params)
    }

    /// Whether there is a daemon that we can talk to. If not, everything has been said.
    pub(crate) fn is_up(&mut self) -> Result<bool, CallError> {
        let (complaint, status) = match self.call("supervisor.getVersion", &[]) {
            Ok(version) if version.as_str() == Some(API_VERSION) => return Ok(true),
            Ok(version) => {
                let version = version.as_str().unwrap_or("unknown").to_owned();
                let complaint = format!(
                    "Sorry, this version of supervisorctl expects to talk to a server with API version \
                     {API_VERSION}, but the remote version is {version}."
                );
                (complaint, exit::NOT_INSTALLED)
            }
            Err(error) if error.kind() == Some(FaultCode::UnknownMethod) => {
                (NO_NAMESPACE.to_owned(), exit::UNIMPLEMENTED)
            }
            Err(error) => {
                let status = match error.nobody_there() {
                    Some("refused connection") => exit::REFUSED,
                    Some(_) => exit::NOT_RUNNING,
                    None => return Err(error),
                };
                (format!("{} {}", self.server.url(), error.nobody_there().unwrap_or_default()), status)
            }
        };
        self.say(&complaint);
        self.status = status;
        Ok(false)
    }

    /// The rule by which a refusal becomes an exit status. `harmless` leaves it as it is.
    pub(crate) fn note(&mut self, code: i64, harmless: Option<FaultCode>) {
        match FaultCode::from_code(code) {
            Some(FaultCode::Success) => {}
            kind if kind.is_some() && kind == harmless => {}
            Some(FaultCode::SpawnError | FaultCode::AbnormalTermination | FaultCode::NotRunning) => {
                self.status = exit::NOT_RUNNING;
            }
            _ => self.status = exit::GENERIC,
        }
    }

    /// A question that only a clear yes answers with yes. Scripts are not asked.
    pub(crate) fn confirms(&mut self, question: &str) -> Result<bool, CallError> {
        if !self.interactive {
            return Ok(true);
        }
        Ok(self.ask(question)?.is_some_and(|answer| answer.to_lowercase().starts_with('y')))
    }

    /// Asks for a line; `None` when there are no more.
    pub(crate) fn ask(&mut self, prompt: &str) -> Result<Option<String>, CallError> {
        let _ = write!(self.output, "{prompt}").and_then(|()| self.output.flush());
        heard(self.keyboard.line(&self.interrupt))
    }

    /// False when nobody answers.
    fn ask_who(&mut self) -> bool {
        let Ok(Some(username)) = self.ask("Username:") else { return false };
        let prompt = || {
            let _ = write!(self.output, "Password:").and_then(|()| self.output.flush());
        };
        let Ok(Some(password)) = heard(self.keyboard.secret(&self.interrupt, prompt)) else { return false };
        // The line end was not shown either.
        self.say("");
        self.server.log_in(username, password);
        true
    }
}

const NO_NAMESPACE: &str = "Sorry, supervisord responded but did not recognize the supervisor namespace commands that \
    supervisorctl uses to control it.  Please check that the [rpcinterface:supervisor] section is enabled in the \
    configuration file (see sample.conf).";

/// The verb and the rest.
fn split(line: &str) -> (&str, &str) {
    let blank = line.find(char::is_whitespace).unwrap_or(line.len());
    // The verb ends where its letters end, so `start-x` is `start` with an argument; but `hash-password` is one word.
    let letters =
        || line.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(line.len());
    let end = if verbs::find(&line[..blank]).is_some() { blank } else { letters() };
    (&line[..end], line[end..].trim())
}

fn heard(typed: std::io::Result<Typed>) -> Result<Option<String>, CallError> {
    match typed {
        Ok(Typed::Line(line)) => Ok(Some(line)),
        Ok(Typed::End) => Ok(None),
        Ok(Typed::Interrupted) => Err(CallError::Interrupted),
        Err(error) => Err(CallError::Other(format!("cannot read the keyboard: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, refused};
    use provost_wire::FaultCode;

    #[test]
    fn a_verb_ends_where_its_letters_end() {
        Script::default().run("frobnicate now").says("*** Unknown syntax: frobnicate now\n").exits(1);
        Script::default().run("!ls").says("*** Unknown syntax: !ls\n").exits(1);
        Script::default().run("-x").says("*** Unknown syntax: -x\n").exits(1);
        Script::default().run("  ").says("").exits(0);
        Script::default().run("?nosuch").says("*** No help on nosuch\n").exits(0);
        Script::default()
            .up()
            .faults("supervisor.startProcess", FaultCode::BadName, None)
            .run("start,")
            .says(",: ERROR (no such process)\n")
            .exits(1);
    }

    #[test]
    fn a_plugin_may_be_what_is_missing() {
        Script::default()
            .knows_plugin("cache")
            .run("cache_clear")
            .says("*** Unknown syntax: cache_clear\n")
            .complains("[ctlplugin:x] sections are Python and are not loaded: cache\n")
            .exits(1);
    }

    #[test]
    fn an_absent_daemon_is_no_error_to_most_verbs() {
        Script::default().refuses_connection().run("pid").says("unix:///s refused connection\n").exits(4);
        Script::default().has_no_socket().run("start a").says("unix:///s no such file\n").exits(7);
        Script::default().refuses_connection().run("status").says("unix:///s refused connection\n").exits(4);
        Script::default().has_no_socket().run("status").says("unix:///s no such file\n").exits(4);
        Script::default()
            .refuses_connection()
            .run("avail")
            .says_first("error: cannot talk to unix:///s: ")
            .exits(1);
    }

    #[test]
    fn strangers_are_told_what_is_wrong() {
        let text = Script::default().answers("supervisor.getVersion", "2.0".into()).run("pid").exits(5);
        text.says_first("Sorry, this version of supervisorctl expects");
        let text = Script::default()
            .faults("supervisor.getVersion", FaultCode::UnknownMethod, None)
            .run("pid")
            .exits(3);
        text.says_first("Sorry, supervisord responded but");
        Script::default()
            .fails("supervisor.getVersion", refused(500, "Internal Server Error"))
            .run("pid")
            .says("error: unix:///s answered 500 Internal Server Error\n")
            .exits(1);
    }

    #[test]
    fn a_daemon_on_its_way_out_is_a_generic_error() {
        for verb in ["status", "start all", "tail x"] {
            Script::default()
                .faults("supervisor.getVersion", FaultCode::ShutdownState, None)
                .run(verb)
                .says("error: <Fault 6: 'SHUTDOWN_STATE'>\n")
                .exits(1);
        }
    }

    #[test]
    fn credentials_are_asked_for_once_and_by_shells_only() {
        Script::default()
            .fails("supervisor.getVersion", refused(401, "Unauthorized"))
            .run("status")
            .says("Server requires authentication\n")
            .exits(1);
        Script::default()
            .fails("supervisor.getVersion", refused(401, "Unauthorized"))
            .up()
            .answers("supervisor.getPID", 7.into())
            .types("jo\npw\n")
            .interactive()
            .run("pid")
            .says("Server requires authentication\nUsername:Password:\n7\n")
            .logged_in("jo", "pw");
    }
}
