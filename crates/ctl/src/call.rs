//! The one door to a daemon: a [`Server`] that answers calls, and the ways in which it may not.
//!
//! `http` has the real one; tests have one that follows a script.

use std::fmt;
use std::io;
use std::sync::Arc;

use provost_wire::{Fault, Value};

use crate::http::LogStream;
use provost_config::python;

/// Somebody who answers XML-RPC calls and streams logs.
pub(crate) trait Server {
    fn call(&mut self, method: &str, params: &[Value]) -> Result<Value, CallError>;

    /// Begins an endless answer, `/logtail/NAME/stdout` or `/mainlogtail`.
    fn stream(&mut self, path: &str) -> Result<LogStream, CallError>;

    /// As configured, for messages.
    fn url(&self) -> &str;

    /// Speak to another daemon from now on.
    fn set_url(&mut self, url: &str);

    fn log_in(&mut self, username: String, password: String);

    /// Asks the same daemon for names, as the same user, over a connection of its own.
    fn names(&self) -> Ask;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) group: String,
    pub(crate) process: String,
}

/// Whose names matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Processes,
    /// Those that could be added, too.
    Groups,
}

/// Asks the daemon that the shell speaks to. Knows a password, and is not printed.
pub(crate) type Ask = Arc<dyn Fn(Kind) -> Vec<Name> + Send + Sync>;

/// Why a call has no result.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The daemon understood and refused.
    Fault(Fault),
    /// The daemon, or something in its place, answered with another status than 200.
    Status { url: String, code: u16, reason: String },
    /// Nobody could be asked, or the line broke.
    Connection { url: String, error: io::Error },
    /// Ctrl-C while waiting.
    Interrupted,
    /// The answer makes no sense, or the question cannot be asked.
    Other(String),
}

impl CallError {
    pub(crate) fn kind(&self) -> Option<provost_wire::FaultCode> {
        match self {
            CallError::Fault(fault) => fault.kind(),
            _ => None,
        }
    }

    /// What a fault says beyond its kind.
    pub(crate) fn detail(&self) -> &str {
        match self {
            CallError::Fault(fault) => fault.text.split_once(": ").map_or(&fault.text, |(_, detail)| detail),
            _ => "",
        }
    }

    /// `refused connection` or `no such file`: what Supervisor says without calling it an error.
    pub(crate) fn nobody_there(&self) -> Option<&'static str> {
        match self {
            CallError::Connection { error, .. } => match error.kind() {
                io::ErrorKind::ConnectionRefused => Some("refused connection"),
                io::ErrorKind::NotFound => Some("no such file"),
                _ => None,
            },
            _ => None,
        }
    }
}

/// What follows `error: `. The shape of a fault is Python's, because that is what logs are searched for.
impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Fault(fault) => write!(f, "<Fault {}: {}>", fault.code, python::repr(&fault.text)),
            CallError::Status { url, code, reason } => write!(f, "{url} answered {code} {reason}"),
            CallError::Connection { url, error } => {
                write!(f, "cannot talk to {url}: {error}")?;
                if error.kind() == io::ErrorKind::PermissionDenied {
                    write!(
                        f,
                        "; ask as a user who may write to the socket, or see its chmod and chown options"
                    )?;
                }
                Ok(())
            }
            CallError::Interrupted => write!(f, "interrupted"),
            CallError::Other(text) => write!(f, "{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_wire::FaultCode;

    #[test]
    fn a_fault_is_told_as_python_tells_it() {
        let fault = CallError::Fault(Fault::new(FaultCode::ShutdownState, None));
        assert_eq!(fault.to_string(), "<Fault 6: 'SHUTDOWN_STATE'>");
    }

    #[test]
    fn a_closed_door_says_who_may_open_it() {
        let error = io::Error::from(io::ErrorKind::PermissionDenied);
        let told = CallError::Connection { url: "unix:///s".to_owned(), error }.to_string();
        assert!(told.starts_with("cannot talk to unix:///s: permission denied; "), "{told}");
    }
}
