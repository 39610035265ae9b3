//! A daemon that follows a script, and a person who types one: a test of a verb is one chain of words.
//!
//! `Script::default().up().answers(…).run("pid").says("1\n").exits(0)`

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;

use provost_wire::{Fault, FaultCode, Value};

use crate::advice::Scene;
use crate::call::{Ask, CallError, Server};
use crate::dispatch;
use crate::http::LogStream;
use crate::interrupt::{self, Interrupt};
use crate::keyboard::Keyboard;
use crate::report::Report;
use crate::session::Session;
use crate::shell;
use crate::terminal::Terminal;

/// What is going to happen.
#[derive(Default)]
pub(crate) struct Script {
    daemon: Daemon,
    typed: String,
    interactive: bool,
    interrupted: bool,
    plugins: Vec<String>,
}

/// What did happen.
pub(crate) struct Ran {
    output: String,
    errors: String,
    status: u8,
    seen: Seen,
}

#[derive(Default)]
struct Daemon {
    /// The first entry for a method, or for a path to stream, is its next answer.
    answers: Vec<(String, Reply)>,
    /// Instead of any answer.
    absence: Option<io::ErrorKind>,
    url: Option<String>,
    seen: Rc<RefCell<Seen>>,
}

enum Reply {
    Call(Result<Value, CallError>),
    Stream(String),
}

#[derive(Default, Clone)]
struct Seen {
    calls: Vec<(String, Vec<Value>)>,
    login: Option<(String, String)>,
}

impl Script {
    /// The daemon passes the check that most verbs begin with.
    pub(crate) fn up(self) -> Script {
        self.answers("supervisor.getVersion", "3.0".into())
    }

    pub(crate) fn answers(self, method: &str, value: Value) -> Script {
        self.reply(method, Reply::Call(Ok(value)))
    }

    pub(crate) fn faults(self, method: &str, code: FaultCode, extra: Option<&str>) -> Script {
        self.fails(method, CallError::Fault(Fault::new(code, extra)))
    }

    /// `what` is a method, or a path.
    pub(crate) fn fails(self, what: &str, error: CallError) -> Script {
        self.reply(what, Reply::Call(Err(error)))
    }

    /// A log of this text, that ends after it.
    pub(crate) fn streams(self, path: &str, text: &str) -> Script {
        self.reply(path, Reply::Stream(text.to_owned()))
    }

    pub(crate) fn refuses_connection(mut self) -> Script {
        self.daemon.absence = Some(io::ErrorKind::ConnectionRefused);
        self
    }

    pub(crate) fn has_no_socket(mut self) -> Script {
        self.daemon.absence = Some(io::ErrorKind::NotFound);
        self
    }

    pub(crate) fn types(mut self, text: &str) -> Script {
        self.typed = text.to_owned();
        self
    }

    pub(crate) fn interactive(mut self) -> Script {
        self.interactive = true;
        self
    }

    /// Ctrl-C, as soon as somebody listens.
    pub(crate) fn interrupted(mut self) -> Script {
        self.interrupted = true;
        self
    }

    pub(crate) fn knows_plugin(mut self, name: &str) -> Script {
        self.plugins.push(name.to_owned());
        self
    }

    pub(crate) fn run(self, line: &str) -> Ran {
        self.play(|session| {
            dispatch::command(session, line);
            session.status
        })
    }

    /// For whoever speaks to the daemon without a session.
    pub(crate) fn ask<T>(mut self, ask: impl FnOnce(&mut dyn Server) -> T) -> T {
        ask(&mut self.daemon)
    }

    pub(crate) fn shell(self) -> Ran {
        self.interactive().play(|session| {
            shell::prompt(session, "supervisor");
            0
        })
    }

    fn reply(mut self, what: &str, reply: Reply) -> Script {
        self.daemon.answers.push((what.to_owned(), reply));
        self
    }

    fn play(self, act: impl FnOnce(&mut Session<'_>) -> u8) -> Ran {
        let (reader, mut keys) = io::pipe().unwrap();
        keys.write_all(self.typed.as_bytes()).unwrap();
        drop(keys);
        let (interrupt, mut button) = interrupt::tests::with_button();
        if self.interrupted {
            button.write_all(b"!").unwrap();
        }
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let seen = Rc::clone(&self.daemon.seen);
        let mut session = Session {
            server: Box::new(self.daemon),
            scene: Scene::default(),
            report: Report::new(&mut output, &mut errors, Terminal::default()),
            keyboard: Keyboard::new(reader.into()),
            interrupt: Rc::<Interrupt>::new(interrupt),
            interactive: self.interactive,
            wants_json: false,
            status: 0,
            plugins: self.plugins,
            leaving: false,
        };
        let status = act(&mut session);
        drop(session);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let seen = seen.borrow().clone();
        Ran { output: text(output), errors: text(errors), status, seen }
    }
}

impl Ran {
    pub(crate) fn output(&self) -> &str {
        &self.output
    }

