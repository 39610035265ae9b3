//! What a verb has to tell, as lines for people and scripts or as one JSON document.
//!
//! In: lines as Supervisor would say them, each with the same in JSON. Out: the lines at once, or, with `--json`, the
//! document when the verb is done. Its members are described in the reference; here only its frame is known.

use std::io::Write;

use provost_wire::FaultCode;
use serde_json::{Map, Value, json};

use crate::terminal::{Tame, Terminal, plain};

/// The two streams, and the document if there is to be one.
pub(crate) struct Report<'a> {
    output: &'a mut dyn Write,
    errors: &'a mut dyn Write,
    pub(crate) terminal: Terminal,
    /// Of the log that is being passed on to a screen.
    tame: Option<Tame>,
    document: Option<Document>,
}

#[derive(Debug, Default)]
struct Document {
    results: Vec<Value>,
    errors: Vec<Value>,
    advice: Vec<String>,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What it is about.
    name: Option<String>,
    fault: Option<FaultCode>,
    message: String,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Problem {
        Problem { name: None, fault: None, message: message.into() }
    }

    pub(crate) fn of(name: &str, message: impl Into<String>) -> Problem {
        Problem { name: Some(name.to_owned()), ..Problem::new(message) }
    }

    pub(crate) fn fault(self, fault: Option<FaultCode>) -> Problem {
        Problem { fault, ..self }
    }

    fn json(&self) -> Value {
        let mut members = Map::new();
        members.insert("message".to_owned(), json!(self.message));
        if let Some(name) = &self.name {
            members.insert("name".to_owned(), json!(name));
        }
        if let Some(fault) = self.fault {
            members.insert("fault".to_owned(), json!(fault.name()));
        }
        Value::Object(members)
    }
}

