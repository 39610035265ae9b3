//! The sockets of a door, whichever kind they are: one way to accept, one kind of stream.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::Listener;
use crate::peer::{End, Peer};
use crate::shared::PeerGroups;

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Somebody at the door, before it is known what is spoken.
pub(super) enum Accepted {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// What a door listens on.
pub(super) struct Listeners(Vec<AsyncListener>);

enum AsyncListener {
    Unix(tokio::net::UnixListener),
    Tcp(tokio::net::TcpListener),
}

impl Listeners {
    pub(super) fn new(listeners: Vec<Listener>) -> io::Result<Listeners> {
        listeners.into_iter().map(AsyncListener::new).collect::<io::Result<_>>().map(Listeners)
    }

    pub(super) async fn accept(&self, peer_groups: PeerGroups) -> io::Result<(Accepted, Peer)> {
        let accepted = poll_fn(|cx| {
            let first = self.0.iter().map(|listener| listener.poll_accept(cx)).find(Poll::is_ready);
            first.unwrap_or(Poll::Pending)
        });
        Ok(match accepted.await? {
            (Accepted::Unix(stream), _) => {
                let known = stream.peer_cred()?;
                let groups = peer_groups(stream.as_fd());
                let end = End::Unix { uid: known.uid(), groups, pid: known.pid().unwrap_or(0) };
                (Accepted::Unix(stream), Peer::new(end))
            }
            (Accepted::Tcp(stream), address) => {
                // One that has been reset already is found out soon enough.
                let _ = stream.set_nodelay(true);
                let address = address.ok_or(io::ErrorKind::NotConnected)?;
                (Accepted::Tcp(stream), Peer::new(End::Inet(address)))
            }
        })
    }
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

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Accepted, Option<SocketAddr>)>> {
        match self {
            AsyncListener::Unix(listener) => {
                listener.poll_accept(cx).map_ok(|(stream, _)| (Accepted::Unix(stream), None))
            }
            AsyncListener::Tcp(listener) => {
                listener.poll_accept(cx).map_ok(|(stream, address)| (Accepted::Tcp(stream), Some(address)))
            }
        }
    }
}
