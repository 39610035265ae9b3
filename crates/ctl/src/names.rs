//! The names of a daemon's processes, for completion: asked for when they are needed, and waited for no longer than a person
//! would.
//!
//! In: somebody who can ask. Out: names, or none: nobody wants an error in the middle of a line. It is asked on a thread of its own,
//! because a daemon that hangs may hang anywhere: in the name of its host, in the connection, in the answer.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use nix::sys::signal::SigSet;

use crate::call::{Ask, CallError, Kind, Name, Server};
use crate::results::{items, text};

/// How long a Tab may take.
const PATIENCE: Duration = Duration::from_millis(700);

/// What a daemon knows. What it does not tell it does not have.
pub(crate) fn of(server: &mut dyn Server, kind: Kind) -> Vec<Name> {
    let mut names = known(server, "supervisor.getAllProcessInfo").unwrap_or_default();
    if kind == Kind::Groups {
        names.extend(known(server, "supervisor.getAllConfigInfo").unwrap_or_default());
    }
    names
}

fn known(server: &mut dyn Server, method: &str) -> Result<Vec<Name>, CallError> {
    let all = server.call(method, &[])?;
    let name =
        |info| Ok(Name { group: text(info, "group")?.to_owned(), process: text(info, "name")?.to_owned() });
    items(&all)?.iter().map(name).collect()
}

/// What is answered in time.
pub(crate) fn soon(ask: &Ask, kind: Kind) -> Vec<Name> {
    let (answer, answered) = mpsc::channel();
    let ask = Arc::clone(ask);
    let asking = thread::Builder::new().name("names".to_owned()).spawn(move || {
        // Signals are for the thread that reads the keyboard. If they cannot be blocked, they are only less prompt.
        let _ = SigSet::all().thread_block();
        // Nobody waits any more if it took too long.
        let _ = answer.send(ask(kind));
    });
    match asking {
        Ok(_) => answered.recv_timeout(PATIENCE).unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn names_come_from_whoever_answers() {
        let web = Name { group: "web".to_owned(), process: "web".to_owned() };
        let ask: Ask = Arc::new({
            let web = web.clone();
            move |_| vec![web.clone()]
        });
        assert_eq!(soon(&ask, Kind::Processes), [web]);
    }

    #[test]
    fn who_never_answers_is_not_waited_for() {
        let (_never, silence) = mpsc::channel::<()>();
        let silence = std::sync::Mutex::new(silence);
        let ask: Ask = Arc::new(move |_| {
            let _ = silence.lock().unwrap().recv();
            Vec::new()
        });
        let began = Instant::now();
        assert_eq!(soon(&ask, Kind::Processes), []);
        assert!(began.elapsed() >= PATIENCE);
    }

    #[test]
    fn who_breaks_down_has_no_names() {
        let ask: Ask = Arc::new(|_| std::panic::resume_unwind(Box::new("gone")));
        assert_eq!(soon(&ask, Kind::Processes), []);
    }
}
