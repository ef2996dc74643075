//! A connection: its state, and what its owner asks of it.

use super::error::{ErrorCode, H2Error};
use super::flood::{self, Inbound};
use super::flow::{INITIAL, ReceiveWindow};
use super::frame::{self, MAX_FRAME, PREFACE, flag, kind, setting};
use super::hpack::{Decoder, Encoder};
use super::output::Output;
use super::receive::Partial;
use super::receive_data::DataFrame;
use super::repeated::Repeated;
use super::settings::H2Settings;
use super::stats::H2Stats;
use super::stream::Stream;
use super::streams::{Removed, Streams};
use crate::{Frame, ResetReason};
use bytes::BufMut;
use nuncio_base::Buffer;
use std::rc::Rc;
use std::sync::Arc;

/// What the connections of a worker share: settings, and where they count.
pub struct H2Local {
    /// The settings.
    pub settings: Arc<H2Settings>,
    /// `http2.*`.
    pub stats: H2Stats,
}

/// What came of a connection's bytes.
#[derive(Debug, PartialEq)]
pub enum H2Event {
    /// A frame of a stream's message; never a reset.
    Frame(u32, Frame),
    /// A stream has ended before its message did.
    Reset {
        /// Which; a server may not have heard of it yet.
        stream: u32,
        /// Who did it.
        reason: ResetReason,
        /// Envoy's response code details.
        details: &'static str,
        /// The peer did it: else it is told.
        by_peer: bool,
    },
    /// The peer opens and takes no more streams.
    GoAway {
        /// The last stream that it has dealt with.
        last: u32,
        /// Why.
        code: ErrorCode,
    },
    /// The peer has answered a PING.
    Pong,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Server,
    Client,
}

/// What the peer's SETTINGS say.
pub(super) struct Peer {
    pub initial_window: u32,
    pub max_frame: usize,
    pub max_concurrent: u32,
    pub allows_connect: bool,
    /// Its first SETTINGS have come.
    pub is_known: bool,
}

/// The codec of one HTTP/2 connection.
///
/// [`next`](Self::next) gives what came, event by event. A stream is there from its head to the
/// end of both directions or a reset; what is asked of one that is gone is not done.
pub struct H2Connection {
    pub(super) local: Rc<H2Local>,
    pub(super) role: Role,
    pub(super) peer: Peer,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    pub(super) streams: Streams,
    /// The newest stream: of the peer's for a server, of ours for a client.
    pub(super) newest: u32,
    pub(super) window: ReceiveWindow,
    pub(super) send_window: i64,
    pub(super) output: Output,
    pub(super) inbound: Inbound,
    /// What is left of the client's preface.
    pub(super) preface: &'static [u8],
    /// A DATA frame whose rest is still to come.
    pub(super) data: Option<DataFrame>,
    /// A header block whose rest is still to come, and its bytes so far.
    pub(super) partial: Option<Partial>,
    pub(super) block: Vec<u8>,
    pub(super) cookies: Vec<u8>,
    pub(super) repeated: Repeated,
    /// The bytes of the last header block and its frame.
    pub(super) last_head: usize,
    /// The bytes of the event that came last, and of one whose rest is still to come.
    pub(super) event_bytes: usize,
    pub(super) begun_bytes: usize,
    /// Our SETTINGS were acknowledged.
    pub(super) settings_acked: bool,
    pub(super) is_failed: bool,
    /// Streams beyond this one are not taken any more.
    pub(super) last_taken: u32,
}

impl H2Connection {
    /// The server's side of a new connection.
    pub fn server(local: &Rc<H2Local>) -> Self {
        local.stats.nghttp2_downstream_connections().inc();
        let mut connection = Self::new(local, Role::Server);
        connection.preface = PREFACE;
        connection
    }

    /// The client's side of a new connection.
    pub fn client(local: &Rc<H2Local>) -> Self {
        local.stats.nghttp2_upstream_connections().inc();
        Self::new(local, Role::Client)
    }

