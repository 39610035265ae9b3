//! One process: its states (`state.rs`, with the story) and its machine (`machine.rs`), how long it waits (`pace.rs`), how it
//! ends for good (`end.rs`), and how it goes on after an earlier brain (`resume.rs`).

mod end;
mod machine;
mod pace;
mod resume;
mod state;

pub(crate) use end::End;

pub(crate) use machine::{Death, Outbox, Process, Restarts};
pub use state::State;