    pub(crate) fn says(self, text: &str) -> Ran {
        assert_eq!(self.output, text);
        self
    }

    pub(crate) fn says_first(self, text: &str) -> Ran {
        assert!(self.output.starts_with(text), "{:?} does not begin with {text:?}", self.output);
        self
    }

    /// The document, of what was said with `--json`.
    pub(crate) fn documents(self, wanted: serde_json::Value) -> Ran {
        let document: serde_json::Value = serde_json::from_str(&self.output).unwrap();
        assert_eq!(document, wanted);
        self
    }

    pub(crate) fn complains(self, text: &str) -> Ran {
        assert_eq!(self.errors, text);
        self
    }

    pub(crate) fn exits(self, status: u8) -> Ran {
        assert_eq!(self.status, status, "after {:?}", self.output);
        self
    }

    pub(crate) fn asked(self, method: &str, params: &[Value]) -> Ran {
        let call = (method.to_owned(), params.to_vec());
        assert!(self.seen.calls.contains(&call), "{call:?} is not among {:?}", self.seen.calls);
        self
    }

    pub(crate) fn logged_in(self, username: &str, password: &str) -> Ran {
        assert_eq!(self.seen.login, Some((username.to_owned(), password.to_owned())));
        self
    }
}

impl Daemon {
    fn next(&mut self, what: &str) -> Result<Reply, CallError> {
        if let Some(kind) = self.absence {
            return Err(CallError::Connection { url: self.url().to_owned(), error: kind.into() });
        }
        let at = self.answers.iter().position(|(known, _)| known == what);
        let at = at.unwrap_or_else(|| panic!("nobody expected {what}"));
        Ok(self.answers.remove(at).1)
    }
}

impl Server for Daemon {
    fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, CallError> {
        self.seen.borrow_mut().calls.push((method.to_owned(), params.to_vec()));
        match self.next(method)? {
            Reply::Call(result) => result,
            Reply::Stream(_) => panic!("{method} is called and not streamed"),
        }
    }

    fn stream(&mut self, path: &str) -> Result<LogStream, CallError> {
        match self.next(path)? {
            Reply::Stream(text) => Ok(LogStream::scripted(&text)),
            Reply::Call(Err(error)) => Err(error),
            Reply::Call(Ok(_)) => panic!("{path} is streamed and not called"),
        }
    }

    fn url(&self) -> &str {
        self.url.as_deref().unwrap_or("unix:///s")
    }

    fn set_url(&mut self, url: &str) {
        self.url = Some(url.to_owned());
    }

    fn log_in(&mut self, username: String, password: String) {
        self.seen.borrow_mut().login = Some((username, password));
    }

    fn names(&self) -> Ask {
        Arc::new(|_| Vec::new())
    }
}

/// An answer with another status than 200.
pub(crate) fn refused(code: u16, reason: &str) -> CallError {
    CallError::Status { url: "unix:///s".to_owned(), code, reason: reason.to_owned() }
}

/// An entry of `getAllProcessInfo`, as far as anybody looks.
pub(crate) fn process(group: &str, name: &str, state: i32, statename: &str, description: &str) -> Value {
    Value::members([
        ("name", name.into()),
        ("group", group.into()),
        ("state", state.into()),
        ("statename", statename.into()),
        ("description", description.into()),
        ("pid", 0.into()),
    ])
}

/// An entry of a list of results.
pub(crate) fn outcome(group: &str, name: &str, code: FaultCode) -> Value {
    Value::members([
        ("name", name.into()),
        ("group", group.into()),
        ("status", code.code().into()),
        ("description", code.name().into()),
    ])
}

/// What `reloadConfig` answers.
pub(crate) fn changes(added: &[&str], changed: &[&str], removed: &[&str]) -> Value {
    let names = |names: &[&str]| Value::Array(names.iter().map(|&name| name.into()).collect());
    vec![Value::Array(vec![names(added), names(changed), names(removed)])].into()
}
