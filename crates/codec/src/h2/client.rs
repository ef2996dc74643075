//! What only a client does: it opens streams, and learns how many it may open.

use super::connection::H2Connection;
use super::stream::Asked;
use crate::End;
use crate::chars::has_element;
use nuncio_base::{HeaderMap, names};

/// How many streams are opened before the server has said how many it takes.
const UNTIL_KNOWN: u32 = 100;
/// The last stream of a connection; there are no numbers beyond it (RFC 9113 section 5.1.1).
const LAST_STREAM: u32 = 0x7fff_ffff;

impl H2Connection {
    /// How many streams may be open at a time as far as the server has said.
    pub fn max_streams(&self) -> u32 {
        let own = self.local.settings.max_concurrent_streams;
        match self.peer.is_known {
            true => own.min(self.peer.max_concurrent),
            false => own.min(UNTIL_KNOWN),
        }
    }

    /// Whether the server's first SETTINGS have come.
    pub fn knows_peer(&self) -> bool {
        self.peer.is_known
    }

    /// Whether another stream can be opened ever.
    pub fn is_exhausted(&self) -> bool {
        self.newest >= LAST_STREAM - 1
    }

    /// Whether something is to be taken by [`take_output`](Self::take_output).
    pub fn has_output(&self) -> bool {
        self.output.len() > 0 || self.has_more()
    }

    /// Opens a stream with a request's head, and gives its number.
    ///
    /// An upgrade is sent as an extended CONNECT; of a CONNECT only method and authority are sent.
    /// `None`: there are no numbers left ([`is_exhausted`](Self::is_exhausted)).
    pub fn open(&mut self, headers: &HeaderMap, end: End) -> Option<u32> {
        if self.is_exhausted() || self.is_failed {
            return None;
        }
        let id = match self.newest {
            0 => 1,
            newest => newest + 2,
        };
        let asked = asked(headers);
        self.insert(id).asked = asked.clone();
        self.put_request(id, headers, end, &asked);
        self.end_sending(id, end);
        Some(id)
    }

    /// The stream of `id` will hear nothing more, and the server nothing of it: it was refused with
    /// all streams behind the last that the server has taken.
    pub fn forget(&mut self, id: u32) {
        self.remove(id);
    }

    /// The bytes of the header block that came last, with its frame header.
    pub fn head_bytes(&self) -> usize {
        self.last_head
    }

    /// The bytes on the wire of the event that came last.
    pub fn event_bytes(&self) -> usize {
        self.event_bytes
    }

    /// The bytes of the frames that wait to be taken.
    pub fn output_len(&self) -> usize {
        self.output.len()
    }

    fn put_request(&mut self, id: u32, headers: &HeaderMap, end: End, asked: &Asked) {
        let is_connect = headers.get(names::METHOD) == Some(b"CONNECT");
        let is_upgrade = matches!(asked, Asked::Upgrade(_));
        let encoder = &mut self.encoder;
        encoder.begin();
        if let Asked::Upgrade(protocol) = asked {
            encoder.field(Some(names::METHOD), b":method", b"CONNECT");
            encoder.field(Some(names::PROTOCOL), b":protocol", protocol);
        }
        if !is_connect && !headers.contains(names::SCHEME) {
            encoder.field(Some(names::SCHEME), b":scheme", b"http");
        }
        self.put_fields(headers, |known, value| match known {
            names::METHOD => !is_upgrade,
            names::SCHEME | names::PATH => !is_connect,
            names::PROTOCOL => false,
            names::CONTENT_LENGTH => !(is_upgrade && value == b"0"),
            _ => true,
        });
        self.end_head(id, end);
    }
}

/// What is to be remembered of a request.
fn asked(headers: &HeaderMap) -> Asked {
    if headers.get(names::METHOD) == Some(b"HEAD") {
        return Asked::Head;
    }
    let upgrades = headers
        .get_all(names::CONNECTION)
        .any(|value| has_element(value, "upgrade"));
    match headers.get(names::UPGRADE) {
        Some(protocol) if upgrades => Asked::Upgrade(protocol.into()),
        _ => Asked::Other,
    }
}