    fn new(local: &Rc<H2Local>, role: Role) -> Self {
        let settings = &local.settings;
        let table = settings.hpack_table_size as usize;
        let mut connection = Self {
            role,
            peer: Peer {
                initial_window: INITIAL,
                max_frame: MAX_FRAME,
                max_concurrent: u32::MAX,
                allows_connect: false,
                is_known: false,
            },
            // Until it knows better the peer uses the protocol's default.
            decoder: Decoder::new(table.max(4096)),
            encoder: Encoder::new(table, local.settings.huffman),
            streams: Streams::default(),
            newest: 0,
            window: ReceiveWindow::new(settings.initial_connection_window.max(INITIAL)),
            send_window: INITIAL.into(),
            output: Output::default(),
            inbound: Inbound::default(),
            preface: &[],
            data: None,
            partial: None,
            block: Vec::new(),
            cookies: Vec::new(),
            repeated: Repeated::default(),
            last_head: 0,
            event_bytes: 0,
            begun_bytes: 0,
            settings_acked: false,
            is_failed: false,
            last_taken: u32::MAX,
            local: Rc::clone(local),
        };
        connection.send_settings();
        connection
    }

    fn send_settings(&mut self) {
        let settings = Arc::clone(&self.local.settings);
        if self.role == Role::Client {
            self.output.block.put_slice(PREFACE);
        }
        let mut payload = Vec::with_capacity(30);
        let mut put = |name: u16, value: u32| {
            payload.put_u16(name);
            payload.put_u32(value);
        };
        put(setting::HEADER_TABLE_SIZE, settings.hpack_table_size);
        match self.role {
            Role::Server => {
                put(
                    setting::ENABLE_CONNECT_PROTOCOL,
                    settings.allow_connect.into(),
                );
                put(
                    setting::MAX_CONCURRENT_STREAMS,
                    settings.max_concurrent_streams,
                );
            }
            Role::Client => put(setting::ENABLE_PUSH, 0),
        }
        put(setting::INITIAL_WINDOW_SIZE, settings.initial_stream_window);
        for (name, value) in &settings.custom {
            put(*name, *value);
        }
        frame::put(&mut self.output.block, kind::SETTINGS, 0, 0, &payload);
        self.output.frames += 1;
        let more = settings.initial_connection_window.saturating_sub(INITIAL);
        if more > 0 {
            self.put_window_update(0, more);
        }
    }

    /// How many streams are open.
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// Whether a stream is not over in both directions.
    pub fn is_open(&self, stream: u32) -> bool {
        self.streams.get(stream).is_some()
    }

    /// A stream whose message to the peer is complete: what the peer still has to say is of no
    /// use, and it is told so once everything is sent (RFC 9113 section 8.1).
    pub fn end_early(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(id) {
            stream.ends_early = true;
            self.remove_if_done(id);
        }
    }

    /// How many bytes of a stream wait for its windows.
    pub fn waiting(&self, stream: u32) -> usize {
        self.streams
            .get(stream)
            .map_or(0, |stream| stream.waiting.len())
    }

    /// What was received of a stream is taken on: the peer may send as much again.
    pub fn release(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        let bytes = std::mem::take(&mut stream.unreleased);
        if bytes == 0 {
            return;
        }
        let due = stream.window.take_on(bytes).filter(|_| stream.receives);
        if let Some(due) = due {
            self.put_window_update(id, due);
        }
        self.release_connection(bytes);
    }

    pub(super) fn release_connection(&mut self, bytes: u32) {
        if let Some(due) = self.window.take_on(bytes) {
            self.put_window_update(0, due);
        }
    }

    /// Resets a stream.
    pub fn reset(&mut self, id: u32, code: ErrorCode) {
        if self.remove(id).is_some() {
            self.put_reset(id, code);
        }
    }

    pub(super) fn put_reset(&mut self, id: u32, code: ErrorCode) {
        self.streams.note_reset(id);
        self.local.stats.tx_reset().inc();
        self.put_control(kind::RST_STREAM, 0, id, &code.0.to_be_bytes());
    }

