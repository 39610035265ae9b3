//! Each method: the command it stands for, and the value its reply becomes (SPEC 6.4, 6.8).

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use provost_core::{Command, LogDeed, Reply, StatusEntry, Target, Upgraded};
use provost_wire::xmlrpc::Call;
use provost_wire::{Fault, FaultCode, Value};

use super::arguments::Arguments;
use super::describe;
use super::faults::{code_and_text, fault};
use super::history;
use super::listeners;
use super::namespaces::Found;
use super::updates;
use super::{Rpc, int, refusal};
use crate::log_address::Output;
use crate::logs::{self, Allowance, LogError, no_room};
use crate::pools::Troubles;

/// The version of the interface, which clients compare (SPEC 6.4).
const API_VERSION: &str = "3.0";

/// How many seconds an upgrade may take, where the client does not say.
const PATIENCE: i64 = 10;
/// An hour: what is not ready by then never will be.
const MOST_PATIENCE: u64 = 3600;

/// The results of one multicall, in memory; those that follow are refused.
const MOST_RESULTS: usize = 64 << 20;

impl Rpc<'_> {
    /// Calls a method by name.
    pub(crate) async fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, Fault> {
        if method == "system.multicall" {
            return self.multicall(Arguments::new(params)).await;
        }
        self.call_one(method, params).await
    }

    /// The command behind a call for all processes, if it can be answered.
    pub(crate) fn listing(&self, call: &Call) -> Option<Command> {
        // Most calls are for something else, which is seen sooner than what exactly they are for.
        if !call.method.ends_with(".getAllProcessInfo") || !call.params.is_empty() {
            return None;
        }
        let found = self.session.shared.facts.namespaces.find(&call.method)?;
        matches!(found, Found::Supervisor(_)).then_some(Command::AllProcessInfo)
    }

    async fn call_one(&self, method: &str, params: Vec<Value>) -> Result<Value, Fault> {
        let found = self.session.shared.facts.namespaces.find(method).ok_or_else(unknown_method)?;
        let row = found.row();
        if !row.admits(params.len()) {
            return Err(Fault::new(FaultCode::IncorrectParameters, None));
        }
        let mut args = Arguments::new(params);
        let is_system = matches!(found, Found::System(_));
        let answer = match found {
            Found::System(_) => self.system(row.name, &mut args),
            Found::Supervisor(_) => {
                self.supervisor(row.name.trim_start_matches("supervisor."), &mut args).await
            }
            Found::Own(_) => self.own(row.name, &mut args).await,
            Found::Twiddler(_, whitelist) => self.twiddler(row.name, whitelist, &mut args).await,
        };
        match answer {
            // A supervisor that ends says so, whatever the arguments are.
            Err(fault) if fault.kind() == Some(FaultCode::IncorrectParameters) && !is_system => {
                self.alive().await.and(Err(fault))
            }
            answer => answer,
        }
    }

    fn system(&self, method: &str, args: &mut Arguments) -> Result<Value, Fault> {
        let names = &self.session.shared.facts.namespaces;
        // What is no text names no method.
        let mut row = || {
            let found = args.text().ok().and_then(|method| names.find(&method).map(Found::row));
            found.ok_or_else(|| Fault::new(FaultCode::SignatureUnsupported, None))
        };
        match method {
            "system.listMethods" => Ok(Value::Array(names.names().into_iter().map(Value::from).collect())),
            "system.methodHelp" => Ok(row()?.help.into()),
            "system.methodSignature" => Ok(Value::Array(row()?.signature().map(Value::from).collect())),
            _ => Err(unknown_method()),
        }
    }

    async fn supervisor(&self, method: &str, args: &mut Arguments) -> Result<Value, Fault> {
        match method {
            "getAPIVersion" => self.fact(API_VERSION.into()).await,
            "getSupervisorVersion" => {
                self.fact(self.session.shared.facts.supervisor_version.as_str().into()).await
            }
            "getIdentification" => self.fact(self.session.shared.facts.identifier.as_str().into()).await,
            "getPID" => self.fact(self.session.shared.facts.pid.into()).await,
            // Only a running supervisor ever answers this; the others are faults (SPEC 6.4).
            "getState" => {
                self.fact(Value::members([("statecode", 1.into()), ("statename", "RUNNING".into())])).await
            }
            "shutdown" => self.done(Command::Shutdown).await,
            "restart" => self.done(Command::Reload).await,
            "reloadConfig" => self.done(Command::Reread).await,
            "addProcessGroup" => self.done(Command::AddGroup { name: args.text()? }).await,
            "removeProcessGroup" => self.done(Command::RemoveGroup { name: args.text()? }).await,
            "getProcessInfo" => self.done(Command::ProcessInfo { name: args.text()? }).await,
            "getAllProcessInfo" => self.done(Command::AllProcessInfo).await,
            "getAllConfigInfo" => self.done(Command::AllConfigInfo).await,
            "startProcess" => self.start(Target::named(args.text()?), args).await,
            "startProcessGroup" => self.start(Target::group(args.text()?), args).await,
            "startAllProcesses" => self.start(Target::all(), args).await,
            "stopProcess" => self.stop(Target::named(args.text()?), args).await,
            "stopProcessGroup" => self.stop(Target::group(args.text()?), args).await,
            "stopAllProcesses" => self.stop(Target::all(), args).await,
            "signalProcess" => self.signal(Target::named(args.text()?), args).await,
            "signalProcessGroup" => self.signal(Target::group(args.text()?), args).await,
            "signalAllProcesses" => self.signal(Target::all(), args).await,
            "sendProcessStdin" => {
                self.done(Command::SendStdin { name: args.text()?, chars: args.chars()? }).await
            }
            "sendRemoteCommEvent" => {
                self.done(Command::RemoteEvent { kind: args.text()?, data: args.text()? }).await
            }
            "clearLog" => self.clear_main_log().await,
            "clearProcessLogs" => self.clear(args.text()?).await,
            "clearAllProcessLogs" => self.logs(Target::all(), LogDeed::Clear).await,
            "readLog" => self.read_main_log(args).await,
            "readProcessStdoutLog" => self.read_log(Output::Stdout, args).await,
            "readProcessStderrLog" => self.read_log(Output::Stderr, args).await,
            "tailProcessStdoutLog" => self.tail_log(Output::Stdout, args).await,
            "tailProcessStderrLog" => self.tail_log(Output::Stderr, args).await,
            _ => Err(unknown_method()),
        }
    }

    /// What Supervisor does not have.
    async fn own(&self, method: &str, args: &mut Arguments) -> Result<Value, Fault> {
        match method {
            "provost.getProcessHistory" => self.done(Command::ProcessHistory { name: args.text()? }).await,
            "provost.getListeners" => self.listeners().await,
            "provost.restartProcess" => self.restart(Target::named(args.text()?), args).await,
            "provost.startProcesses" => self.start(Target::matching(args.names()?), args).await,
            "provost.stopProcesses" => self.stop(Target::matching(args.names()?), args).await,
            "provost.restartProcesses" => self.restart(Target::matching(args.names()?), args).await,
            "provost.signalProcesses" => self.signal(Target::matching(args.names()?), args).await,
            "provost.waitForState" => self.wait_for_state(args).await,
            "provost.restartAllProcesses" => self.restart(Target::all(), args).await,
            "provost.rotateProcessLogs" => self.logs(Target::named(args.text()?), LogDeed::Rotate).await,
            "provost.rotateAllLogs" => self.logs(Target::all(), LogDeed::Rotate).await,
            "provost.reopenLogs" => {
                let target = args.text_if_any()?.map_or_else(Target::all, Target::named);
                self.logs(target, LogDeed::Reopen).await
            }
            "provost.updateGroup" => {
                let name = args.text()?;
                self.done(Command::UpdateGroup { name, restart_all: args.flag(false)? }).await
            }
            "provost.compareConfig" => self.done(Command::CompareConfig).await,
            "provost.upgrade" => self.upgrade(args).await,
            _ => Err(unknown_method()),
        }
    }

    // --- commands ---

    pub(super) async fn done(&self, command: Command) -> Result<Value, Fault> {
        Ok(value(self.ask(command).await?, || self.session.troubles()))
    }

    pub(super) async fn fact(&self, fact: Value) -> Result<Value, Fault> {
        self.alive().await.map(|()| fact)
    }

    async fn start(&self, target: Target, args: &mut Arguments) -> Result<Value, Fault> {
        self.done(Command::Start { target, wait: args.flag(true)? }).await
    }

    async fn stop(&self, target: Target, args: &mut Arguments) -> Result<Value, Fault> {
        self.done(Command::Stop { target, wait: args.flag(true)? }).await
    }

    async fn restart(&self, target: Target, args: &mut Arguments) -> Result<Value, Fault> {
        self.done(Command::Restart { target, wait: args.flag(true)? }).await
    }

    async fn signal(&self, target: Target, args: &mut Arguments) -> Result<Value, Fault> {
        self.done(Command::Signal { target, signal: args.signal()? }).await
    }

    async fn listeners(&self) -> Result<Value, Fault> {
        self.alive().await?;
        let pools = self.session.pools().map_err(refusal)?;
        Ok(Value::Array(pools.iter().map(listeners::pool).collect()))
    }

    async fn upgrade(&self, args: &mut Arguments) -> Result<Value, Fault> {
        let seconds = args.int_or(PATIENCE)?;
        let seconds =
            u64::try_from(seconds).ok().filter(|s| (1..=MOST_PATIENCE).contains(s)).ok_or_else(|| {
                let why = format!("{seconds} seconds: give 1 to {MOST_PATIENCE}");
                Fault::new(FaultCode::IncorrectParameters, Some(&why))
            })?;
        self.done(Command::Upgrade { patience: Duration::from_secs(seconds) }).await
    }

    // --- logs ---

    async fn logs(&self, target: Target, deed: LogDeed) -> Result<Value, Fault> {
        self.done(Command::Logs { target, deed }).await
    }

    /// Of one process: as with 4.3.0, a whole group has no logs that could be cleared by this.
    async fn clear(&self, name: String) -> Result<Value, Fault> {
        match name.split_once(':') {
            Some((_, "" | "*")) => {
                self.alive().await?;
                Err(Fault::new(FaultCode::BadName, Some(&name)))
            }
            _ => self.logs(Target::named(name), LogDeed::Clear).await,
        }
    }

    async fn clear_main_log(&self) -> Result<Value, Fault> {
        self.alive().await?;
        let no_file = || Fault::new(FaultCode::NoFile, None);
        let path = self.session.shared.facts.logfile.clone().ok_or_else(no_file)?;
        let file = path.clone();
        if !self.at(&path, move || file.exists()).await? {
            return Err(no_file());
        }
        self.done(Command::MainLog { deed: LogDeed::Clear }).await
    }

    async fn read_main_log(&self, args: &mut Arguments) -> Result<Value, Fault> {
        let (offset, length) = (args.int()?, args.int()?);
        self.alive().await?;
        self.read(self.session.main_log().map_err(refusal)?, offset, length).await
    }

    async fn read_log(&self, output: Output, args: &mut Arguments) -> Result<Value, Fault> {
        let (path, offset, length) = (self.log_path(output, args.text()?).await?, args.int()?, args.int()?);
        self.read(path, offset, length).await
    }

    async fn tail_log(&self, output: Output, args: &mut Arguments) -> Result<Value, Fault> {
        let (path, offset, length) = (self.log_path(output, args.text()?).await?, args.int()?, args.int()?);
        let nothing = logs::Tail { text: String::new(), offset: 0, overflow: false };
        let (tail, _room) = match path {
            None => (nothing, self.room_for_log()),
            Some(path) => {
                let (open_log, mut room) = (self.session.shared.facts.open_log, self.room_for_log());
                let log = path.clone();
                let read = move || (logs::tail(&log, open_log, offset, length, &mut room), room);
                self.at(&path, read).await?
            }
        };
        self.spend(&tail.text);
        Ok(Value::Array(vec![tail.text.into(), int(tail.offset), tail.overflow.into()]))
    }

    async fn read(&self, path: Option<PathBuf>, offset: i64, length: i64) -> Result<Value, Fault> {
        let Some(path) = path else { return Err(Fault::new(FaultCode::NoFile, None)) };
        let shown = path.to_string_lossy().into_owned();
        let (open_log, mut room) = (self.session.shared.facts.open_log, self.room_for_log());
        let log = path.clone();
        let read = move || (logs::read(&log, open_log, offset, length, &mut room), room);
        // The room is given back when the text is the answer, or among several that have taken room for it.
        let (read, _room) = self.at(&path, read).await?;
        match read {
            Ok(text) => {
                self.spend(&text);
                Ok(text.into())
            }
            Err(LogError::BadArguments) => Err(Fault::new(FaultCode::BadArguments, None)),
            Err(LogError::NoFile) => Err(Fault::new(FaultCode::NoFile, Some(&shown))),
            Err(LogError::Failed(why)) => Err(Fault::new(FaultCode::Failed, Some(&why))),
            Err(LogError::TooMuch) => {
                let why = format!("{shown} is too large for one answer, read it in pieces");
                Err(Fault::new(FaultCode::Failed, Some(&why)))
            }
            Err(LogError::NoRoom) => Err(Fault::new(FaultCode::Failed, Some(&no_room(&shown)))),
        }
    }

    /// Does something with a file, where a slow disk delays nobody else.
    async fn at<T: Send + 'static>(
        &self,
        path: &Path,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let failed = |e: std::io::Error| Fault::new(FaultCode::Failed, Some(&e.to_string()));
        self.session.shared.disks.ask(path, work).await.map_err(failed)
    }

    fn room_for_log(&self) -> Allowance {
        Allowance::new(self.log_bytes.load(Ordering::Relaxed), self.answers)
    }

    fn spend(&self, text: &str) {
        let spent = text.len() as u64;
        // One request is answered by one task, so nobody comes between.
        let left = self.log_bytes.load(Ordering::Relaxed).saturating_sub(spent);
        self.log_bytes.store(left, Ordering::Relaxed);
    }

    async fn log_path(&self, output: Output, name: String) -> Result<Option<PathBuf>, Fault> {
        self.session.log_path(&name, output).await.map_err(refusal)
    }

    // --- several calls in one ---

    async fn multicall(&self, mut args: Arguments) -> Result<Value, Fault> {
        let (mut results, mut room, mut has_room) = (Vec::new(), self.answers.none(), true);
        for call in args.array()? {
            let result = match multicall_entry(&call) {
                // What is not answered is not done either.
                Ok(_) if !has_room => Err(too_much()),
                Ok((method, params)) => Box::pin(self.call_one(&method, params)).await,
                Err(fault) => Err(fault),
            };
            let result = result.unwrap_or_else(|fault| {
                Value::members([("faultCode", fault.code.into()), ("faultString", fault.text.into())])
            });
            has_room = has_room && room.size() < MOST_RESULTS && room.grow(result.footprint());
            results.push(result);
        }
        Ok(Value::Array(results))
    }
}

