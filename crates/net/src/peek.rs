//! Looking at a socket's first bytes without taking them off.

use crate::socket::Socket;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use tokio::io::Interest;

/// How much is looked at first.
const FIRST: usize = 2048;

impl Socket {
    /// Waits until the peer has ended the connection, without reading what it has sent; of TCP
    /// only: for others for ever.
    pub fn watch_end(&self) -> impl Future<Output = ()> + use<> {
        let socket = match self {
            Self::Tcp(socket) => Some(Rc::clone(socket)),
            Self::Unix(_) | Self::Internal(_) => None,
        };
        async move {
            match socket {
                // Urgent data are not asked for, so that nothing but the end makes it ready.
                Some(socket) => drop(socket.stream().ready(Interest::PRIORITY).await),
                None => std::future::pending().await,
            }
        }
    }

    /// Whether the peer has ended the connection, and nothing is left to be read.
    pub fn has_ended(&self) -> bool {
        let socket = match self {
            Self::Tcp(socket) => socket.stream().as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            Self::Internal(socket) => return socket.has_ended(),
        };
        let flags = rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT;
        match rustix::net::recv(socket, &mut [0u8; 1][..], flags) {
            Ok((count, _)) => count == 0,
            Err(error) => error != rustix::io::Errno::AGAIN,
        }
    }

    /// Waits until more of the socket's first bytes have come than are in `seen`, and copies them
    /// there, `limit` bytes at most; whether there will be more, or the peer has ended.
    ///
    /// A caller that gives up meanwhile takes the socket off its worker and attaches it again:
    /// bytes that were looked at are not announced a second time.
    ///
    /// # Errors
    /// What the system says.
    pub async fn peek_more(&self, seen: &mut Vec<u8>, limit: usize) -> io::Result<bool> {
        let known = seen.len();
        let room = FIRST.max(known * 2).min(limit);
        loop {
            let ready = match self {
                Self::Tcp(socket) => socket.stream().ready(Interest::READABLE).await?,
                Self::Unix(stream) => stream.ready(Interest::READABLE).await?,
                Self::Internal(socket) => {
                    return poll_fn(|task| socket.poll_peek(task, seen, room)).await;
                }
            };
            seen.resize(room, 0);
            let ended = ready.is_read_closed();
            let peeked = self.try_io(Interest::READABLE, |socket| {
                let flags = rustix::net::RecvFlags::PEEK;
                let (count, _) = rustix::net::recv(socket, seen.as_mut_slice(), flags)?;
                match count {
                    // Nothing new: the socket is to say when there is.
                    _ if count == known && count > 0 && !ended => {
                        Err(io::ErrorKind::WouldBlock.into())
                    }
                    count => Ok(count),
                }
            });
            match peeked {
                Ok(count) => {
                    seen.truncate(count);
                    return Ok(count > known);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => seen.truncate(known),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes off the first `count` bytes, which have been looked at.
    ///
    /// # Errors
    /// What the system says.
    pub fn skip(&self, count: usize) -> io::Result<()> {
        if let Self::Internal(socket) = self {
            return socket.skip(count);
        }
        let mut bytes = vec![0; count];
        let mut rest = &mut bytes[..];
        while !rest.is_empty() {
            let taken = self.try_io(Interest::READABLE, |socket| {
                let flags = rustix::net::RecvFlags::empty();
                let (count, _) = rustix::net::recv(socket, &mut *rest, flags)?;
                Ok(count)
            })?;
            if taken == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            rest = &mut rest[taken..];
        }
        Ok(())
    }
}
