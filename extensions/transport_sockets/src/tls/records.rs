//! Records in and out of one TLS connection, without a socket.
//!
//! An idle connection keeps no buffer: what is here holds memory only while a record is incomplete
//! or not yet written.

use super::scratch::Scratch;
use super::session::Session;
use bytes::{Bytes, BytesMut};
use nuncio_base::Buffer;
use rustls::Error;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, WriteTraffic};

/// How much plaintext is sealed at once: four records, which are written with one call.
const SEAL_BYTES: usize = 64 * 1024;

/// A slice of this length is worth a record of its own, where it would else be copied.
const LARGE_SLICE: usize = 12 * 1024;

/// How much plaintext a record has at most.
const RECORD: usize = 16 * 1024;

/// What sealing adds to each record, at most: header, nonce, content type and tag.
const RECORD_OVERHEAD: usize = 64;

/// An alert, sealed.
const ALERT_BYTES: usize = 128;

/// How far a connection has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// The handshake needs more bytes of the peer.
    Handshaking,
    /// Data can flow.
    Open,
    /// The peer has said that it sends no more.
    PeerClosed,
}

/// One TLS connection's records.
pub struct Records<S> {
    session: S,
    /// Of an incomplete record, or of an incomplete handshake message.
    incoming: Vec<u8>,
    /// Records that wait to be written.
    pub outgoing: Buffer,
    peer_closed: bool,
    notified: bool,
}

impl<S: Session> Records<S> {
    /// A connection of which nothing was sent or received but `incoming`.
    pub fn new(session: S, incoming: Vec<u8>) -> Self {
        Self {
            session,
            incoming,
            outgoing: Buffer::new(),
            peer_closed: false,
            notified: false,
        }
    }

    /// The connection itself.
    pub fn session(&self) -> &S {
        &self.session
    }

    /// Puts what an earlier read left in front of what will be read into `block`.
    pub fn restore(&mut self, block: &mut BytesMut) {
        block.extend_from_slice(&self.incoming);
    }

    /// Takes records off `block`, which begins with what was restored; data goes to `plain`, what
    /// is due to the peer to `outgoing`, and what is incomplete is kept.
    ///
    /// # Errors
    /// What the peer did wrong; an alert that tells it is in `outgoing`.
    pub fn receive(
        &mut self,
        block: &mut [u8],
        plain: &mut BytesMut,
        seal: &mut BytesMut,
    ) -> Result<Progress, Error> {
        let (mut taken, before) = (0, (plain.len(), self.outgoing.len()));
        let result = loop {
            let (discard, stepped) = self.step(&mut block[taken..], plain, seal);
            taken += discard;
            match stepped {
                // Data alone, mostly. Of what was sent for it rustls wants to hear.
                Ok(None)
                    if taken == block.len()
                        && plain.len() > before.0
                        && self.outgoing.len() == before.1
                        && !self.owes() =>
                {
                    break Ok(Progress::Open);
                }
                Ok(None) => {}
                Ok(Some(progress)) => break Ok(progress),
                Err(error) => {
                    self.queue_alert(&mut block[taken..], seal);
                    return Err(error);
                }
            }
        };
        let rest = &block[taken..];
        if rest.is_empty() {
            self.incoming = Vec::new();
        } else if rest.len() != self.incoming.len() || taken > 0 {
            self.incoming = rest.to_vec();
        }
        result
    }

    /// Whether rustls has something to be sent.
    fn owes(&self) -> bool {
        self.session.common().wants_write()
    }

    /// As [`receive`](Self::receive), with what is kept alone.
    ///
    /// # Errors
    /// As there.
    pub fn go_on(&mut self, plain: &mut BytesMut, seal: &mut BytesMut) -> Result<Progress, Error> {
        let mut block = std::mem::take(&mut self.incoming);
        self.receive(&mut block, plain, seal)
    }

