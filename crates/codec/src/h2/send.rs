//! What is sent: heads at once, data and what follows it as the windows allow, stream by stream.

use super::connection::H2Connection;
use super::frame::MAX_FRAME;
use super::stream::{Asked, SendEnd};
use crate::End;
use nuncio_base::header_map::KnownNames;
use nuncio_base::{Buffer, HeaderMap, Known, names};

impl H2Connection {
    /// Sends a response's head, final or interim.
    pub fn send_head(&mut self, id: u32, headers: &HeaderMap, end: End) {
        let Some(stream) = self.streams.get(id) else {
            return;
        };
        let switches = stream.asked != Asked::Other && headers.get(names::STATUS) == Some(b"101");
        self.encoder.begin();
        if switches {
            self.encoder.field(Some(names::STATUS), b":status", b"200");
        }
        self.put_fields(headers, |known, _| !(switches && known == names::STATUS));
        self.end_head(id, end);
        self.end_sending(id, end);
    }

    pub(super) fn end_sending(&mut self, id: u32, end: End) {
        if end.is_end()
            && let Some(stream) = self.streams.get_mut(id)
        {
            stream.sends = false;
            self.remove_if_done(id);
        }
    }

    /// Encodes the fields that another hop may see, and that `keep` keeps.
    pub(super) fn put_fields(&mut self, headers: &HeaderMap, keep: impl Fn(Known, &[u8]) -> bool) {
        let has_others = headers.contains_any(OF_ONE_HOP);
        for field in headers.fields() {
            let (known, value) = (field.known(), field.value);
            let is_other = |known| has_others && is_of_one_hop(known, value);
            let is_kept = |known| !is_other(known) && keep(known, value);
            if known.is_none_or(is_kept) {
                self.encoder.field(known, field.name(), value);
            }
        }
    }

    /// Writes the block that the encoder has begun as a head.
    pub(super) fn end_head(&mut self, id: u32, end: End) {
        let max_frame = self.peer.max_frame.min(MAX_FRAME);
        let block = self.encoder.block();
        self.output.head(id, block, end.is_end(), max_frame);
    }

    /// Sends data, as soon as the windows allow.
    pub fn send_data(&mut self, id: u32, mut data: Buffer, end: End) {
        let Some(stream) = self.streams.get_mut(id).filter(|stream| stream.sends) else {
            return;
        };
        let bytes = data.len() as u64;
        self.local.stats.pending_send_bytes().add(bytes);
        if stream.send_window <= 0 {
            // It may have to wait for long.
            data.compact();
        }
        stream.waiting.append(&mut data);
        if end.is_end() {
            stream.sends = false;
            stream.end = Some(SendEnd::Data);
        }
        self.streams.queue(id);
    }

    /// Sends trailers behind the data; they end the message.
    pub fn send_trailers(&mut self, id: u32, trailers: HeaderMap) {
        let Some(stream) = self.streams.get_mut(id).filter(|stream| stream.sends) else {
            return;
        };
        stream.sends = false;
        // Without a field they would be a head without fields, which is none.
        stream.end = Some(if trailers.is_empty() {
            SendEnd::Data
        } else {
            SendEnd::Trailers(trailers)
        });
        self.streams.queue(id);
    }

    /// Lets streams send in turn, a frame each, up to `room` bytes in all.
    pub(super) fn send_ready(&mut self, mut room: usize) {
        while let Some(id) = self.streams.ready.pop_front() {
            let Some(stream) = self.streams.get_mut(id) else {
                continue;
            };
            let window = stream.send_window.min(self.send_window).max(0);
            let window = usize::try_from(window).unwrap_or(usize::MAX);
            let largest = self.peer.max_frame.min(MAX_FRAME);
            let waits = stream.waiting.len();
            let len = waits.min(largest).min(window);
            let is_blocked = waits > 0 && (len == 0 || room == 0);
            if is_blocked && stream.send_window > 0 {
                // The connection's turn to wait; this stream is the next one then.
                self.streams.ready.push_front(id);
                return;
            }
            stream.queued = false;
            if is_blocked {
                continue;
            }
            room = room.saturating_sub(len);
            self.send_some(id, len);
            self.streams.queue(id);
            self.remove_if_done(id);
        }
    }

    /// Sends so much of a stream's data, and its end where that is all.
    fn send_some(&mut self, id: u32, len: usize) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        let is_all = len == stream.waiting.len();
        let ends = is_all && matches!(stream.end, Some(SendEnd::Data));
        if len > 0 || ends {
            self.output.data(id, &mut stream.waiting, len, ends);
            self.inbound.data_sent += 1;
            stream.send_window -= len as i64;
            self.send_window -= len as i64;
            self.local.stats.pending_send_bytes().sub(len as u64);
        }
        if !is_all {
            return;
        }
        if let Some(SendEnd::Trailers(trailers)) = stream.end.take() {
            self.encoder.begin();
            self.put_fields(&trailers, |_, _| true);
            self.end_head(id, End::Stream);
        }
    }
}

/// The names of fields that concern an HTTP/1 connection only (RFC 9113 section 8.2.2).
const OF_ONE_HOP: KnownNames = KnownNames::of(&[
    names::CONNECTION,
    names::KEEP_ALIVE,
    names::PROXY_CONNECTION,
    names::TRANSFER_ENCODING,
    names::UPGRADE,
    names::HTTP2_SETTINGS,
    names::TE,
]);

/// Whether a field is one of those.
fn is_of_one_hop(known: Known, value: &[u8]) -> bool {
    let may_pass = known == names::TE && value.eq_ignore_ascii_case(b"trailers");
    OF_ONE_HOP.has(known) && !may_pass
}
