//! Who did what: a line of the main log for every command that changes something, and for each that was refused for want of a
//! right; on request also as JSON, a line each, in a file of its own.
//!
//! A line is written when the command is answered, whether or not somebody is still there to hear it. What comes from outside is
//! quoted, so that nobody writes lines of his own. The file has a thread, so that its disk is nobody's affair.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::time::Duration;

use jiff::Timestamp;
use provost_api::{Asked, By, Report, fault_text};
use provost_core::{
    Command, Fate, Fault, LogDeed, MAIN_LOG, Reply, StatusEntry, Target, UpdatedProcess, Wall, Which,
};
use serde_json::json;

use crate::logs::{OpenHow, append_to};
use crate::thread;

/// Lines that may wait for the file.
const MOST_WAITING: usize = 4096;
/// How long the end waits for the last lines. A disk that hangs does not keep a daemon from ending.
const LAST_LINES: Duration = Duration::from_secs(1);
/// How many failures of one command are named.
const MOST_NAMED: usize = 5;
/// Letters of a name, or of a result. Real ones have fewer; who may do nothing may still send megabytes.
const LONGEST: usize = 500;

/// Something that is being done for somebody.
#[derive(Debug)]
pub(crate) struct Deed {
    by: Arc<By>,
    action: String,
    target: String,
}

impl Deed {
    /// What is asked, if it changes anything.
    pub(crate) fn of(asked: &Asked) -> Option<Deed> {
        let (action, target) = words(&asked.command)?;
        Some(Deed { by: Arc::clone(&asked.by), action: short(action), target: short(target) })
    }

    /// This brain goes before it is done.
    pub(crate) fn left(self) -> Entry {
        let result = "left to the next brain".to_owned();
        Entry { by: self.by, action: self.action, target: self.target, ok: false, result }
    }

    pub(crate) fn answered(self, reply: &Reply) -> Entry {
        let (ok, result) = result(reply);
        Entry { by: self.by, action: self.action, target: self.target, ok, result: short(result) }
    }
}

/// Something that has been done, or has not.
#[derive(Debug)]
pub(crate) struct Entry {
    by: Arc<By>,
    action: String,
    target: String,
    ok: bool,
    result: String,
}

impl Entry {
    /// A command that went no further than the gate. `None` for what changes nothing, and for what is no command.
    pub(crate) fn denied(report: &Report) -> Option<Entry> {
        let (by, command, result) = match report {
            Report::Denied { by, command, missing } => {
                (by, command, format!("denied, may not {}", missing.word()))
            }
            Report::Hidden { by, command, name } => {
                (by, command, short(fault_text(Fault::BadName { name: name.clone() })))
            }
            Report::Warning(_) => return None,
        };
        let (action, target) = words(command)?;
        Some(Entry { by: Arc::clone(by), action: short(action), target: short(target), ok: false, result })
    }

    pub(crate) fn line(&self) -> String {
        let By { user, from, door } = &*self.by;
        let user = user.as_deref().unwrap_or("-");
        let words = [
            ("user", user),
            ("from", from),
            ("door", door),
            ("action", &self.action),
            ("target", &self.target),
            ("result", &self.result),
        ];
        words.iter().fold("audit:".to_owned(), |line, (key, value)| format!("{line} {key}={}", quoted(value)))
    }

    fn json(&self, at: Wall) -> String {
        let time = Timestamp::from_millisecond(at.0).unwrap_or_default().to_string();
        let By { user, from, door } = &*self.by;
        let entry = json!({
            "time": time, "user": user, "from": from, "door": door,
            "action": self.action, "target": self.target, "ok": self.ok, "result": self.result,
        });
        format!("{entry}\n")
    }
}

/// The verb and whom it is for, of a command that changes something.
fn words(command: &Command) -> Option<(String, String)> {
    let one = |action: &str, target: &str| Some((action.to_owned(), target.to_owned()));
    match command {
        Command::Ping
        | Command::CompareConfig
        | Command::ProcessInfo { .. }
        | Command::ProcessHistory { .. }
        | Command::AllProcessInfo
        | Command::AllConfigInfo
        | Command::GroupNames => None,
        Command::Start { target, .. } => one("start", &named(target)),
        Command::Stop { target, .. } => one("stop", &named(target)),
        Command::Restart { target, .. } => one("restart", &named(target)),
        Command::Signal { target, signal } => one(&format!("signal {signal}"), &named(target)),
        // What is said may be a secret.
        Command::SendStdin { name, .. } => one("send", name),
        Command::RemoteEvent { kind, .. } => one("event", kind),
        Command::Logs { target, deed } => one(log_deed(*deed), &named(target)),
        Command::MainLog { deed } => one(log_deed(*deed), MAIN_LOG),
        Command::Reread => one("reread", "-"),
        Command::AddProgram { group, program, .. } => one("add program", &format!("{group}:{program}")),
        Command::RemoveProcess { group, process } => one("remove process", &format!("{group}:{process}")),
        Command::WriteLog { .. } => one("log", MAIN_LOG),
        Command::AddGroup { name } => one("add", name),
        Command::UpdateGroup { name, restart_all: false } => one("update", name),
        Command::UpdateGroup { name, restart_all: true } => one("update and restart", name),
        Command::RemoveGroup { name } => one("remove", name),
        Command::Shutdown => one("shutdown", "-"),
        Command::Reload => one("reload", "-"),
        Command::Upgrade { .. } => one("upgrade", "-"),
    }
}

