//! One command, or a prompt until somebody leaves.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;

use provost_config::Files;

use crate::Streams;
use crate::advice::Scene;
use crate::call::CallError;
use crate::dispatch;
use crate::http::{Client, Trust};
use crate::interrupt::Interrupt;
use crate::keyboard::Keyboard;
use crate::options::Options;
use crate::report::{Problem, Report};
use crate::session::{Session, exit};
use crate::terminal::Terminal;

/// Does what was asked for and returns the exit status, which for a shell is always 0.
pub(crate) fn run<'a>(options: Options, files: &'a dyn Files, streams: Streams<'a>) -> u8 {
    let interrupt = Rc::new(Interrupt::default());
    let scene = Scene::new(files, &options.serverurl, options.origin, &options.login);
    let client = Client::new(options.serverurl, Rc::clone(&interrupt), Trust::new(options.tls));
    let terminal = Terminal::new(streams.is_terminal.output, streams.is_terminal.errors, files.env());
    let mut session = Session {
        server: Box::new(client),
        scene,
        report: Report::new(streams.output, streams.errors, terminal),
        keyboard: Keyboard::new(streams.input),
        interrupt,
        interactive: options.interactive,
        wants_json: options.json,
        status: 0,
        plugins: options.plugins,
        leaving: false,
    };
    if let Err(complaint) = session.log_in(options.login) {
        let line = format!("Error: {complaint}");
        session.report.complain_aside(&line, &Problem::new(complaint));
        return exit::BAD_ARGUMENTS;
    }
    if let Some(line) = &options.line {
        dispatch::command(&mut session, line);
    }
    let status = match options.interactive {
        false => session.status,
        true => {
            let typed = prompt(&mut session, &options.prompt);
            if let (Some(path), true) = (&options.history_file, session.keyboard.is_terminal()) {
                // A history that cannot be kept is no reason to fail, or to say anything.
                let _ = remember(path, &typed);
            }
            0
        }
    };
    // Who no longer listens need not be told so.
    let _ = session.report.flush();
    status
}

/// Runs a shell until somebody leaves it, and returns the lines that were typed.
pub(crate) fn prompt(session: &mut Session<'_>, prompt: &str) -> Vec<String> {
    let mut typed = Vec::new();
    if let Err(error) = session.interrupt.catch() {
        session.report.say(&format!("error: cannot catch Ctrl-C: {error}"));
    }
    if !session.leaving {
        dispatch::command(session, "status");
    }
    while !session.leaving {
        match session.ask(&format!("{prompt}> ")) {
            Ok(Some(line)) => {
                dispatch::command(session, &line);
                typed.push(line);
            }
            Ok(None) => dispatch::command(session, "EOF"),
            Err(CallError::Interrupted) => {
                session.report.say("");
                break;
            }
            Err(error) => {
                session.report.say(&format!("error: {error}"));
                break;
            }
        }
    }
    typed
}

/// Appends lines to a history as readline keeps it: none that is empty, none twice in a row.
fn remember(path: &Path, typed: &[String]) -> io::Result<()> {
    let mut lines: Vec<&str> =
        typed.iter().map(String::as_str).filter(|line| !line.trim().is_empty()).collect();
    lines.dedup();
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    lines.iter().try_for_each(|line| writeln!(file, "{line}"))
}

#[cfg(test)]
mod tests {
    use super::remember;
    use crate::fake::{Script, process};

    #[test]
    fn a_shell_shows_the_status_and_leaves_with_0() {
        let shown = "web                              STOPPED   Not started\n";
        Script::default()
            .up()
            .answers(
                "supervisor.getAllProcessInfo",
                vec![process("web", "web", 0, "STOPPED", "Not started")].into(),
            )
            .types("\nhelp nosuch\nquit\nstatus\n")
            .shell()
            .says(&format!("{shown}supervisor> supervisor> *** No help on nosuch\nsupervisor> \n"))
            .exits(0);
    }

    #[test]
    fn the_end_of_input_leaves_too() {
        Script::default()
            .has_no_socket()
            .types("")
            .shell()
            .says("unix:///s no such file\nsupervisor> \n")
            .exits(0);
    }

    #[test]
    fn a_history_grows_by_what_was_typed() {
        let path = std::env::temp_dir().join(format!("provost-history-{}", std::process::id()));
        let typed = ["status", "status", "", "pid a"].map(str::to_owned);
        remember(&path, &typed).and_then(|()| remember(&path, &typed[3..])).unwrap();
        let kept = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(kept, "status\npid a\npid a\n");
    }
}
