//! XML-RPC: the body of a request in, the body of a response out (SPEC 6.2 to 6.8).
//!
//! `call.rs` maps each method to a command and its reply to a value, `arguments.rs` reads what clients
//! send, `describe.rs` shows processes as clients know them. What a command means is not here.

mod arguments;
mod call;
mod describe;
mod faults;

use std::sync::atomic::AtomicU64;

use provost_core::{Command, Fault as CoreFault, Reply};
use provost_wire::{Fault, Value, xmlrpc};

use crate::gate::Caller;
use crate::inbox::ask;
use crate::logs;
use crate::shared::Shared;

/// One caller's access to the supervisor.
pub(crate) struct Rpc<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) caller: Caller,
    /// Bytes of logs that this request may still get: many calls in one must not fill the memory.
    log_bytes: AtomicU64,
}

impl<'a> Rpc<'a> {
    /// For one request.
    pub(crate) fn new(shared: &'a Shared, caller: Caller) -> Rpc<'a> {
        Rpc { shared, caller, log_bytes: AtomicU64::new(logs::MOST) }
    }

    /// The answer to a request, which may be a fault; an error if it is no request at all.
    pub(crate) async fn answer(&self, body: &[u8]) -> Result<Vec<u8>, xmlrpc::BadRequest> {
        let call = xmlrpc::parse_call(body)?;
        let answer = match self.call(&call.method, call.params).await {
            Ok(value) => xmlrpc::write_response(&value),
            Err(fault) => xmlrpc::write_fault(&fault),
        };
        self.shared.note_answer(answer.len());
        Ok(answer)
    }

    /// Asks the core, if the caller may.
    async fn ask(&self, command: Command) -> Result<Reply, Fault> {
        if !self.caller.may(command.permission()) {
            return Err(faults::fault(CoreFault::Failed { detail: "permission denied".into() }));
        }
        match ask(&*self.shared.inbox, command).await {
            Some(Reply::Fault(fault)) => Err(faults::fault(fault)),
            Some(reply) => Ok(reply),
            None => Err(faults::fault(CoreFault::ShuttingDown)),
        }
    }

    /// For methods that answer without the core: refused, like all others, once the supervisor stops.
    async fn alive(&self) -> Result<(), Fault> {
        self.ask(Command::Ping).await.map(|_| ())
    }
}

/// A number that the format can carry.
fn int(n: i64) -> Value {
    Value::Int(n)
}
