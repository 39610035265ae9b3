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
use crate::terminal;

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
    let names: Result<Vec<Name>, CallError> = items(&all)?.iter().map(name).collect();
    Ok(names?.into_iter().filter(can_be_typed).collect())
}

/// Whether it is one word of one line. A line end within a name would make two commands of what is completed.
fn can_be_typed(name: &Name) -> bool {
    let is_word = |text: &str| {
        !text.is_empty() && !text.contains(|char: char| char.is_whitespace() || terminal::controls(char))
    };
    is_word(&name.group) && is_word(&name.process)
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
    use crate::fake::{Script, process};
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
    fn what_nobody_could_type_is_not_offered() {
        let script = Script::default().answers(
            "supervisor.getAllProcessInfo",
            ["web\nshutdown", "a b", "\u{1b}[2J", "a\tb", "\u{202e}x", "", "web"]
                .map(|name| process(name, name, 20, "RUNNING", ""))
                .to_vec()
                .into(),
        );
        let names = script.ask(|server| of(server, Kind::Processes));
        assert_eq!(names, [Name { group: "web".to_owned(), process: "web".to_owned() }]);
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
