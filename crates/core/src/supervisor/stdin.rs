//! What people send to the standard input of a process (SPEC 6.4).
//!
//! In: a command, and later what came of it. Out: one action and one answer. Who may be written to is decided here; how much
//! may wait for a child that does not read, and where, is the shell's affair, and so is a child that ends meanwhile.

use std::sync::Arc;

use crate::action::Action;
use crate::ask::{Shape, Until};
use crate::command::{Fault, Reply};
use crate::history::By;
use crate::ids::{AskId, ProcessId};
use crate::outcome::StdinError;
use crate::process::{Outbox, State};
use crate::supervisor::Supervisor;

impl Supervisor {
    pub(super) fn send_stdin(
        &mut self,
        (ask, by): (AskId, &Arc<By>),
        name: String,
        chars: String,
        out: &mut Outbox,
    ) {
        let Some(process) = self.named(&name) else {
            return Self::reply(ask, Reply::Fault(Fault::BadName { name }), out);
        };
        match &self.processes[&process] {
            // One that has been asked to end has no business with more work.
            it if it.pid.is_none() || it.state == State::Stopping => {
                Self::reply(ask, Reply::Fault(Fault::NotRunning { name }), out);
            }
            it => {
                if let Some(child) = it.child {
                    out.push(Action::SendStdin { ask, process, child, chars });
                }
                self.asks.open(ask, by, Shape::One);
                self.wait_for(ask, process, name, Until::StdinSent);
                self.answer_if_done(ask, out);
            }
        }
    }

    pub(super) fn stdin_sent(
        &mut self,
        ask: AskId,
        process: ProcessId,
        result: Result<(), StdinError>,
        out: &mut Outbox,
    ) {
        // Nobody waits any more where the group was removed meanwhile, or everything stops.
        for wait in self.asks.take(process, |wait| wait.ask == ask) {
            let name = wait.given.clone();
            let result = result.clone().map_err(|error| match error {
                StdinError::Closed => Fault::NoFile { detail: name },
                StdinError::Ended => Fault::NotRunning { name },
                StdinError::Refused(detail) => Fault::Failed { detail },
            });
            self.finish_wait(wait, result, out);
        }
    }
}