fn too_much() -> Fault {
    let why =
        "the answers to the calls before this one are as much as is held at a time; ask for less at once";
    Fault::new(FaultCode::Failed, Some(why))
}

fn multicall_entry(call: &Value) -> Result<(String, Vec<Value>), Fault> {
    let incorrect = |detail| Fault::new(FaultCode::IncorrectParameters, Some(detail));
    let method = call.get("methodName").and_then(Value::as_str).ok_or_else(|| incorrect("No methodName"))?;
    if method == "system.multicall" {
        return Err(incorrect("Recursive system.multicall forbidden"));
    }
    let params = match call.get("params") {
        None => Vec::new(),
        Some(Value::Array(params)) => params.clone(),
        // Clients in PHP cannot tell an empty array from an empty struct, and some send an empty `<value>`.
        Some(Value::Struct(members)) if members.is_empty() => Vec::new(),
        Some(Value::Str(text)) if text.is_empty() => Vec::new(),
        Some(_) => return Err(Fault::new(FaultCode::IncorrectParameters, None)),
    };
    Ok((method.to_owned(), params))
}

/// A reply as clients see it. Where it tells of processes, `troubles` tells what is amiss with listeners among them.
fn value(reply: Reply, troubles: impl FnOnce() -> Troubles) -> Value {
    let names = |names: Vec<String>| Value::Array(names.into_iter().map(Value::from).collect());
    match reply {
        Reply::Done => true.into(),
        Reply::Statuses(entries) => Value::Array(entries.iter().map(status).collect()),
        Reply::Info(info) => describe::info(&info, &troubles()),
        Reply::History(told) => history::told(&told),
        Reply::Infos(infos) => {
            let troubles = troubles();
            Value::Array(infos.iter().map(|info| describe::info(info, &troubles)).collect())
        }
        Reply::Upgraded(Upgraded { from, to, keeper }) => Value::members([
            ("from", from.into()),
            ("to", to.into()),
            ("keeper", keeper.err().unwrap_or_default().into()),
        ]),
        Reply::Configured(all) => Value::Array(all.iter().map(describe::config).collect()),
        // An array of one array of three arrays: clients take it apart exactly so.
        Reply::Reread { added, changed, removed } => {
            Value::Array(vec![Value::Array(vec![names(added), names(changed), names(removed)])])
        }
        Reply::Names(all) => names(all),
        Reply::Updated(all) => Value::Array(all.iter().map(updates::updated).collect()),
        Reply::Compared(groups) => Value::Array(groups.iter().map(updates::difference).collect()),
        // `ask` has turned faults into errors.
        Reply::Fault(f) => Value::Str(fault(f).text),
    }
}