fn log_deed(deed: LogDeed) -> &'static str {
    match deed {
        LogDeed::Clear => "clear",
        LogDeed::Rotate => "rotate",
        LogDeed::Reopen => "reopen",
    }
}

fn named(target: &Target) -> String {
    match &target.which {
        Which::Named(name) => name.clone(),
        Which::Group(name) => format!("{name}:*"),
        Which::Matching(names) => names.join(" "),
        Which::All => "all".to_owned(),
    }
}

fn result(reply: &Reply) -> (bool, String) {
    match reply {
        Reply::Fault(fault) => (false, fault_text(fault.clone())),
        Reply::Statuses(entries) => of_several(entries),
        Reply::Updated(processes) => of_several(&updated(processes)),
        Reply::Done
        | Reply::Info(_)
        | Reply::History(_)
        | Reply::Infos(_)
        | Reply::Names(_)
        | Reply::Reread { .. }
        | Reply::Configured(_)
        | Reply::Compared(_)
        | Reply::Upgraded(_) => (true, "OK".to_owned()),
    }
}

/// What was done to each process that there is something to say of.
fn updated(processes: &[UpdatedProcess]) -> Vec<StatusEntry> {
    let touched = processes.iter().filter(|process| process.fate != Fate::Untouched);
    let entry = |p: &UpdatedProcess| StatusEntry {
        name: Arc::clone(&p.name),
        group: Arc::clone(&p.group),
        result: p.result.clone(),
    };
    touched.map(entry).collect()
}

fn of_several(entries: &[StatusEntry]) -> (bool, String) {
    let failures: Vec<String> = entries
        .iter()
        .filter_map(|entry| entry.result.as_ref().err())
        .map(|fault| fault_text(fault.clone()))
        .collect();
    if failures.is_empty() {
        return (true, format!("OK, {} processes", entries.len()));
    }
    let named = failures.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    let more = if failures.len() > MOST_NAMED { "; …" } else { "" };
    (false, format!("{} of {} failed: {named}{more}", failures.len(), entries.len()))
}

/// No longer than anybody would read.
fn short(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

/// As it is where that is one plain word, else in quotes, with everything escaped that could end a line or hide one.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_graphic() && !matches!(letter, '"' | '\\');
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { format!("{text:?}") }
}

/// The file for those who want to read it by machine.
#[derive(Debug)]
pub(crate) struct AuditFile {
    lines: SyncSender<String>,
    /// Closed when all is written.
    written: Receiver<()>,
    /// What has had no room, or no disk, since that was last said.
    lost: u64,
}

impl AuditFile {
    /// Starts its thread, which tells `complain` once whenever the file cannot be written.
    pub(crate) fn open(path: PathBuf, complain: impl Fn(String) + Send + 'static) -> io::Result<AuditFile> {
        let (lines, waiting) = sync_channel(MOST_WAITING);
        let (writing, written) = channel();
        thread::start("audit", move || {
            write_all(&path, &waiting, complain);
            drop(writing);
        })?;
        Ok(AuditFile { lines, written, lost: 0 })
    }

    /// Nothing more comes: waits until what came is written.
    pub(crate) fn finish(self) {
        self.finish_within(LAST_LINES);
    }

    fn finish_within(self, patience: Duration) {
        drop(self.lines);
        let _ = self.written.recv_timeout(patience);
    }

    /// What the main log should say about it, if anything.
    pub(crate) fn write(&mut self, entry: &Entry, at: Wall) -> Option<String> {
        match self.lines.try_send(entry.json(at)) {
            Ok(()) if self.lost > 0 => {
                let lost = std::mem::take(&mut self.lost);
                Some(format!("{lost} lines are missing in the audit file, its disk was too slow"))
            }
            Ok(()) | Err(TrySendError::Disconnected(_)) => None,
            Err(TrySendError::Full(_)) => {
                self.lost += 1;
                None
            }
        }
    }
}

/// Opened for each line: whoever moves the file away, to rotate it, need not tell anybody.
fn write_all(path: &Path, lines: &Receiver<String>, complain: impl Fn(String)) {
    let how = OpenHow { mode: Some(0o600), ..OpenHow::default() };
    let (mut lost, mut is_torn) = (0_u64, false);
    for line in lines {
        // What a full disk has cut short ends there, and takes no other line with it.
        let line = if is_torn { format!("\n{line}") } else { line };
        let written = append_to(path, &how).and_then(|file| append(file, line.as_bytes(), &mut is_torn));
        match written {
            Ok(()) if lost > 0 => {
                complain(format!("{lost} lines are missing in the audit file {}", path.display()));
                lost = 0;
            }
            Ok(()) => {}
            Err(e) => {
                if lost == 0 {
                    complain(format!("cannot write the audit file {}: {e}", path.display()));
                }
                lost += 1;
            }
        }
    }
}

