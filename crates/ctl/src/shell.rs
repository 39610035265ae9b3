//! One command, or a prompt until somebody leaves.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::rc::Rc;

use provost_config::Files;

use crate::Streams;
use crate::advice::Scene;
use crate::call::{CallError, Server};
use crate::editor::Editor;
use crate::http::{Client, Trust};
use crate::interrupt::Interrupt;
use crate::keyboard::{Keyboard, Typed};
use crate::options::Options;
use crate::password::Password;
use crate::report::{Problem, Report};
use crate::session::{Session, exit, heard};
use crate::terminal::Terminal;
use crate::{complete, dispatch, names};

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
            if let Some(editor) = editor(&session.keyboard, options.history_file) {
                session.keyboard.edit_with(editor);
            }
            prompt(&mut session, &options.prompt);
            0
        }
    };
    // Who no longer listens need not be told so.
    let _ = session.report.flush();
    status
}

/// Speaks to the daemon that was chosen, as who was chosen, without asking anybody who that is.
pub(crate) fn client(options: Options) -> Client {
    let mut client = Client::new(options.serverurl, Rc::default(), Trust::new(options.tls));
    if let (Some(username), Password::Is(password)) = (options.login.username, options.login.password) {
        client.log_in(username, password);
    }
    client
}

/// Where somebody sits at both ends of a terminal. A pipe gets the bytes that it always got.
fn editor(keyboard: &Keyboard, history_file: Option<PathBuf>) -> Option<Editor> {
    (keyboard.is_terminal() && io::stdout().is_terminal()).then(|| Editor::new(history_file)).flatten()
}

/// Runs a shell until somebody leaves it.
pub(crate) fn prompt(session: &mut Session<'_>, prompt: &str) {
    if let Err(error) = session.catch_interrupt() {
        session.report.say(&format!("error: {error}"));
    }
    if !session.leaving {
        dispatch::command(session, "status");
    }
    let prompt = format!("{}> ", session.report.terminal.shown(prompt));
    while !session.leaving {
        match next(session, &prompt) {
            Ok(lines) => {
                for line in lines {
                    if !session.leaving {
                        dispatch::command(session, &line);
                    }
                }
            }
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
}

/// What to do next: a line, or several that were pasted.
fn next(session: &mut Session<'_>, prompt: &str) -> Result<Vec<String>, CallError> {
    let ask = session.server.names();
    let complete = move |line: &str| {
        let complete::Completion { start, candidates } =
            complete::in_shell(line, |kind| names::soon(&ask, kind));
        (start, candidates.into_iter().map(|candidate| candidate.word).collect())
    };
    let _ = session.report.flush();
    let Some(editor) = session.keyboard.editor() else {
        return Ok(vec![session.ask(prompt)?.unwrap_or_else(|| "EOF".to_owned())]);
    };
    match editor.command(prompt, Box::new(complete), &session.interrupt) {
        Ok(Typed::Line(lines)) => Ok(lines.lines().map(str::to_owned).collect()),
        // The editor has begun a new line itself.
        Ok(Typed::End | Typed::Interrupted) => {
            session.leaving = true;
            Ok(Vec::new())
        }
        Err(error) => heard(Err(error)).map(|_| Vec::new()),
    }
}

#[cfg(test)]
mod tests {
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
}