    /// One step: how many bytes are done with, and what progress was made, if it ends here.
    fn step(
        &mut self,
        incoming: &mut [u8],
        plain: &mut BytesMut,
        seal: &mut BytesMut,
    ) -> (usize, Result<Option<Progress>, Error>) {
        let status = self.session.process(incoming);
        let mut discard = status.discard;
        let progress = match status.state {
            Err(error) => Err(error),
            Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                match traffic.next_record() {
                    None => break Ok(None),
                    Some(Err(error)) => break Err(error),
                    Some(Ok(record)) => {
                        plain.extend_from_slice(record.payload);
                        discard += record.discard;
                    }
                }
            },
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                encode(seal, &mut self.outgoing, |out| data.encode(out)).map(|()| None)
            }
            Ok(ConnectionState::TransmitTlsData(transmit)) => {
                transmit.done();
                Ok(None)
            }
            Ok(ConnectionState::PeerClosed) => {
                self.peer_closed = true;
                Ok(None)
            }
            Ok(ConnectionState::Closed) => Ok(Some(Progress::PeerClosed)),
            Ok(ConnectionState::WriteTraffic(_) | ConnectionState::BlockedHandshake)
                if self.peer_closed =>
            {
                Ok(Some(Progress::PeerClosed))
            }
            Ok(ConnectionState::WriteTraffic(_)) => Ok(Some(Progress::Open)),
            Ok(ConnectionState::BlockedHandshake) => Ok(Some(Progress::Handshaking)),
            Ok(_) => Err(Error::General("early data".into())),
        };
        (discard, progress)
    }

    /// After an error: what is due to the peer. rustls wants to see what is left of the input, and
    /// would stumble over it once more where nothing is due.
    fn queue_alert(&mut self, mut rest: &mut [u8], seal: &mut BytesMut) {
        while self.owes() {
            let status = self.session.process(rest);
            let discard = status.discard;
            let Ok(ConnectionState::EncodeTlsData(mut data)) = status.state else {
                return;
            };
            if encode(seal, &mut self.outgoing, |out| data.encode(out)).is_err() {
                return;
            }
            rest = &mut rest[discard..];
        }
    }

    /// Seals what is in front of `from` into `outgoing`; how many bytes of it, at least one.
    ///
    /// # Errors
    /// Where the connection can't send.
    pub fn seal(&mut self, from: &Buffer, scratch: &Scratch) -> Result<usize, Error> {
        let length = from.len().min(SEAL_BYTES);
        let larges = from.slices().filter(|slice| slice.len() >= LARGE_SLICE);
        // Each large slice may end a record early, and the one before it.
        let records = 1 + length / RECORD + 2 * larges.take(SEAL_BYTES / LARGE_SLICE).count();
        let outgoing = &mut self.outgoing;
        with_write_traffic(&mut self.session, &mut self.incoming, |traffic| {
            let sealed = scratch.sealed(length + RECORD_OVERHEAD * records, |block| {
                scratch.with_gathered(|gathered| seal_slices(traffic, from, block, gathered))
            })?;
            outgoing.push(sealed);
            Ok(length)
        })
    }

    /// What could not be written stays for long: it must not pin a block that is larger.
    pub fn keep_outgoing(&mut self) {
        if self.outgoing.len() < SEAL_BYTES / 2 {
            let copy = Bytes::copy_from_slice(&self.outgoing.to_bytes());
            self.outgoing = copy.into();
        }
    }

    /// Tells the peer that no more is sent, once.
    pub fn close_notify(&mut self, seal: &mut BytesMut) {
        if std::mem::replace(&mut self.notified, true) {
            return;
        }
        let outgoing = &mut self.outgoing;
        // A connection that can't send has nobody to tell.
        let _ = with_write_traffic(&mut self.session, &mut self.incoming, |traffic| {
            seal.clear();
            seal.resize(ALERT_BYTES, 0);
            let written = traffic.queue_close_notify(seal).map_err(cannot_send)?;
            outgoing.push(seal.split_to(written).freeze());
            Ok(0)
        });
    }

    /// Whether the peer has said that it sends no more.
    pub fn is_peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// Whether [`close_notify`](Self::close_notify) was called.
    pub fn is_notified(&self) -> bool {
        self.notified
    }
}

fn with_write_traffic<S: Session>(
    session: &mut S,
    incoming: &mut [u8],
    send: impl FnOnce(&mut WriteTraffic<'_, S::Data>) -> Result<usize, Error>,
) -> Result<usize, Error> {
    // What is kept makes no whole record, so nothing is taken off.
    match session.process(incoming).state? {
        ConnectionState::WriteTraffic(mut traffic) => send(&mut traffic),
        _ => Err(Error::HandshakeNotComplete),
    }
}

/// Seals up to `SEAL_BYTES` of the slices into `block`: large ones from where they are, small ones
/// put together. How many bytes that came to.
fn seal_slices<D>(
    traffic: &mut WriteTraffic<'_, D>,
    from: &Buffer,
    block: &mut [u8],
    gathered: &mut Vec<u8>,
) -> Result<usize, Error> {
    let (mut left, mut written) = (SEAL_BYTES, 0);
    let mut seal = |plain: &[u8]| {
        if plain.is_empty() {
            return Ok(written);
        }
        let more = traffic.encrypt(plain, &mut block[written..]);
        written += more.map_err(cannot_send)?;
        Ok(written)
    };
    let mut slices = from.slices().peekable();
    while let Some(slice) = slices.next().filter(|_| left > 0) {
        let slice = &slice[..slice.len().min(left)];
        left -= slice.len();
        let is_alone = gathered.is_empty() && slices.peek().is_none();
        if is_alone || slice.len() >= LARGE_SLICE {
            seal(gathered)?;
            gathered.clear();
            seal(slice)?;
        } else {
            gathered.extend_from_slice(slice);
        }
    }
    seal(gathered)
}

fn encode(
    seal: &mut BytesMut,
    outgoing: &mut Buffer,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) -> Result<(), Error> {
    seal.clear();
    seal.resize(ALERT_BYTES, 0);
    let written = match write(seal) {
        Err(EncodeError::InsufficientSize(size)) => {
            seal.resize(size.required_size, 0);
            write(seal)
        }
        written => written,
    };
    let written = written.map_err(|_| Error::HandshakeNotComplete)?;
    outgoing.push(seal.split_to(written).freeze());
    Ok(())
}

fn cannot_send(_: EncryptError) -> Error {
    Error::EncryptError
}