/// Writes a line, and takes note where it leaves the file in the middle of one.
fn append(mut file: impl Write, line: &[u8], is_torn: &mut bool) -> io::Result<()> {
    let mut rest = line;
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                rest = &rest[n..];
                *is_torn = !rest.is_empty();
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_core::Permission;

    fn by(user: Option<&str>) -> Arc<By> {
        let (from, door) = ("127.0.0.1:5".to_owned(), "inet_http_server".to_owned());
        Arc::new(By { user: user.map(str::to_owned), from, door })
    }

    fn line(command: Command, user: Option<&str>, reply: &Reply) -> String {
        Deed::of(&Asked { command, by: by(user) }).unwrap().answered(reply).line()
    }

    #[test]
    fn a_line_says_who_did_what_from_where_and_how_it_went() {
        let start = || Command::Start { target: Target::named("web"), wait: true };
        assert_eq!(
            line(start(), Some("ann"), &Reply::Done),
            "audit: user=ann from=127.0.0.1:5 door=inet_http_server action=start target=web result=OK"
        );
        let fault = Reply::Fault(Fault::AlreadyStarted { name: "web".into() });
        assert!(line(start(), None, &fault).starts_with("audit: user=- from="));
        assert!(line(start(), None, &fault).ends_with(r#"result="ALREADY_STARTED: web""#));
        let asked = Asked { command: Command::AllProcessInfo, by: by(None) };
        assert!(Deed::of(&asked).is_none(), "looking changes nothing");
    }

    #[test]
    fn nobody_writes_a_line_of_his_own() {
        let name = "x\n2026-11-23 01:00:00,000 INFO audit: user=root";
        let command = Command::Stop { target: Target::named(name), wait: true };
        let line =
            line(command, Some("a b\u{1b}[2J\u{202e}"), &Reply::Fault(Fault::BadName { name: name.into() }));
        assert!(!line.contains(['\n', '\u{1b}', '\u{202e}']), "{line:?}");
        assert_eq!(line.matches("action=").count(), 1);
    }

    #[test]
    fn nobody_writes_megabytes() {
        let name = "é".repeat(1 << 20);
        let command = || Command::Signal { target: Target::named(&name), signal: name.clone() };
        let answered = line(command(), Some("ann"), &Reply::Fault(Fault::BadName { name: name.clone() }));
        let report = Report::Denied { by: by(Some("eve")), command: command(), missing: Permission::Signal };
        let denied = Entry::denied(&report).unwrap();
        for line in [answered, denied.line(), denied.json(Wall(0))] {
            assert!(line.len() < 4000 && line.contains("éé…"), "{}", line.len());
        }
    }

    #[test]
    fn several_failures_are_counted_and_some_of_them_named() {
        let entry = |n: u32, result| StatusEntry { name: format!("p{n}").into(), group: "g".into(), result };
        let failed = |n: u32| entry(n, Err(Fault::SpawnError { name: format!("g:p{n}") }));
        let many: Vec<_> = (0..7).map(failed).chain([entry(7, Ok(()))]).collect();
        let (ok, text) = result(&Reply::Statuses(many));
        assert!(
            !ok && text.starts_with("7 of 8 failed: SPAWN_ERROR: g:p0; ") && text.ends_with("; …"),
            "{text}"
        );
        assert_eq!(result(&Reply::Statuses(vec![entry(1, Ok(()))])), (true, "OK, 1 processes".to_owned()));
    }

    #[test]
    fn at_the_end_all_that_came_is_written() {
        let path = std::env::temp_dir().join(format!("provost-audit-{}", std::process::id()));
        let mut file = AuditFile::open(path.clone(), |_: String| {}).unwrap();
        let report =
            Report::Denied { by: by(Some("eve")), command: Command::Shutdown, missing: Permission::Shutdown };
        let entry = Entry::denied(&report).unwrap();
        for _ in 0..MOST_WAITING {
            assert_eq!(file.write(&entry, Wall(0)), None);
        }
        // Thousands wait, and a test machine may be slow.
        file.finish_within(Duration::from_secs(30));
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text.lines().count(), MOST_WAITING);
    }

    #[test]
    fn what_was_denied_is_told_too() {
        let report =
            Report::Denied { by: by(Some("eve")), command: Command::Shutdown, missing: Permission::Shutdown };
        let entry = Entry::denied(&report).unwrap();
        assert!(entry.line().ends_with(r#"action=shutdown target=- result="denied, may not shutdown""#));
        let json: serde_json::Value = serde_json::from_str(&entry.json(Wall(1_795_344_000_123))).unwrap();
        assert_eq!((&json["user"], &json["ok"]), (&json!("eve"), &json!(false)));
        assert_eq!(json["time"], "2026-11-22T10:40:00.123Z");
    }
}
