//! One door: who is connected there, how many may be, and who gives way.
//!
//! A door has so many places, and none for those who wait outside while somebody inside makes us wait: when all are
//! taken, the connection whose client has done nothing for the longest is closed for whoever comes next. So thousands of silent
//! connections lock out nobody. Those that wait for us (an answer, a log that grows) are left alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::Instant;

use super::connection::Visit;
use super::pace::{Pace, Queue};
use super::stream::{Accepted, Listeners};
use super::{Client, Door, Phase, wait_for};
use crate::peer::Peer;
use crate::room::Rooms;
use crate::shared::Shared;
use crate::tls::TlsDoor;

/// How long answers that are being written may take when the daemon ends.
const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// How long to let be when the system refuses connections (out of descriptors, for example).
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection may be silent when the system refuses the next one. It does so whether or not there is a next one, so the
/// last that came in is not to go before it has had time to say something.
const SILENT: Duration = Duration::from_secs(1);

/// Serves a door until the daemon says stop.
pub(super) async fn serve(door: Door, shared: Arc<Shared>, mut phase: watch::Receiver<Phase>) {
    let Ok(listeners) = Listeners::new(door.listeners) else { return };
    let tls = door.tls.map(|tls| Arc::new(TlsDoor::new(tls)));
    let mut callers = Callers::new(Arc::clone(&shared), door.section.into(), tls);
    let queue = Arc::clone(&callers.queue);
    loop {
        let has_room = callers.has_room();
        tokio::select! {
            accepted = listeners.accept(shared.facts.peer_groups), if has_room => match accepted {
                Ok((stream, peer)) => callers.admit(stream, peer, &phase),
                Err(_) => {
                    callers.make_room();
                    tokio::time::sleep(REFUSED_PAUSE).await;
                }
            },
            // Ended connections are collected as they end.
            () = callers.one_leaves() => shared.tidy(),
            () = queue.one_waits.notified(), if !has_room => {}
            () = wait_for(&mut phase, Phase::CloseDoors) => break,
        }
    }
    drop(listeners);
    tokio::select! {
        () = wait_for(&mut phase, Phase::Stop) => {}
        () = callers.all_leave() => return,
    }
    let _ = tokio::time::timeout(LAST_ANSWERS, callers.all_leave()).await;
}

/// Who is connected.
struct Callers {
    shared: Arc<Shared>,
    section: Arc<str>,
    rooms: Arc<Rooms>,
    tls: Option<Arc<TlsDoor>>,
    queue: Arc<Queue>,
    tasks: JoinSet<()>,
    inside: HashMap<Id, (Arc<Pace>, AbortHandle)>,
    /// Who was silent the longest when the system refused another, and since when we know.
    silent: Option<((u64, Id), Instant)>,
}

impl Callers {
    fn new(shared: Arc<Shared>, section: Arc<str>, tls: Option<Arc<TlsDoor>>) -> Callers {
        let rooms = Arc::new(Rooms::new(shared.facts.most_followers));
        let (queue, tasks, inside) = Default::default();
        Callers { shared, section, rooms, tls, queue, tasks, inside, silent: None }
    }

    /// Whether one more may come in, be it in the place of another. If not, the queue says when that changes.
    fn has_room(&self) -> bool {
        let has_room = !self.is_full() || self.slowest().is_some();
        self.queue.is_full.store(!has_room, Ordering::Relaxed);
        has_room
    }

    fn is_full(&self) -> bool {
        self.inside.len() >= self.shared.facts.most_connections
    }

    fn admit(&mut self, stream: Accepted, peer: Peer, phase: &watch::Receiver<Phase>) {
        if self.is_full() {
            self.close_one();
        }
        let pace = Arc::new(Pace::new(Arc::clone(&self.queue)));
        let client = Client { peer, section: Arc::clone(&self.section), rooms: Arc::clone(&self.rooms) };
        let visit =
            Visit { client, shared: Arc::clone(&self.shared), pace: Arc::clone(&pace), phase: phase.clone() };
        let serving = visit.begin(stream, self.tls.clone());
        let task = self.tasks.spawn(serving);
        self.inside.insert(task.id(), (pace, task));
    }

    /// Closes the connection that has made us wait the longest.
    fn close_one(&mut self) {
        if let Some((_, id)) = self.slowest()
            && let Some((_, task)) = self.inside.remove(&id)
        {
            task.abort();
        }
    }

    /// The system has no room for one more: who is silent long enough makes some.
    fn make_room(&mut self) {
        let slowest = self.slowest();
        match self.silent {
            Some((same, since)) if slowest == Some(same) => {
                if since.elapsed() >= SILENT {
                    self.close_one();
                }
            }
            _ => self.silent = slowest.map(|slowest| (slowest, Instant::now())),
        }
    }

    fn slowest(&self) -> Option<(u64, Id)> {
        let waiting = self.inside.iter().filter_map(|(id, (pace, _))| Some((pace.waits_since()?, *id)));
        waiting.min_by_key(|(since, _)| *since)
    }

    /// Waits for the end of a connection; without any, for ever.
    async fn one_leaves(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => self.inside.remove(&id),
            Some(Err(broken)) => self.inside.remove(&broken.id()),
            None => std::future::pending().await,
        };
    }

    async fn all_leave(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
