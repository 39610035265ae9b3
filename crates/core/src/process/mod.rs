//! One process: its states (`state.rs`, with the story) and its machine (`machine.rs`).

mod machine;
mod state;

pub(crate) use machine::{Outbox, Process, Restarts};
pub use state::State;
