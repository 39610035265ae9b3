//! Programs that come into a group and processes that leave it without the configuration file, as supervisor_twiddler has it.
//!
//! In: commands, and a program's options as the shell has read them. Out: processes in a group, or taken out of it. The group's
//! configuration stays what the file says: so the next reading finds nothing changed because of them, and a group that is
//! removed and added again is as the file has it.

use std::sync::Arc;

use provost_config::ProcessConfig;

use super::commands::lives;
use crate::action::Action;
use crate::command::{Fault, Reply};
use crate::group::Group;
use crate::ids::AskId;
use crate::process::Outbox;
use crate::supervisor::{Mood, Supervisor};
use crate::time::Now;

impl Supervisor {
    pub(super) fn add_program(
        &mut self,
        ask: AskId,
        group: &str,
        program: String,
        options: Vec<(String, String)>,
        out: &mut Outbox,
    ) {
        match self.group(group).map(|group| Arc::clone(&group.name)) {
            Some(group) => out.push(Action::ReadProgram { ask, group, program, options }),
            None => Self::reply(ask, no_group(group), out),
        }
    }

    pub(super) fn program_read(
        &mut self,
        now: Now,
        ask: AskId,
        group: &str,
        result: Result<Vec<Arc<ProcessConfig>>, String>,
        out: &mut Outbox,
    ) {
        let reply = match result {
            _ if self.mood != Mood::Running => Reply::Fault(Fault::ShuttingDown),
            Err(detail) => Reply::Fault(Fault::IncorrectParameters { detail }),
            Ok(processes) => self.add_processes(now, ask, group, &processes, out),
        };
        Self::reply(ask, reply, out);
    }

    fn add_processes(
        &mut self,
        now: Now,
        ask: AskId,
        name: &str,
        processes: &[Arc<ProcessConfig>],
        out: &mut Outbox,
    ) -> Reply {
        let Some(group) = self.group(name) else { return no_group(name) };
        if let Some(known) = processes.iter().find(|process| group.process(&process.name).is_some()) {
            return Reply::Fault(Fault::BadName { name: known.name.clone() });
        }
        let mut group = group.clone();
        out.push(Action::KeepProgram { ask });
        let mut new = Vec::with_capacity(processes.len());
        for process in processes {
            let (name, id) = self.prepare(&group.name, process, out);
            group.add(name, id);
            new.push((id, process.autostart));
        }
        self.put_back(group, out);
        for (id, _) in new.into_iter().filter(|(_, autostart)| *autostart) {
            self.start(now, id, None, out);
        }
        Reply::Done
    }

    pub(super) fn remove_process(&mut self, name: &str, process: String, out: &mut Outbox) -> Reply {
        let Some(group) = self.group(name) else { return no_group(name) };
        let Some(id) = group.process(&process) else {
            return Reply::Fault(Fault::BadName { name: process });
        };
        if lives(&self.processes[&id]) {
            return Reply::Fault(Fault::StillRunning { name: process });
        }
        let mut group = group.clone();
        group.remove(&process);
        let name = Arc::clone(&group.name);
        self.put_back(group, out);
        self.drop_process(id, out);
        out.push(Action::ForgetProcess { process: id, group: name, name: process.into() });
        Reply::Done
    }

    /// In the place of the group of the same name.
    fn put_back(&mut self, group: Group, out: &mut Outbox) {
        let was = self.group(&group.name).and_then(|old| self.pool(old));
        self.open_pool(&group, was, out);
        let group = Arc::new(group);
        for old in self.groups.iter_mut().filter(|old| old.name == group.name) {
            *old = Arc::clone(&group);
        }
        self.groups_by_name.insert(Arc::clone(&group.name), group);
    }
}

fn no_group(name: &str) -> Reply {
    Reply::Fault(Fault::BadName { name: format!("group: {name}") })
}
