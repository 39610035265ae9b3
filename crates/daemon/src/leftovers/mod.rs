//! Leftovers: programs of a supervisord that was killed, which run on without anybody.
//!
//! `record.rs` is the file in which a daemon writes down what runs, for the day when it is killed itself; `witness.rs` says
//! whether a process is the one that was written down; `found.rs` finds those of a dead daemon; `stop.rs` stops them and
//! `take.rs` takes hold of them, as far as the kernel lets us. What is done about whom at a start, and in which order, is told
//! in `boot/leftovers.rs`.

mod found;
mod record;
mod stop;
mod take;
mod witness;

pub(crate) use found::{Fate, Found, Leftover};
pub(crate) use record::{Change, Entry, Record, beside};
pub(crate) use stop::stop;
pub(crate) use take::{Taken, inodes, take};
pub(crate) use witness::{Identity, Place};
