//! The sockets of a door, whichever kind they are: one way to accept, one kind of stream.

use std::io;
use std::os::fd::AsFd;

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

pub(super) enum AsyncListener {
    Unix(tokio::net::UnixListener),
    Tcp(tokio::net::TcpListener),
}

impl AsyncListener {
    pub(super) fn new(listener: Listener) -> io::Result<Self> {
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

    pub(super) async fn accept(&self, peer_groups: PeerGroups) -> io::Result<(Accepted, Peer)> {
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
