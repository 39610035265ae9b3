//! What is kept for the next brain, and who is told of a configuration that has been read.

use std::collections::BTreeSet;

use provost_config::{Config, LogLevel};
use provost_core::ProcessId;
use provost_keeper::{LinkError, ToKeeper};

use super::Hands;
use super::outputs::Logs;
use crate::access;
use crate::effective::EffectiveError;
use crate::kept;
use crate::logs::auto::AutoLogs;

impl Hands {
    /// A group is gone: nobody asks for its logs again. Returns its processes, whose state no later brain will ask for.
    pub(super) fn forget_group(&mut self, group: &str) -> Vec<ProcessId> {
        self.fcgi.forget_group(group);
        self.auto_logs.forget_group(group);
        let of_group = |(id, logs): (&ProcessId, &Logs)| (*logs.group == *group).then_some(*id);
        let removed: Vec<ProcessId> = self.logs.iter().filter_map(of_group).collect();
        for process in &removed {
            self.logs.remove(process);
        }
        removed
    }

    pub(super) fn forget_memories(&mut self, gone: Vec<ProcessId>) {
        for process in gone {
            let written = self.memory.forget(process);
            self.note_memory(written);
        }
    }

    /// The same of one process, whose group stays.
    pub(super) fn forget_process(&mut self, process: ProcessId, group: &str, name: &str) {
        self.logs.remove(&process);
        self.auto_logs.forget(group, name);
        let written = self.memory.forget(process);
        self.note_memory(written);
    }

    /// Keeps what has changed of the configuration in force, and of the files that go with it.
    pub(crate) fn write_effective(&mut self) -> Result<(), LinkError> {
        let written = self.effective.write(&mut self.link);
        self.note_effective(written)?;
        if let Some(bytes) = self.auto_logs.take_unwritten() {
            match kept::write(AutoLogs::HELD_AS, &bytes) {
                Ok(fd) => self.link.send(ToKeeper::Hold { name: AutoLogs::HELD_AS.to_owned(), fd })?,
                Err(e) => self.note_memory(Err(e)),
            }
        }
        Ok(())
    }

    pub(super) fn note_effective(&mut self, kept: Result<(), EffectiveError>) -> Result<(), LinkError> {
        match kept {
            Ok(()) => Ok(()),
            Err(EffectiveError::Link(e)) => Err(e),
            Err(EffectiveError::Memory(e)) => {
                self.note_memory(Err(e));
                Ok(())
            }
        }
    }

    /// A memory that cannot be written is as good as none, and worth a line; nothing else changes.
    pub(super) fn note_memory(&mut self, written: std::io::Result<()>) {
        if let Err(e) = written {
            self.log
                .write(LogLevel::Critical, &format!("cannot write down what a later brain must know: {e}"));
        }
    }

    /// Says what is hardly meant in a configuration, each thing once.
    pub(super) fn advise(&mut self, config: &Config) {
        for advice in &config.advice {
            let text = advice.to_string();
            if !self.advised.contains(&text) {
                self.log.write(LogLevel::Warn, &text);
                self.advised.insert(text);
            }
        }
        // What has been mended may be said again, should it come back.
        let still: BTreeSet<String> = config.advice.iter().map(ToString::to_string).collect();
        self.advised.retain(|text| still.contains(text));
    }

    /// From now on these may come in; who has meant to, and cannot, is told.
    pub(super) fn admit(&mut self, config: &Config) {
        let access = access::of(config);
        access.unfit().iter().for_each(|unfit| self.log.write(LogLevel::Critical, unfit));
        if let Some(herald) = &self.herald {
            herald.admit(access);
        }
    }
}
