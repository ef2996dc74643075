//! A request whose payload goes to a host as UDP packets: a CONNECT-UDP that ends here (RFC 9298).

use crate::host::Host;
use crate::local_cluster::LocalCluster;
use nuncio_base::address::Address;
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::capsule::{CapsuleReader, write_packet};
use nuncio_codec::{End, Frame};
use nuncio_net::UdpSocket;
use nuncio_stream_info::BytesMeter;
use std::task::{Context, Poll};

/// A request and its response on a UDP socket of its own. The response's head is made here; it ends
/// with the request only. Packets that can't be sent at once are lost.
pub struct UdpStream {
    socket: UdpSocket,
    /// The response's head, until it is given.
    head: Option<HeaderMap>,
    capsules: CapsuleReader,
    bytes: BytesMeter,
}

impl UdpStream {
    fn new(socket: UdpSocket) -> Self {
        Self {
            socket,
            head: None,
            capsules: CapsuleReader::default(),
            bytes: BytesMeter::default(),
        }
    }

    /// The request's head is there; nothing of it is sent.
    pub fn send_headers(&mut self) {
        let mut head = HeaderMap::default();
        head.set(names::STATUS, b"200");
        head.set("capsule-protocol", b"?1");
        self.head = Some(head);
    }

    /// Sends the packets of a piece of the body, emptying `data`.
    pub fn send_data(&mut self, data: &mut Buffer) {
        let (socket, bytes) = (&self.socket, &mut self.bytes);
        let mut send = |packet: &[u8]| {
            bytes.wire_sent += packet.len() as u64;
            socket.send(packet);
        };
        for piece in data.slices() {
            // Behind what is no capsule nothing more is sent; what comes back still is.
            if self.capsules.read(piece, &mut send).is_err() {
                break;
            }
        }
        data.clear();
    }

    /// The socket's own address.
    pub fn local_address(&self) -> Option<Address> {
        self.socket.local_address().ok().map(Address::Ip)
    }

    /// The bytes of packets so far.
    pub fn bytes(&self) -> BytesMeter {
        self.bytes
    }

    /// Gives the next frame of the response.
    pub fn poll(&mut self, task: &mut Context<'_>) -> Poll<Frame> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Frame::Headers(head, End::No));
        }
        loop {
            let packet = self
                .socket
                .poll_receive(task, |packet| (packet.len() as u64, write_packet(packet)));
            // An error is one of a packet that was sent: others may still get through.
            if let Ok((length, capsule)) = std::task::ready!(packet) {
                self.bytes.wire_received += length;
                return Poll::Ready(Frame::Data(Buffer::from(capsule), End::No));
            }
        }
    }
}

impl LocalCluster {
    /// A stream of packets to `host`; `None` where it has no address for them, or the system has
    /// no more sockets.
    pub fn udp_stream(&self, host: &Host) -> Option<UdpStream> {
        let Address::Ip(peer) = host.address() else {
            return None;
        };
        let socket = UdpSocket::connect(peer, &self.spec().socket_options).ok()?;
        Some(UdpStream::new(socket))
    }
}
