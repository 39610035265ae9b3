//! Formats frozen by the outside: what other people's programs send us and expect to read.
//!
//! XML-RPC messages in both directions, the faults, the table of methods, and the
//! events that listeners are told, with what they say back. Bytes in, values out, and back; nothing here reads a socket, knows a process
//! or decides anything. `api` answers with these, `ctl` asks with these.

pub mod events;
pub mod faults;
pub mod listener;
pub mod methods;
pub mod twiddler;
mod value;
pub mod xmlrpc;

pub use faults::{Fault, FaultCode};
pub use value::{Members, Value};
