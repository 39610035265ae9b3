//! The api thread: listeners in, connections served until the daemon says stop.
//!
//! `callers.rs` is one door and who is connected there, `connection.rs` serves one connection, `pace.rs` says what a connection waits
//! for and how long it may, `stream.rs` is the sockets themselves. What is answered is not known here: `door.rs`.

mod callers;
mod connection;
mod pace;
mod stream;

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::disks;
use crate::gate::Access;
use crate::inbox::Inbox;
use crate::peer::Peer;
use crate::room::Rooms;
use crate::shared::{Facts, Herald, Shared};
use crate::tls::Tls;

pub(crate) use pace::Pace;

/// The listening sockets of one section.
#[derive(Debug)]
pub struct Door {
    pub listeners: Vec<Listener>,
    /// The section that asks for them, by which [`Access`] has its rules.
    pub section: String,
    pub tls: Option<Tls>,
}

#[derive(Debug)]
pub enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// What the thread is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serve,
    /// Answer what has been asked; let nobody in, and nobody ask anew.
    CloseDoors,
    Stop,
}

/// The running thread.
#[derive(Debug)]
pub struct Api {
    phase: watch::Sender<Phase>,
    herald: Herald,
    thread: JoinHandle<()>,
}

impl Api {
    /// Starts the thread. The sockets listen already, so nobody who comes early is refused.
    pub fn start(doors: Vec<Door>, access: Access, facts: Facts, inbox: Box<dyn Inbox>) -> io::Result<Api> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(disks::MOST_THREADS)
            .build()?;
        let shared = Arc::new(Shared::new(facts, access, inbox)?);
        let herald = Herald(Arc::clone(&shared));
        let (phase, watched) = watch::channel(Phase::Serve);
        let thread = std::thread::Builder::new().name("api".into()).spawn(move || {
            runtime.block_on(serve_all(doors, shared, watched));
            // Somebody may be reading files from a disk that hangs; the end does not wait for that.
            runtime.shutdown_background();
        })?;
        Ok(Api { phase, herald, thread })
    }

    /// For the main loop, to tell what clients should know.
    pub fn herald(&self) -> Herald {
        self.herald.clone()
    }

    /// From here on somebody else answers at these sockets. Whoever has asked is answered; whoever keeps a connection for
    /// later finds it closed, and comes back to the other.
    pub fn close_doors(&self) {
        let _ = self.phase.send(Phase::CloseDoors);
    }

    /// Ends the thread, after the answers on their way have been written.
    pub fn stop(self) {
        let _ = self.phase.send(Phase::Stop);
        // A panic there has been printed by its own thread; there is nothing to add.
        let _ = self.thread.join();
    }
}

/// Who is connected, and by which door.
pub(crate) struct Client {
    pub(crate) peer: Peer,
    pub(crate) section: Arc<str>,
    pub(crate) rooms: Arc<Rooms>,
}

async fn serve_all(doors: Vec<Door>, shared: Arc<Shared>, mut phase: watch::Receiver<Phase>) {
    let mut serving = JoinSet::new();
    for door in doors {
        serving.spawn(callers::serve(door, Arc::clone(&shared), phase.clone()));
    }
    tokio::select! {
        () = wait_for(&mut phase, Phase::Stop) => {}
        // A door that has panicked would stay shut for ever. A new brain opens it.
        Some(Err(_)) = serving.join_next() => std::process::abort(),
    }
    while serving.join_next().await.is_some() {}
}

/// Returns when things have come so far, or further.
async fn wait_for(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    // An error means that the `Api` was dropped, which is a stop too.
    let _ = phase.wait_for(|phase| *phase == wanted || *phase == Phase::Stop).await;
}