fn status(entry: &StatusEntry) -> Value {
    let (code, text) = code_and_text(&entry.result);
    Value::members([
        ("name", (&*entry.name).into()),
        ("group", (&*entry.group).into()),
        ("status", code.into()),
        ("description", text.into()),
    ])
}

pub(super) fn unknown_method() -> Fault {
    Fault::new(FaultCode::UnknownMethod, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_core::Fault as CoreFault;

    #[test]
    fn what_changed_is_an_array_of_one_array_of_three() {
        let reply = Reply::Reread { added: vec!["a".into()], changed: vec![], removed: vec!["r".into()] };
        let names = |names: &[&str]| Value::Array(names.iter().map(|n| (*n).into()).collect());
        let expected = Value::Array(vec![Value::Array(vec![names(&["a"]), names(&[]), names(&["r"])])]);
        assert_eq!(value(reply, Troubles::default), expected);
    }

    #[test]
    fn a_result_among_several_carries_code_and_text() {
        let entry = StatusEntry {
            name: "web_00".into(),
            group: "web".into(),
            result: Err(CoreFault::SpawnError { name: "web:web_00".into() }),
        };
        let shown = status(&entry);
        assert_eq!(shown.get("status"), Some(&50.into()));
        assert_eq!(shown.get("description"), Some(&"SPAWN_ERROR: web:web_00".into()));
    }

    #[test]
    fn a_multicall_may_not_contain_itself_or_nothing() {
        let entry = |name: &str| Value::members([("methodName", name.into())]);
        assert_eq!(multicall_entry(&entry("a.b")).unwrap(), ("a.b".into(), vec![]));
        let text = |value: &Value| multicall_entry(value).unwrap_err().text;
        assert_eq!(
            text(&entry("system.multicall")),
            "INCORRECT_PARAMETERS: Recursive system.multicall forbidden"
        );
        assert_eq!(text(&Value::Int(3)), "INCORRECT_PARAMETERS: No methodName");
        let with = |params: Value| {
            multicall_entry(&Value::members([("methodName", "a.b".into()), ("params", params)]))
        };
        assert_eq!(with(vec![1.into()].into()).unwrap().1, [1.into()]);
        assert_eq!(with(Value::Struct(vec![])).unwrap().1, []);
        assert_eq!(with(Value::Nil).unwrap_err().text, "INCORRECT_PARAMETERS");
    }
}
