//! XML-RPC: a call in, the body of a response out (SPEC 6.2 to 6.8).
//!
//! `call.rs` maps each method to a command and its reply to a value, `arguments.rs` reads what clients
//! send, `namespaces.rs` knows which there are, `twiddler.rs` those of a plug-in, `wait.rs` waits for states, `describe.rs` shows
//! processes as clients know them, `history.rs` what has happened to them,
//! `listeners.rs` those among them that hear of events. What a command means is not here.

mod arguments;
mod call;
pub(crate) mod describe;
mod faults;
mod history;
mod listeners;
mod namespaces;
mod twiddler;
mod updates;
mod wait;

pub use namespaces::{Interface, Namespaces};
pub(crate) use wait::MOST as MOST_WAITERS;

use std::sync::atomic::AtomicU64;

use provost_core::{Command, Fault as CoreFault, Reply};
use provost_wire::{Fault, Value, xmlrpc};

use crate::gate::Refused;
use crate::logs;
use crate::room::Room;
use crate::session::Session;

/// One caller's access to the supervisor.
pub(crate) struct Rpc<'a> {
    session: Session<'a>,
    /// Bytes of logs that this request may still get: many calls in one must not fill the memory.
    log_bytes: AtomicU64,
    /// Where its answer takes room while it is made.
    answers: &'a Room,
}

impl<'a> Rpc<'a> {
    /// For one request.
    pub(crate) fn new(session: Session<'a>, answers: &'a Room) -> Rpc<'a> {
        Rpc { session, log_bytes: AtomicU64::new(logs::MOST), answers }
    }

    /// The answer to a call, which may be a fault.
    pub(crate) async fn answer(&self, call: xmlrpc::Call) -> Vec<u8> {
        let answer = self.result(call).await.unwrap_or_else(|fault| xmlrpc::write_fault(&fault));
        self.session.shared.note_answer(answer.len());
        answer
    }

    async fn result(&self, call: xmlrpc::Call) -> Result<Vec<u8>, Fault> {
        if let Some(command) = self.listing(&call) {
            // The one large answer that is asked for often: it is written without being a value first.
            if let Reply::Infos(infos) = self.ask(command).await? {
                return Ok(describe::infos(&infos, &self.session.troubles()));
            }
        }
        Ok(xmlrpc::write_response(&self.call(&call.method, call.params).await?))
    }

    /// Asks the core, if the caller may.
    async fn ask(&self, command: Command) -> Result<Reply, Fault> {
        self.session.ask(command).await.map_err(refusal)
    }

    /// For methods that answer without the core: refused, like all others, once the supervisor stops.
    async fn alive(&self) -> Result<(), Fault> {
        self.ask(Command::Ping).await.map(|_| ())
    }
}

/// What a fault is called where there is no number: in the log, and on the page.
pub fn fault_text(fault: CoreFault) -> String {
    faults::fault(fault).text
}

pub(crate) fn refusal(refused: Refused) -> Fault {
    faults::fault(match refused {
        Refused::Fault(fault) => fault,
        Refused::NotAllowed { user, missing } => {
            CoreFault::Failed { detail: format!("user {user} may not {}", missing.word()) }
        }
    })
}

/// A number that the format can carry.
fn int(n: i64) -> Value {
    Value::Int(n)
}
