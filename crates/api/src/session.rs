//! One caller's access to the supervisor: every command goes through the gate, and what comes back shows what the caller may see.

use std::path::PathBuf;
use std::sync::Arc;

use provost_core::{Command, Fault, ProcessInfo, Reply};

use crate::gate::{self, Caller, Denied, Refused};
use crate::inbox::{Asked, Report, ask};
use crate::log_address::Output;
use crate::pools::{PoolReport, Troubles};
use crate::shared::Shared;

/// For one request, or for as long as a stream lasts.
#[derive(Clone, Copy)]
pub(crate) struct Session<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) caller: &'a Caller,
}

impl Session<'_> {
    /// Gives a command, if the caller may.
    pub(crate) async fn ask(&self, mut command: Command) -> Result<Reply, Refused> {
        let given = match &command {
            Command::ProcessInfo { name } | Command::ProcessHistory { name } => Some(name.clone()),
            _ => None,
        };
        if let Err(denied) = gate::check(self.caller, &mut command) {
            return Err(self.refuse(denied, command));
        }
        let reply = self.send(command).await?;
        match gate::seen(self.caller, reply, given) {
            Reply::Fault(fault) => Err(fault.into()),
            reply => Ok(reply),
        }
    }

    /// The log of a process that is to be read, if there is one.
    pub(crate) async fn log_path(&self, name: &str, output: Output) -> Result<Option<PathBuf>, Refused> {
        let info = self.logged(name).await?;
        let path = match output {
            Output::Stdout => info.stdout_logfile,
            Output::Stderr => info.stderr_logfile,
        };
        Ok(path.map(|path| path.to_path_buf()))
    }

    async fn logged(&self, name: &str) -> Result<Box<ProcessInfo>, Refused> {
        let command = Command::ProcessInfo { name: name.to_owned() };
        gate::check_log(self.caller).map_err(|denied| self.refuse(denied, command.clone()))?;
        let reply = self.send(command).await?;
        match gate::seen(self.caller, reply, Some(name.to_owned())) {
            Reply::Info(info) => Ok(info),
            Reply::Fault(fault) => Err(fault.into()),
            other => Err(Fault::Failed { detail: format!("unexpected reply {other:?}") }.into()),
        }
    }

    /// The main log, if it is a file.
    pub(crate) fn main_log(&self) -> Result<Option<PathBuf>, Refused> {
        // No command is given: the log is a file like any other.
        gate::check_main_log(self.caller).map_err(|denied| self.not_allowed(denied))?;
        Ok(self.shared.facts.logfile.clone())
    }

    /// How things stand with the listeners that this caller may see, by name.
    pub(crate) fn pools(&self) -> Result<Vec<PoolReport>, Refused> {
        // No command is given: the loop has nothing to do with it.
        gate::check_pools(self.caller).map_err(|denied| self.not_allowed(denied))?;
        let mut pools = gate::seen_pools(self.caller, (self.shared.facts.pools)());
        pools.sort_by(|a, b| a.name.cmp(&b.name));
        pools.iter_mut().for_each(|pool| pool.listeners.sort_by(|a, b| a.process.cmp(&b.process)));
        Ok(pools)
    }

    /// What is amiss with listeners, for the descriptions of processes that the caller has got.
    pub(crate) fn troubles(&self) -> Troubles {
        Troubles::now(&self.shared.facts.pools)
    }

    async fn send(&self, command: Command) -> Result<Reply, Refused> {
        // What monitoring asks every second wakes nobody: the loop has said beforehand what it would answer.
        if command == Command::Ping && self.shared.runs() {
            return Ok(Reply::Done);
        }
        let is_listing = matches!(command, Command::AllProcessInfo | Command::AllConfigInfo);
        let _turn = if is_listing { self.shared.listings.acquire().await.ok() } else { None };
        let asked = Asked { command, by: self.caller.by.clone() };
        ask(&*self.shared.inbox, asked).await.ok_or(Refused::Fault(Fault::ShuttingDown))
    }

    fn refuse(&self, denied: Denied, command: Command) -> Refused {
        let by = self.caller.by.clone();
        self.shared.inbox.report(match denied.clone() {
            Denied::Missing(missing) => Report::Denied { by, command, missing },
            Denied::BadName(name) => Report::Hidden { by, command, name },
        });
        self.not_allowed(denied)
    }

    fn not_allowed(&self, denied: Denied) -> Refused {
        match denied {
            Denied::BadName(name) => Refused::Fault(Fault::BadName { name }),
            Denied::Missing(missing) => Refused::NotAllowed { user: self.caller.to_string(), missing },
        }
    }
}