    /// Forgets a stream, both directions of which are over.
    pub(super) fn remove(&mut self, id: u32) -> Option<Removed> {
        let stream = self.streams.remove(id)?;
        let stats = &self.local.stats;
        stats.streams_active().dec();
        stats.pending_send_bytes().sub(stream.waiting as u64);
        if stream.unreleased > 0 {
            self.release_connection(stream.unreleased);
        }
        Some(stream)
    }

    /// Adds a stream.
    pub(super) fn insert(&mut self, id: u32) -> &mut Stream {
        self.newest = id;
        self.inbound.opened += 1;
        self.local.stats.streams_active().inc();
        let window = self.local.settings.initial_stream_window;
        let stream = Stream::new(window, self.peer.initial_window.into());
        self.streams.insert(id, stream)
    }

    /// Asks the peer for a sign of life: [`H2Event::Pong`].
    pub fn ping(&mut self, payload: u64) {
        self.put_control(kind::PING, 0, 0, &payload.to_be_bytes());
    }

    /// Tells the peer that soon no more streams are taken.
    pub fn announce_goaway(&mut self) {
        self.local.stats.goaway_sent().inc();
        self.put_goaway(0x7fff_ffff, ErrorCode::NONE);
    }

    /// Takes no more streams than there are.
    pub fn goaway(&mut self) {
        self.local.stats.goaway_sent().inc();
        self.last_taken = self.newest;
        self.put_goaway(self.newest, ErrorCode::NONE);
    }

    pub(super) fn put_goaway(&mut self, last: u32, code: ErrorCode) {
        let mut payload = [0; 8];
        payload[..4].copy_from_slice(&last.to_be_bytes());
        payload[4..].copy_from_slice(&code.0.to_be_bytes());
        frame::put(&mut self.output.block, kind::GOAWAY, 0, 0, &payload);
        self.output.frames += 1;
    }

    pub(super) fn put_window_update(&mut self, stream: u32, by: u32) {
        let payload = by.to_be_bytes();
        frame::put(
            &mut self.output.block,
            kind::WINDOW_UPDATE,
            0,
            stream,
            &payload,
        );
        self.output.frames += 1;
    }

    /// A frame that the peer can make us send without end.
    pub(super) fn put_control(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        frame::put(&mut self.output.block, kind, flags, stream, payload);
        self.output.frames += 1;
        self.output.control += 1;
    }

    pub(super) fn put_settings_ack(&mut self) {
        self.put_control(kind::SETTINGS, flag::ACK, 0, &[]);
    }

    /// Moves what is to be written to `out`; of what streams send no more than until `out` has
    /// `limit` bytes.
    pub fn take_output(&mut self, out: &mut Buffer, limit: usize) {
        self.send_ready(limit.saturating_sub(out.len()));
        self.output.take(out);
    }

    /// Whether something waits that only room in the connection's buffer keeps from being sent.
    pub fn has_more(&self) -> bool {
        self.send_window > 0 && !self.streams.ready.is_empty()
    }

    /// So many bytes of what was taken are not written yet.
    ///
    /// # Errors
    /// Too many frames are among them.
    pub fn note_unwritten(&mut self, bytes: usize) -> Result<(), H2Error> {
        self.output.note_unwritten(bytes);
        let (settings, stats) = (&self.local.settings, &self.local.stats);
        flood::outbound(self.output.unwritten(), settings, stats)
    }

    /// Gives memory back that an idle connection need not hold.
    pub fn rest(&mut self) {
        self.output.release();
        self.encoder.rest();
        self.streams.rest();
        if self.partial.is_none() {
            self.block = Vec::new();
        }
        self.cookies = Vec::new();
        self.repeated.rest();
    }
}

impl Drop for H2Connection {
    fn drop(&mut self) {
        let stats = &self.local.stats;
        stats.streams_active().sub(self.streams.len() as u64);
        let waiting = |(_, stream): (u32, &mut Stream)| stream.waiting.len() as u64;
        let waiting: u64 = self.streams.iter_mut().map(waiting).sum();
        stats.pending_send_bytes().sub(waiting);
    }
}
