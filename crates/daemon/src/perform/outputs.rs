//! Where programs write, and what is told of what they say.
//!
//! In: the configuration of a process, and news of the pump. Out: plans for it, names of files, lines of the main log.

use std::path::Path;
use std::sync::Arc;

use provost_config::{Channel, LogFile, LogLevel, ProcessConfig};
use provost_core::{ChildId, LogPaths, ProcessId};
use provost_keeper::LinkError;
use provost_wire::events::{Said, decoded};

use super::Hands;
use super::children::Child;
use crate::events;
use crate::logs::{Order, OutletPlan, Output, Telling, Word};
use crate::outlets::{self, Customs};

/// Where a process writes.
#[derive(Debug)]
pub(super) struct Logs {
    pub(super) group: Arc<str>,
    pub(super) config: Arc<ProcessConfig>,
    pub(super) paths: LogPaths,
}

impl Hands {
    /// Where the outputs of a process go.
    pub(super) fn outlets(&self, process: ProcessId, config: &ProcessConfig) -> Vec<(Output, OutletPlan)> {
        let Some(Logs { paths, group, .. }) = self.logs.get(&process) else { return Vec::new() };
        let customs = Customs {
            strip_ansi: self.strip_ansi,
            copies: self.log.keeps(LogLevel::Debug),
            compressor: self.pump.compressor(),
        };
        outlets::plans(group, config, paths, customs)
    }

    /// A process goes on with another configuration, and so do its logs.
    pub(super) fn reconfigure(
        &mut self,
        process: ProcessId,
        config: Arc<ProcessConfig>,
    ) -> Result<(), LinkError> {
        for child in self.children.values_mut().filter(|child| child.process == process) {
            child.config = Arc::clone(&config);
        }
        let Some(logs) = self.logs.get_mut(&process) else { return Ok(()) };
        logs.config = Arc::clone(&config);
        let outlets = self.outlets(process, &config);
        self.order(Order::Renew { process, outlets })
    }

    pub(super) fn prepare_logs(&mut self, group: &str, config: &ProcessConfig) -> LogPaths {
        let stdout = self.log_path(group, config, &config.stdout, "stdout");
        let stderr = match config.redirect_stderr {
            true => None,
            false => self.log_path(group, config, &config.stderr, "stderr"),
        };
        LogPaths { stdout, stderr }
    }

    fn log_path(
        &mut self,
        group: &str,
        config: &ProcessConfig,
        channel: &Channel,
        name: &str,
    ) -> Option<Arc<Path>> {
        match &channel.logfile {
            LogFile::None => None,
            LogFile::Path(path) => Some(path.as_path().into()),
            LogFile::Auto => match self.auto_logs.make(group, &config.name, name) {
                Ok(path) => Some(path.into()),
                Err(e) => {
                    let dir = self.auto_logs.directory().display();
                    let text = format!(
                        "cannot make a log file for {} in {dir}: {e}; its {name} is not kept",
                        config.name
                    );
                    self.log.write(LogLevel::Critical, &text);
                    None
                }
            },
        }
    }

    /// A child has written something that somebody wants to know of.
    pub(crate) fn said(&mut self, child: ChildId, output: Output, word: Word, data: Telling) {
        self.tell_of(child, output, word, &data);
        if self.log.keeps(LogLevel::Debug) && self.log.wants_to_write() {
            self.copied.push(data);
        }
    }

    fn tell_of(&mut self, child: ChildId, output: Output, word: Word, data: &[u8]) {
        let Some(Child { config, process, pid, .. }) = self.children.get(&child) else { return };
        let Some(Logs { group, .. }) = self.logs.get(process) else { return };
        let name = &*config.name;
        if word == Word::Piece {
            self.log.write_with(LogLevel::Debug, || {
                format!("'{name}' {} output:\n{}", output.name(), decoded(data))
            });
        }
        let channel = match output {
            Output::Stdout => &config.stdout,
            Output::Stderr => &config.stderr,
        };
        // Whoever listens has been told already.
        match word {
            Word::Piece if !channel.events_enabled => return,
            Word::Piece => {}
            Word::Message => {
                let text = format!("'{name}' {} emitted a comm event", output.name());
                self.log.write(LogLevel::Debug, &text);
            }
        }
        let said = Said { process: name, group, pid: *pid, channel: output.channel(), data };
        self.log.write_with(LogLevel::Trace, || events::line_of(&events::said(word, said)));
    }

    /// Goes on with what waits for the main log.
    pub(crate) fn flush_log(&mut self) {
        self.log.flush();
        if !self.log.wants_to_write() {
            self.copied.clear();
        }
    }
}
