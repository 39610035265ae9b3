//! What a verb works with: the daemon, the streams, and the exit status so far.
//!
//! A verb tells results and complaints, makes calls, and returns an error for what it cannot put into Supervisor's words.
//! No verb is known here: `dispatch.rs` finds the one for a line and tells such errors.

use std::rc::Rc;
use std::time::Duration;

use provost_wire::{FaultCode, Value};
use serde_json::json;

use crate::advice::Scene;
use crate::call::{CallError, Server};
use crate::interrupt::{Interrupt, Woken};
use crate::keyboard::{Keyboard, Typed};
use crate::manual::Page;
use crate::password::{self, Login, Password};
use crate::progress::{self, Progress};
use crate::report::{Problem, Report};
use crate::results::{Outcome, error_line};

pub(crate) struct Session<'a> {
    pub(crate) server: Box<dyn Server + 'a>,
    /// Where the server's address is from.
    pub(crate) scene: Scene<'a>,
    pub(crate) report: Report<'a>,
    pub(crate) keyboard: Keyboard,
    pub(crate) interrupt: Rc<Interrupt>,
    /// Somebody is there to be asked.
    pub(crate) interactive: bool,
    /// Every verb answers with a document.
    pub(crate) wants_json: bool,
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
    /// Somebody whose action is unknown may have got it from a plugin.
    pub(crate) fn mention_plugins(&mut self) {
        if !self.plugins.is_empty() {
            let names = self.plugins.join(", ");
            let line = format!("[ctlplugin:x] sections are Python and are not loaded: {names}");
            self.report.complain_aside(&line, &Problem::new(line.as_str()));
        }
    }

    /// Tells what went wrong, and lets the exit status say so.
    pub(crate) fn fail(&mut self, line: &str, problem: &Problem, status: u8) {
        self.report.complain(line, problem);
        self.status = status;
    }

    /// The same where line and problem have the same words.
    pub(crate) fn refuse(&mut self, line: &str, status: u8) {
        self.fail(line, &Problem::new(bare(line)), status);
    }

    /// `NAME: started` and the like.
    pub(crate) fn done(&mut self, name: &str, word: &str) {
        self.report.tell(&format!("{name}: {word}"), || json!({"name": name, "result": word}));
    }

    /// A refusal about one process, told as `line`. What is `harmless` is a result like others, and leaves the status.
    pub(crate) fn refused(
        &mut self,
        outcome: &Outcome,
        line: &str,
        reason: &str,
        harmless: Option<FaultCode>,
    ) {
        let (name, kind) = (&outcome.namespec, outcome.kind());
        if kind.is_some() && kind == harmless {
            return self.report.tell(line, || json!({"name": name, "result": reason}));
        }
        self.report.complain(line, &Problem::of(name, reason).fault(kind));
        self.note(outcome.code);
    }

    pub(crate) fn no_such_group(&mut self, group: &str, status: u8) {
        let reason = "no such group";
        let problem = Problem::of(group, reason).fault(Some(FaultCode::BadName));
        self.fail(&error_line(group, reason), &problem, status);
    }

    /// A usage failure: what is wrong, then how it is done.
    pub(crate) fn misused(&mut self, page: &Page, complaint: &str, status: u8) {
        self.refuse(complaint, status);
        self.report.say(&page.usage());
    }

    pub(crate) fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, CallError> {
        // Calls may take long; what has been said must be readable meanwhile.
        let _ = self.report.flush();
        let _waiting = match progress::what(method, params) {
            Some(what) if self.report.terminal.shows_progress() => Progress::on_stderr(what),
            _ => Progress::none(),
        };
        self.server.call(method, params)
    }

    /// What is wrong, and what to do, where somebody reads it.
    pub(crate) fn explain(&mut self, error: &CallError) {
        if self.report.wants_advice() {
            for text in self.scene.advice(error, self.server.url()) {
                self.report.advise(&text);
            }
        }
    }

    /// From now on Ctrl-C is an error of whatever waits, and no longer the end.
    pub(crate) fn catch_interrupt(&self) -> Result<(), CallError> {
        self.interrupt.catch().map_err(|error| CallError::Other(format!("cannot catch Ctrl-C: {error}")))
    }

    /// Lets some time pass. Ctrl-C is an error, as in a call.
    pub(crate) fn pause(&mut self, time: Duration) -> Result<(), CallError> {
        let _ = self.report.flush();
        match self.interrupt.pause(time) {
            Ok(Woken::Ready(_)) => Ok(()),
            Ok(Woken::Interrupted) => Err(CallError::Interrupted),
            Err(error) => Err(CallError::Other(format!("cannot wait: {error}"))),
        }
    }

    /// Whether there is a daemon that we can talk to. If not, everything has been said.
    pub(crate) fn is_up(&mut self) -> Result<bool, CallError> {
        let mut absence = None;
        let (complaint, status) = match self.call("supervisor.getVersion", &[]) {
            Ok(version) if version.as_str() == Some(API_VERSION) => return Ok(true),
            Ok(version) => {
                let version = match &version {
                    Value::Int(number) => number.to_string(),
                    other => other.as_str().unwrap_or("unknown").to_owned(),
                };
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
                let complaint = format!("{} {}", self.server.url(), error.nobody_there().unwrap_or_default());
                absence = Some(error);
                (complaint, status)
            }
        };
        self.refuse(&complaint, status);
        if let Some(error) = absence {
            self.explain(&error);
        }
        Ok(false)
    }

    /// The rule by which a refusal becomes an exit status.
    fn note(&mut self, code: i64) {
        self.status = match FaultCode::from_code(code) {
            Some(FaultCode::SpawnError | FaultCode::AbnormalTermination | FaultCode::NotRunning) => {
                exit::NOT_RUNNING
            }
            _ => exit::GENERIC,
        };
    }

    /// A question that only a clear yes answers with yes. Scripts are not asked.
    pub(crate) fn confirms(&mut self, question: &str) -> Result<bool, CallError> {
        if !self.interactive {
            return Ok(true);
        }
        Ok(self.answer_to(question)?.to_lowercase().starts_with('y'))
    }

    /// Asks for a line; `None` when there are no more.
    pub(crate) fn ask(&mut self, prompt: &str) -> Result<Option<String>, CallError> {
        let _ = self.report.flush();
        heard(match self.keyboard.editor() {
            Some(editor) => editor.answer(prompt, &self.interrupt),
            None => {
                self.report.ask(prompt);
                self.keyboard.line(&self.interrupt)
            }
        })
    }

    /// Takes the password from where it is, standard input for one.
    pub(crate) fn log_in(&mut self, login: Login) -> Result<(), String> {
        if let Some(text) = login.from.as_ref().and_then(password::hint) {
            self.report.advise(&text);
        }
        let password = match login.password {
            Password::None => None,
            Password::Is(text) => Some(text),
            Password::OnStdin => Some(self.password_from_stdin()?),
        };
        if let (Some(username), Some(password)) = (login.username, password) {
            self.server.log_in(username, password);
        }
        Ok(())
    }

    /// The first line; what is behind it stays for a shell.
    fn password_from_stdin(&mut self) -> Result<String, String> {
        let is_asked = self.keyboard.is_terminal();
        if is_asked {
            // Otherwise Ctrl-C would leave a terminal that shows nothing.
            self.catch_interrupt().map_err(|error| error.to_string())?;
        }
        match self.secret(is_asked.then_some("Password: ")) {
            Ok(Some(password)) if password.contains('\u{fffd}') => {
                Err("the password is not UTF-8".to_owned())
            }
            Ok(Some(password)) => Ok(password),
            Ok(None) => Err("--password-stdin: there is nothing on standard input".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// A line that nobody sees, asked for on stderr, if it is asked for.
    pub(crate) fn secret(&mut self, prompt: Option<&str>) -> Result<Option<String>, CallError> {
        let ask = || {
            if let Some(prompt) = prompt {
                self.report.ask_aside(prompt);
            }
        };
        let typed = self.keyboard.secret(&self.interrupt, ask);
        if prompt.is_some() {
            // The line end was not shown either.
            self.report.ask_aside("\n");
        }
        heard(typed)
    }

    /// A question that must be answered.
    fn answer_to(&mut self, question: &str) -> Result<String, CallError> {
        self.ask(question)?.ok_or_else(nobody_answers)
    }

    pub(crate) fn ask_who(&mut self) -> Result<(), CallError> {
        let username = self.answer_to("Username:")?;
        let prompt = || self.report.ask("Password:");
        let password = heard(self.keyboard.secret(&self.interrupt, prompt))?.ok_or_else(nobody_answers)?;
        // The line end was not shown either.
        self.report.say("");
        self.server.log_in(username, password);
        Ok(())
    }
}

const NO_NAMESPACE: &str = "Sorry, supervisord responded but did not recognize the supervisor namespace commands that \
    supervisorctl uses to control it.  Please check that the [rpcinterface:supervisor] section is enabled in the \
    configuration file (see sample.conf).";

fn nobody_answers() -> CallError {
    CallError::Other("nobody answers: the input has ended".to_owned())
}

pub(crate) fn heard(typed: std::io::Result<Typed>) -> Result<Option<String>, CallError> {
    match typed {
        Ok(Typed::Line(line)) => Ok(Some(line)),
        Ok(Typed::End) => Ok(None),
        Ok(Typed::Interrupted) => Err(CallError::Interrupted),
        Err(error) => Err(CallError::Other(format!("cannot read the keyboard: {error}"))),
    }
}

/// A complaint without the word that says that it is one.
fn bare(line: &str) -> &str {
    ["Error: ", "ERROR: "].iter().find_map(|word| line.strip_prefix(word)).unwrap_or(line)
}
