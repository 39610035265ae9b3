//! The way to the main loop and back: one bounded queue of commands, one answer each; and what is to be told without being asked.

use std::sync::Arc;

pub use provost_core::By;
use provost_core::{Command, Permission, Reply};
use tokio::sync::oneshot;

/// Where commands go. Implemented by the main loop's side; must not block.
pub trait Inbox: Send + Sync + 'static {
    /// Hands a command over. The loop answers the asker exactly once.
    fn ask(&self, asked: Asked, asker: Asker) -> Result<(), Busy>;

    /// Something for the main log. Where there is no room for it, it is lost.
    fn report(&self, report: Report);
}

/// A command that has passed the gate, and who gave it.
#[derive(Debug)]
pub struct Asked {
    pub command: Command,
    pub by: Arc<By>,
}

/// What the doors have to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Somebody may not do what was asked.
    Denied { by: Arc<By>, command: Command, missing: Permission },
    /// There is no such thing, as far as this one may know.
    Hidden { by: Arc<By>, command: Command, name: String },
    /// Anything else that an administrator should read.
    Warning(String),
}

/// The queue is full: the loop is far behind, and the client should try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// Somebody who waits for a reply.
#[derive(Debug)]
pub struct Asker(oneshot::Sender<Reply>);

impl Asker {
    /// Answers. If the client has gone meanwhile, nobody hears it.
    pub fn answer(self, reply: Reply) {
        let _ = self.0.send(reply);
    }
}

/// A question and the future of its answer.
pub(crate) async fn ask(inbox: &dyn Inbox, asked: Asked) -> Option<Reply> {
    let (sender, receiver) = oneshot::channel();
    inbox.ask(asked, Asker(sender)).ok()?;
    // An asker that was dropped unanswered is a loop that has ended.
    receiver.await.ok()
}
