//! The test harness: a daemon in a directory of its own, programs that do what
//! they are told, and waiting that ends with an event instead of a sleep.
//!
//! In comes an [`Implementation`] (our binaries, or Supervisor 4.3.0) and a
//! configuration text; out comes a running [`Daemon`] to be driven with
//! `ctl`, signals and waits. Dropping it leaves no process and no file behind.
//! Everything is generic over the implementation, so that one test judges both.
//!
//! Not here: expectations. What is right belongs to the tests; a harness that
//! cannot go on (a deadline has passed, a binary is missing) panics and says why.

mod artifacts;
mod author;
mod busy_socket;
mod daemon;
mod deadline;
mod free_port;
mod hello;
mod implementation;
mod kin;
mod ledger;
mod lines;
mod listening;
mod numbered;
mod process;
mod pty;
mod sandbox;
mod stuck_disk;
mod syslogs;
mod terminal;
mod torrent;
mod unix_http;
mod verify;
mod words;

pub use artifacts::{
    build_programs, make_foreign, provost_child, provost_listener, replace_program, supervisord_next,
};
pub use author::{Assignment, Author};
pub use busy_socket::BusySocket;
pub use daemon::{CtlOutput, Daemon, HEAD};
pub use deadline::{DEADLINE, Deadline, until, until_within};
pub use free_port::free_port;
pub use hello::{Hello, HelloSocket, monotonic_ns};
pub use implementation::Implementation;
pub use kin::descendants;
pub use ledger::{End, Entry, ledger};
pub use lines::Lines;
pub use listening::{Listening, Told, dribble, say, told};
pub use numbered::Numbered;
pub use process::{Process, Signal, send_signal, wait_until_gone};
pub use pty::Pty;
pub use sandbox::Sandbox;
pub use stuck_disk::StuckDisk;
pub use syslogs::{DEV_LOG, JOURNAL};
pub use terminal::Terminal;
pub use torrent::{Matter, Pour, Torrent};
pub use unix_http::{Response, post};
pub use verify::{Chapter, Fault, Verdict, verify};
pub use words::{unescaped, until_taken, write_at_once};
