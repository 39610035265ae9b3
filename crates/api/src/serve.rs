//! The api thread: listeners in, connections served until the daemon says stop.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::door;
use crate::gate::Access;
use crate::inbox::Inbox;
use crate::peer::{End, Peer};
use crate::shared::{Facts, Herald, PeerGroups, Shared};
use crate::tls::{Secured, Tls, TlsDoor};

/// How long answers that are being written may take when the daemon ends.
const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// How long to let be when the system refuses connections (out of descriptors, for example).
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// Requests that an HTTP/2 client may have under way on one connection. A page and its streams need a handful, and each
/// may carry a body.
const MOST_STREAMS: u32 = 16;
/// Requests that it may take back before they are accepted: who takes back more wants us to work for nothing.
const MOST_RESETS: usize = 20;
/// All headers of one request.
const MOST_HEADERS: u32 = 16 * 1024;
/// A connection without any sound is asked whether somebody is there, and closed if not: HTTP/2 streams may last for ever.
const ASK_AFTER: Duration = Duration::from_secs(60);
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A listening socket.
#[derive(Debug)]
pub struct Door {
    pub listener: Listener,
    /// The section that asks for it, by which [`Access`] has its rules.
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
    /// Answer who is there; let nobody in.
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
            .max_blocking_threads(2)
            .build()?;
        let shared = Arc::new(Shared::new(facts, access, inbox)?);
        let herald = Herald(Arc::clone(&shared));
        let (phase, watched) = watch::channel(Phase::Serve);
        let thread = std::thread::Builder::new()
            .name("api".into())
            .spawn(move || {
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

    /// From here on somebody else answers at these sockets; whoever is connected already may still be answered.
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

async fn serve_all(doors: Vec<Door>, shared: Arc<Shared>, mut phase: watch::Receiver<Phase>) {
    let mut serving = JoinSet::new();
    for door in doors {
        serving.spawn(serve_door(door, Arc::clone(&shared), phase.clone()));
    }
    tokio::select! {
        () = wait_for_stop(&mut phase) => {}
        // A door that has panicked would stay shut for ever. A new brain opens it.
        Some(Err(_)) = serving.join_next() => std::process::abort(),
    }
    while serving.join_next().await.is_some() {}
}

async fn serve_door(door: Door, shared: Arc<Shared>, mut phase: watch::Receiver<Phase>) {
    let section: Arc<str> = door.section.into();
    let tls = door.tls.map(|tls| Arc::new(TlsDoor::new(tls)));
    let Ok(listener) = AsyncListener::new(door.listener) else { return };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(shared.facts.peer_groups), if connections.len() < shared.facts.most_connections => match accepted {
                Ok((stream, peer)) => {
                    let client = Client { peer, section: Arc::clone(&section) };
                    let visit = Visit { client, shared: Arc::clone(&shared), phase: phase.clone() };
                    connections.spawn(visit.begin(stream, tls.clone()));
                }
                Err(_) => tokio::time::sleep(REFUSED_PAUSE).await,
            },
            // Ended connections are collected as they end.
            Some(_) = connections.join_next() => shared.tidy(),
            () = wait_for(&mut phase, |phase| phase != Phase::Serve) => break,
        }
    }
    drop(listener);
    wait_for_stop(&mut phase).await;
    let all_answered = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_ANSWERS, all_answered).await;
}

/// Who is connected, and by which door.
pub(crate) struct Client {
    pub(crate) peer: Peer,
    pub(crate) section: Arc<str>,
}

/// Somebody has come through a door.
struct Visit {
    client: Client,
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
}

impl Visit {
    async fn begin(mut self, stream: Accepted, tls: Option<Arc<TlsDoor>>) {
        match (stream, tls) {
            (Accepted::Tcp(stream), Some(tls)) => {
                let secured = tokio::select! {
                    secured = tls.secure(stream) => secured,
                    () = wait_for_stop(&mut self.phase) => None,
                };
                let Some(Secured { stream, certificate, http_2 }) = secured else { return };
                self.client.peer.certificate = certificate;
                let stream = Box::new(stream);
                if http_2 { self.http_2(stream).await } else { self.http_1(stream).await }
            }
            (Accepted::Tcp(stream), None) => self.http_1(Box::new(stream)).await,
            (Accepted::Unix(stream), _) => self.http_1(Box::new(stream)).await,
        }
    }

    async fn http_1(self, stream: Box<dyn Stream>) {
        let (mut phase, client) = (self.phase, Arc::new(self.client));
        let service = service_fn(move |request| answer(request, &self.shared, &client));
        let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            // A connection that breaks is the client's affair.
            _ = connection.as_mut() => return,
            () = wait_for_stop(&mut phase) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    async fn http_2(self, stream: Box<dyn Stream>) {
        let (mut phase, client) = (self.phase, Arc::new(self.client));
        let service = service_fn(move |request| answer(request, &self.shared, &client));
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .max_concurrent_streams(MOST_STREAMS)
            .max_pending_accept_reset_streams(MOST_RESETS)
            .max_header_list_size(MOST_HEADERS)
            .keep_alive_interval(ASK_AFTER)
            .keep_alive_timeout(ANSWER_WITHIN);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            _ = connection.as_mut() => return,
            () = wait_for_stop(&mut phase) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}

fn answer(
    request: Request<Incoming>,
    shared: &Arc<Shared>,
    client: &Arc<Client>,
) -> impl Future<Output = Result<Response<Answer>, Infallible>> + use<> {
    let (shared, client) = (Arc::clone(shared), Arc::clone(client));
    async move { Ok(door::answer(request, &shared, &client).await) }
}

async fn wait_for_stop(phase: &mut watch::Receiver<Phase>) {
    wait_for(phase, |phase| phase == Phase::Stop).await;
}

async fn wait_for(phase: &mut watch::Receiver<Phase>, wanted: impl Fn(Phase) -> bool) {
    // An error means that the `Api` was dropped, which is a stop too.
    let _ = phase.wait_for(|phase| wanted(*phase)).await;
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

enum Accepted {
    Unix(UnixStream),
    Tcp(TcpStream),
}

enum AsyncListener {
    Unix(tokio::net::UnixListener),
    Tcp(tokio::net::TcpListener),
}

impl AsyncListener {
    fn new(listener: Listener) -> io::Result<Self> {
        Ok(match listener {
            Listener::Unix(listener) => {
                listener.set_nonblocking(true)?;
                AsyncListener::Unix(tokio::net::UnixListener::from_std(listener)?)
            }
            Listener::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                AsyncListener::Tcp(tokio::net::TcpListener::from_std(listener)?)
            }
        })
    }

    async fn accept(&self, peer_groups: PeerGroups) -> io::Result<(Accepted, Peer)> {
        Ok(match self {
            AsyncListener::Unix(listener) => {
                let stream = listener.accept().await?.0;
                let known = stream.peer_cred()?;
                let groups = peer_groups(stream.as_fd());
                let end = End::Unix { uid: known.uid(), groups, pid: known.pid().unwrap_or(0) };
                (Accepted::Unix(stream), Peer::new(end))
            }
            AsyncListener::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                (Accepted::Tcp(stream), Peer::new(End::Inet(address)))
            }
        })
    }
}
