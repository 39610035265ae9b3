//! The way to the main loop and back: one bounded queue of commands, one answer each.

use provost_core::{Command, Reply};
use tokio::sync::oneshot;

/// Where commands go. Implemented by the main loop's side; must not block.
pub trait Inbox: Send + Sync + 'static {
    /// Hands a command over. The loop answers the asker exactly once.
    fn ask(&self, command: Command, asker: Asker) -> Result<(), Busy>;
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
pub(crate) async fn ask(inbox: &dyn Inbox, command: Command) -> Option<Reply> {
    let (sender, receiver) = oneshot::channel();
    inbox.ask(command, Asker(sender)).ok()?;
    // An asker that was dropped unanswered is a loop that has ended.
    receiver.await.ok()
}
