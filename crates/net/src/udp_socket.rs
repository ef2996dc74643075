//! A UDP socket of one peer.

use crate::socket_options::SocketOptions;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;

/// The longest packet there can be.
const MAX_PACKET: usize = 65_535;

/// A socket that sends to one address, and hears from it alone.
pub struct UdpSocket(tokio::net::UdpSocket);

impl UdpSocket {
    /// A socket for `peer`, with options set before.
    ///
    /// # Errors
    /// What the system says.
    pub fn connect(peer: SocketAddr, options: &SocketOptions) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(peer), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Keep-alive is TCP's.
        let options = SocketOptions {
            keepalive: None,
            ..options.clone()
        };
        if let Some(source) = options.apply_for(&socket, peer)? {
            socket.bind(&source.into())?;
        }
        socket.connect(&peer.into())?;
        tokio::net::UdpSocket::from_std(socket.into()).map(Self)
    }

    /// Its own address.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Sends a packet; one for which there is no room now is lost, as packets may be.
    pub fn send(&self, packet: &[u8]) {
        // Not through the runtime, which thinks that a new socket can't send yet.
        let _ = SockRef::from(&self.0).send(packet);
    }

    /// The next packet, given to `take`.
    ///
    /// # Errors
    /// What the system says, of this packet or those sent before.
    pub fn poll_receive<T>(
        &self,
        task: &mut Context<'_>,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Poll<io::Result<T>> {
        let mut room = [const { MaybeUninit::uninit() }; MAX_PACKET];
        let mut packet = ReadBuf::uninit(&mut room);
        ready!(self.0.poll_recv(task, &mut packet))?;
        Poll::Ready(Ok(take(packet.filled())))
    }
}
