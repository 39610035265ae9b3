//! Listeners and the events that wait for them, as far as the doors tell of them.
//!
//! In: what the events thread's bookkeeper reports whenever it is asked (`Facts::pools`). Its numbers are of one moment.
//! Deliberately absent: queues, the protocol of listeners, and whether a program is a listener: that a pool names it, says so.

use std::sync::Arc;

/// Asks how things stand between listeners and their events. Called for every listing of processes, by many at a time: it has to
/// answer from memory, and at once.
pub type Pools = Arc<dyn Fn() -> Vec<PoolReport> + Send + Sync>;

/// A pool, which is the group of an `[eventlistener:x]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolReport {
    /// Its group's.
    pub name: String,
    /// What it subscribes to, as configured.
    pub events: Vec<&'static str>,
    /// `spill`, `drop` or `block`: what becomes of events for which there is no room.
    pub overflow: &'static str,
    /// Events that no listener has at the moment: they are new, or have come back.
    pub waiting: u64,
    /// What those take, on disk or not.
    pub waiting_bytes: u64,
    /// How many of them are on disk.
    pub spilled: u64,
    /// How long the oldest of them has been there; `None` where none waits.
    pub oldest_ms: Option<u64>,
    /// Events that a listener has acknowledged.
    pub delivered: u64,
    /// How often an event came back.
    pub rejected: u64,
    /// Events that were discarded for want of room.
    pub dropped: u64,
    pub listeners: Vec<ListenerReport>,
}

/// A process of a pool, for as long as it may hear events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerReport {
    /// Without its group.
    pub process: String,
    pub pid: i32,
    /// `ACKNOWLEDGED`, `READY`, `BUSY` or `UNKNOWN`.
    pub state: &'static str,
    /// For how long it has been in that state.
    pub state_ms: u64,
    /// How many events it was told, in this life.
    pub told: u64,
    /// The serial of the event that it was told and has not answered.
    pub event: Option<u64>,
}
