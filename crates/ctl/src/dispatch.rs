//! From a line to its verb: what is typed, what that means, and what becomes of errors that no verb has words for.
//!
//! The only room that knows both the session and all verbs.

use crate::call::CallError;
use crate::report::Problem;
use crate::session::{Session, exit};
use crate::verbs::{self, Verb};
use crate::words::Words;

/// Runs one line as typed, whatever it is, and tells what went wrong.
pub(crate) fn command(session: &mut Session<'_>, line: &str) {
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
        return told(session, None, word, session.wants_json, |session| {
            let problem = Problem::new(format!("unknown syntax: {line}"));
            session.fail(&format!("*** Unknown syntax: {line}"), &problem, exit::GENERIC);
            session.mention_plugins();
        });
    };
    let is_document = session.wants_json || argument.split_whitespace().any(|word| word == "--json");
    told(session, Some(verb), verb.page.name, is_document, |session| {
        match Words::read(&verb.page, argument) {
            Ok(words) => carry_out(session, verb, &words),
            Err(complaint) => session.misused(&verb.page, &complaint, exit::BAD_ARGUMENTS),
        }
    });
}

/// As lines or as a document. That has the status of its own verb, whatever was before.
fn told(
    session: &mut Session<'_>,
    verb: Option<&Verb>,
    name: &str,
    is_document: bool,
    tell: impl FnOnce(&mut Session<'_>),
) {
    if !is_document {
        return tell(session);
    }
    let before = std::mem::take(&mut session.status);
    session.report.begin_document();
    tell(session);
    let asks = verb.is_some_and(|verb| !verb.page.is_alone);
    let url = asks.then(|| session.server.url().to_owned());
    session.report.end(name, url.as_deref(), session.status);
    if session.status == 0 {
        session.status = before;
    }
}

fn carry_out(session: &mut Session<'_>, verb: &Verb, words: &Words) {
    let outcome = (verb.run)(session, words);
    session.report.passed_on();
    match outcome {
        Ok(()) => {}
        Err(error @ CallError::Status { code: 401, .. }) => {
            let complaint = "Server requires authentication";
            session.report.complain(complaint, &Problem::new(complaint));
            session.explain(&error);
            if !session.interactive {
                session.status = exit::GENERIC;
                return;
            }
            match session.ask_who() {
                Ok(()) => carry_out(session, verb, words),
                Err(error) => give_up(session, &error),
            }
        }
        Err(error) => give_up(session, &error),
    }
}

fn give_up(session: &mut Session<'_>, error: &CallError) {
    session.status = exit::GENERIC;
    match error {
        CallError::Interrupted => {
            session.report.say("");
            session.leaving = true;
        }
        error => {
            let problem = Problem::new(error.to_string()).fault(error.kind());
            session.report.complain(&format!("error: {error}"), &problem);
            session.explain(error);
        }
    }
}

/// The verb and the rest.
fn split(line: &str) -> (&str, &str) {
    let blank = line.find(char::is_whitespace).unwrap_or(line.len());
    // The verb ends where its letters end, so `start-x` is `start` with an argument; but `hash-password` is one word.
    let letters =
        || line.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(line.len());
    let end = if verbs::find(&line[..blank]).is_some() { blank } else { letters() };
    (&line[..end], line[end..].trim())
}

#[cfg(test)]
mod tests {
    use crate::fake::{Script, outcome, refused};
    use provost_wire::FaultCode;
    use serde_json::json;

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

    #[test]
    fn with_json_a_verb_answers_with_one_document() {
        let list = vec![
            outcome("g", "one", FaultCode::Success),
            outcome("g", "two", FaultCode::SpawnError),
            outcome("g", "three", FaultCode::AlreadyStarted),
        ];
        Script::default()
            .up()
            .answers("supervisor.startProcessGroup", list.into())
            .run("start --json g:*")
            .documents(json!({
                "verb": "start", "server": "unix:///s", "exit_status": 7,
                "results": [
                    {"name": "g:one", "result": "started"},
                    {"name": "g:three", "result": "already started"},
                ],
                "errors": [{"name": "g:two", "fault": "SPAWN_ERROR", "message": "spawn error"}],
                "advice": [],
            }))
            .exits(7);
        Script::default().has_no_socket().run("pid --json").documents(json!({
            "verb": "pid", "server": "unix:///s", "exit_status": 7, "results": [],
            "errors": [{"message": "unix:///s no such file"}], "advice": ["there is no socket /s"],
        }));
        Script::default().run("start --json=1 a").says_first("Error: --json takes no value\nstart ").exits(2);
    }

    #[test]
    fn a_log_that_streams_is_a_line_for_each_piece() {
        let ran = Script::default().up().streams("/logtail/a/stdout", "one\ntwo").run("tail -f a --json");
        let lines: Vec<serde_json::Value> =
            ran.output().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (document, pieces) = lines.split_last().unwrap();
        let text: String = pieces.iter().map(|piece| piece["text"].as_str().unwrap()).collect();
        assert_eq!((text.as_str(), &document["verb"]), ("one\ntwo", &json!("tail")));
    }
}