impl<'a> Report<'a> {
    pub(crate) fn new(
        output: &'a mut dyn Write,
        errors: &'a mut dyn Write,
        terminal: Terminal,
    ) -> Report<'a> {
        Report { output, errors, terminal, tame: None, document: None }
    }

    /// From here to [`Report::end`] everything goes into one document.
    pub(crate) fn begin_document(&mut self) {
        self.document = Some(Document::default());
    }

    /// Writes the document, if one was begun. Who asks no server has none.
    pub(crate) fn end(&mut self, verb: &str, server: Option<&str>, exit_status: u8) {
        let Some(Document { results, errors, advice }) = self.document.take() else { return };
        let document = json!({
            "verb": verb, "server": server, "exit_status": exit_status,
            "results": results, "errors": errors, "advice": advice,
        });
        self.write_line(&document.to_string());
    }

    pub(crate) fn is_json(&self) -> bool {
        self.document.is_some()
    }

    /// For people only: what is no result.
    pub(crate) fn say(&mut self, line: &str) {
        if !self.is_json() {
            self.write_line(line);
        }
    }

    /// A result; `object` belongs into the document.
    pub(crate) fn tell(&mut self, line: &str, object: impl FnOnce() -> Value) {
        match &mut self.document {
            Some(document) => document.results.push(object()),
            None => self.write_line(line),
        }
    }

    /// The same of a line that holds colours of ours, and of others only what was made [`Terminal::shown`].
    pub(crate) fn tell_painted(&mut self, line: &str, object: impl FnOnce() -> Value) {
        match &mut self.document {
            Some(document) => document.results.push(object()),
            // Who no longer listens (`supervisorctl status | head -1`) need not be told so.
            None => drop(writeln!(self.output, "{line}")),
        }
    }

    /// The same of a log.
    pub(crate) fn tell_log(&mut self, text: &str, object: impl FnOnce() -> Value) {
        if self.terminal.output && !self.is_json() {
            let mut tame = Tame::default();
            let shown = tame.pass(text.as_bytes()) + &tame.end();
            return self.tell_painted(&shown, object);
        }
        self.tell_painted(text, object);
    }

    pub(crate) fn complain(&mut self, line: &str, problem: &Problem) {
        match &mut self.document {
            Some(document) => document.errors.push(problem.json()),
            None => self.write_line(line),
        }
    }

    /// The same, on stderr.
    pub(crate) fn complain_aside(&mut self, line: &str, problem: &Problem) {
        // In the order in which it is said, where both go to one terminal.
        let _ = self.flush();
        match &mut self.document {
            Some(document) => document.errors.push(problem.json()),
            // Nobody listens there either; then there is nobody to tell.
            None => drop(writeln!(self.errors, "{}", self.terminal.shown_aside(line))),
        }
    }

    /// What a person might do, if one is there.
    pub(crate) fn advise(&mut self, text: &str) {
        let is_read = self.terminal.errors;
        match &mut self.document {
            Some(document) => document.advice.push(text.to_owned()),
            None if is_read => {
                // What was told stands above the hint.
                let _ = self.output.flush();
                // A hint is a line; what is quoted in it might make several.
                let _ = writeln!(self.errors, "{}", plain(&text.replace('\n', " ")));
            }
            None => {}
        }
    }

    /// Whether a hint would reach anybody.
    pub(crate) fn wants_advice(&self) -> bool {
        self.is_json() || self.terminal.errors
    }

    /// Whether those bytes are taken for text, so that none should come with half a letter.
    pub(crate) fn wants_letters(&self) -> bool {
        self.is_json() || self.terminal.output
    }

    /// Bytes of a log as they come; in JSON a line of its own, ahead of the document. An error: nobody reads any more.
    pub(crate) fn pass_on(
        &mut self,
        bytes: &[u8],
        object: impl FnOnce(&str) -> Value,
    ) -> std::io::Result<()> {
        if bytes.is_empty() {
            return self.flush();
        }
        if self.is_json() {
            let line = object(&String::from_utf8_lossy(bytes)).to_string();
            writeln!(self.output, "{}", self.terminal.shown(&line))?;
        } else if self.terminal.output {
            let shown = self.tame.get_or_insert_default().pass(bytes);
            self.output.write_all(shown.as_bytes())?;
        } else {
            self.output.write_all(bytes)?;
        }
        self.flush()
    }

    /// Behind the last of those bytes, whatever they have left open.
    pub(crate) fn passed_on(&mut self) {
        if let Some(mut tame) = self.tame.take() {
            let _ = write!(self.output, "{}", tame.end());
        }
    }

    /// A question: on stdout without a line end, as Python asks.
    pub(crate) fn ask(&mut self, prompt: &str) {
        let _ = write!(self.output, "{prompt}").and_then(|()| self.output.flush());
    }

    /// A question where stdout is for the answer's use.
    pub(crate) fn ask_aside(&mut self, prompt: &str) {
        let _ = write!(self.errors, "{prompt}").and_then(|()| self.errors.flush());
    }

    pub(crate) fn flush(&mut self) -> std::io::Result<()> {
        self.output.flush()
    }

    fn write_line(&mut self, line: &str) {
        self.passed_on();
        // Who no longer listens (`supervisorctl status | head -1`) need not be told so.
        let _ = writeln!(self.output, "{}", self.terminal.shown(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(is_json: bool, is_read: bool, tell: impl FnOnce(&mut Report<'_>)) -> (String, String) {
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let terminal = Terminal::new(false, is_read, &std::collections::BTreeMap::new());
        let mut report = Report::new(&mut output, &mut errors, terminal);
        if is_json {
            report.begin_document();
        }
        tell(&mut report);
        report.end("try", Some("unix:///s"), 7);
        (String::from_utf8(output).unwrap(), String::from_utf8(errors).unwrap())
    }

    fn everything(report: &mut Report<'_>) {
        report.say("blah");
        report.tell("a: done", || json!({"name": "a"}));
        report.complain("b: ERROR (no)", &Problem::of("b", "no").fault(Some(FaultCode::BadName)));
        report.complain_aside("aside", &Problem::new("aside"));
        report.advise("try again");
        report.pass_on(b"raw", |text| json!({"text": text})).unwrap();
    }

    #[test]
    fn people_get_lines_as_they_come() {
        let (output, errors) = told(false, true, everything);
        assert_eq!(
            (output.as_str(), errors.as_str()),
            ("blah\na: done\nb: ERROR (no)\nraw", "aside\ntry again\n")
        );
    }

    #[test]
    fn hints_are_for_whoever_can_read_them() {
        assert_eq!(told(false, false, |report| report.advise("try again")).1, "");
        assert_eq!(told(false, true, |report| report.advise("try\nagain")).1, "try again\n");
    }

    #[test]
    fn a_log_in_json_gives_a_terminal_no_orders() {
        let mut output = Vec::new();
        let terminal = Terminal::new(true, false, &std::collections::BTreeMap::new());
        let mut errors = Vec::new();
        let mut report = Report::new(&mut output, &mut errors, terminal);
        report.begin_document();
        report.pass_on("\u{9b}2J".as_bytes(), |text| json!({"text": text})).unwrap();
        assert_eq!(String::from_utf8(output).unwrap(), "{\"text\":\"<U+009B>2J\"}\n");
    }

    #[test]
    fn programs_get_one_document_behind_what_streams() {
        let (output, errors) = told(true, false, everything);
        assert_eq!(errors, "");
        let (first, document) = output.split_once('\n').unwrap();
        assert_eq!(first, r#"{"text":"raw"}"#);
        let wanted = json!({
            "verb": "try", "server": "unix:///s", "exit_status": 7,
            "results": [{"name": "a"}],
            "errors": [{"name": "b", "fault": "BAD_NAME", "message": "no"}, {"message": "aside"}],
            "advice": ["try again"],
        });
        assert_eq!(serde_json::from_str::<Value>(document).unwrap(), wanted);
    }
}
