//! One request's life on its connection: from its head to its access log.

use crate::bulk::BulkBody;
use crate::chain::{FilterStream, Out};
use crate::conn_manager::local::HcmLocal;
use crate::conn_manager::{request, response, tracing, upgrade};
use crate::grpc_timeout;
use crate::local_reply::LocalReply;
use crate::opaque::{is_connect, is_upgrade};
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::h1::reason_phrase;
use nuncio_codec::{End, ResetReason};
use nuncio_net::splice::Direction;
use nuncio_stream_info::{ConnectionInfo, Protocol, ResponseFlag, StreamInfo, Timings};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant};

/// A stream of the connection manager: the filters' stream and what only the manager needs.
pub(super) struct ActiveStream {
    pub(super) filters: Option<Box<FilterStream>>,
    pub(super) local: Rc<HcmLocal>,
    pub(super) awaits_head: bool,
    pub request_complete: bool,
    pub(super) response_started: bool,
    response_complete: bool,
    pub(super) response_paused: bool,
    is_internal: bool,
    pub(super) is_upgrade: bool,
    /// How long the stream may last.
    pub(super) duration_limit: Option<Duration>,
    /// When something last moved, for the stream's idle timeout.
    pub(super) moved_at: Instant,
    pub(super) wake_at: Option<Instant>,
    /// Whether its body is moved by the kernel.
    pub bulk: Direction,
    /// When the next line is logged while the stream lasts.
    pub(super) log_at: Option<Instant>,
    /// What the response says the request is called.
    decorated: Option<Arc<str>>,
}

impl ActiveStream {
    /// A stream whose head is still to come.
    pub fn new(
        local: &Rc<HcmLocal>,
        connection: Rc<ConnectionInfo>,
        protocol: Protocol,
    ) -> Box<Self> {
        let worker = &local.worker;
        let now = worker.now();
        let mut info = StreamInfo::new(connection, Timings::new(worker.wall(), now));
        info.protocol = Some(protocol);
        Box::new(Self {
            filters: Some(Self::new_filters(local, info)),
            local: Rc::clone(local),
            awaits_head: true,
            request_complete: false,
            response_started: false,
            response_complete: false,
            response_paused: false,
            is_internal: false,
            is_upgrade: false,
            duration_limit: local.spec.timeouts.max_stream_duration,
            moved_at: now,
            wake_at: None,
            bulk: Direction::default(),
            decorated: None,
            log_at: local.spec.logs.interval.map(|interval| now + interval),
        })
    }

    /// The filters of a stream that begins, which is counted.
    pub(super) fn new_filters(local: &HcmLocal, info: StreamInfo) -> Box<FilterStream> {
        let stats = &local.stats;
        stats.downstream_rq_total().inc();
        match info.protocol {
            Some(Protocol::Http2) => stats.downstream_rq_http2_total().inc(),
            _ => stats.downstream_rq_http1_total().inc(),
        }
        stats.downstream_rq_active().inc();
        FilterStream::new(&local.chain, &local.stream_config, info)
    }

    /// Whether the request's head is still to come.
    pub fn awaits_head(&self) -> bool {
        self.awaits_head
    }

    pub fn take_head(&mut self, headers: HeaderMap) {
        self.awaits_head = false;
        let unused = std::mem::replace(self.request_headers(), headers);
        self.local.header_pool.with(|pool| pool.give(unused));
    }

    pub(super) fn filters(&mut self) -> &mut FilterStream {
        // Taken only by `finish`, which consumes the stream.
        self.filters
            .as_mut()
            .expect("an unfinished stream has its filters")
    }

    pub fn info(&mut self) -> &mut StreamInfo {
        &mut self.filters().state.info
    }

    pub fn request_headers(&mut self) -> &mut HeaderMap {
        &mut self.filters().state.request.headers
    }

    pub fn response_headers(&mut self) -> &HeaderMap {
        &self.filters().state.response.headers
    }

    pub fn response_trailers(&mut self) -> &HeaderMap {
        self.filters()
            .state
            .response
            .trailers
            .get_or_insert_default()
    }

    pub fn response_started(&self) -> bool {
        self.response_started
    }

    /// The request's head is there: it is made fit for the filters, or answered at once.
    pub fn begin(&mut self, end: End) {
        let now = self.local.worker.now();
        self.request_complete = end.is_end();
        let local = Rc::clone(&self.local);
        let filters = self.filters();
        let state = &mut filters.state;
        state.info.header_bytes[0] = state.request.headers.byte_size() as u64;
        state.info.downstream_bytes.header_received = match state.info.protocol {
            Some(Protocol::Http2) => state.info.downstream_bytes.wire_received,
            _ => request::field_bytes(&state.request.headers),
        };
        if end.is_end() {
            state.info.timings.last_downstream_rx = Some(now);
        }
        state.begin_route(&local.routes);
        match request::prepare(&local, state) {
            Ok(internal) => {
                if let Some(settings) = &local.spec.tracing {
                    self.decorated = tracing::begin(&local, settings, state);
                }
                self.is_internal = internal;
                self.enter_filters(end);
            }
            Err(reply) => self.reply_before_filters(reply),
        }
    }

    /// Gives the request's head, which has its route now, to the filters.
    pub(super) fn enter_filters(&mut self, end: End) {
        let local = Rc::clone(&self.local);
        let checked = upgrade::check(&local, &self.filters().state);
        if checked.is_ok() {
            self.choose_chain();
            self.limit_duration();
            self.count_upgrade();
        }
        self.log_request();
        match checked {
            Ok(()) => self.filters().request_headers(end),
            Err(reply) => self.reply_before_filters(reply),
        }
    }

    /// Finds out how long the stream may last.
    fn limit_duration(&mut self) {
        let of_manager = self.local.spec.timeouts.max_stream_duration;
        let state = &mut self.filters().state;
        let action = state.route.action();
        let of_route = action.and_then(|action| action.max_stream_duration);
        let headers = &mut state.request.headers;
        self.duration_limit = grpc_timeout::stream_limit(of_route.as_ref(), of_manager, headers);
    }

    fn count_upgrade(&mut self) {
        let state = &self.filters().state;
        let headers = &state.request.headers;
        let is_upgrade = is_connect(headers) || is_upgrade(headers);
        if is_upgrade && state.route.selected().is_some() {
            self.is_upgrade = true;
            let stats = &self.local.stats;
            stats.downstream_cx_upgrades_total().inc();
            stats.downstream_cx_upgrades_active().inc();
        }
    }

    /// A piece of the request's body is there. Filters that look at bodies are shown the end of one
    /// by itself, as Envoy's codec does: a reply to the last piece comes before the end then, and
    /// what is buffered is counted before a filter may go on.
    pub fn request_data(&mut self, data: Buffer, end: End) {
        if end.is_end() && !data.is_empty() && self.filters().reads_request_bodies() {
            self.request_piece(data, End::No);
            if !self.filters().state.request_aborted {
                self.request_piece(Buffer::new(), end);
            }
        } else {
            self.request_piece(data, end);
        }
    }

    fn request_piece(&mut self, data: Buffer, end: End) {
        self.moved_at = self.local.worker.now();
        let now = self.moved_at;
        self.request_complete |= end.is_end();
        let state = &mut self.filters().state;
        state.info.bytes_received += data.len() as u64;
        if end.is_end() {
            state.info.timings.last_downstream_rx = Some(now);
        }
        if !state.request_aborted {
            self.filters().request_data(data, end);
        }
    }

    pub fn request_trailers(&mut self, trailers: HeaderMap) {
        self.moved_at = self.local.worker.now();
        let now = self.moved_at;
        self.request_complete = true;
        let state = &mut self.filters().state;
        state.info.timings.last_downstream_rx = Some(now);
        if !state.request_aborted {
            self.filters().request_trailers(trailers);
        }
    }

    /// So many bytes of the connection belonged to this request.
    pub fn received(&mut self, bytes: u64) {
        self.info().downstream_bytes.wire_received += bytes;
    }

    /// Whether the request's body must wait.
    pub fn request_paused(&self) -> bool {
        self.filters
            .as_ref()
            .is_some_and(|filters| filters.state.request.paused() && !filters.state.request_aborted)
    }

    /// The rest of its body, where that may pass by.
    pub fn bulk_body(&mut self) -> Option<&mut dyn BulkBody> {
        self.filters.as_mut()?.bulk_body()
    }

    /// Holds the response back, or lets it go on; whether it goes on now and did not before.
    pub fn pause_response(&mut self, pause: bool) -> bool {
        if pause == self.response_paused {
            return false;
        }
        self.response_paused = pause;
        self.filters().state.response.push_back(pause);
        !pause
    }

    /// Whether the head of an answer waits to be written, with nothing behind it.
    pub fn begins_answer(&self) -> bool {
        let out = self.filters.as_deref().map(|filters| &filters.state.out);
        out.is_some_and(|out| out.len() == 1 && matches!(out[0], Out::Headers(End::No)))
    }

    /// Whether an answer waits to be written.
    pub fn is_answered(&self) -> bool {
        let waits = |filters: &FilterStream| !filters.state.out.is_empty();
        self.filters.as_deref().is_some_and(waits)
    }

    pub fn poll(&mut self, task: &mut Context<'_>) -> bool {
        if self.response_complete || self.awaits_head {
            return false;
        }
        let mut moved = self.filters().poll(task);
        if let Some(body) = self.filters().state.begin_anew.take() {
            self.begin_anew(*body);
            moved = true;
        }
        self.wake_at = self.filters().state.wake_at;
        moved
    }

    pub fn next_out(&mut self) -> Option<Out> {
        self.filters().state.out.pop_front()
    }

    /// A reply to what can't be given to the filters; none of them has seen anything.
    pub(super) fn reply_before_filters(&mut self, reply: LocalReply) {
        self.filters().order(|cx| cx.local_reply(reply));
    }

    /// The request can't be read: it is answered with a status of the codec's.
    pub fn codec_error(&mut self, status: u16, details: &'static str) {
        self.info().set_flag(ResponseFlag::DownstreamProtocolError);
        let reply = LocalReply::new(status, reason_phrase(status), details);
        self.reply_before_filters(reply);
    }

    /// Makes the response's head what clients get to see.
    pub fn finalize_response(&mut self) {
        let local = Rc::clone(&self.local);
        let state = &mut self.filters().state;
        response::finalize(&local, state);
        if let Some(settings) = &local.spec.tracing {
            tracing::finish(settings, self.decorated.take(), self);
        }
        let state = &mut self.filters().state;
        state.info.response_code = state.response.headers.status();
        state.info.header_bytes[1] = state.response.headers.byte_size() as u64;
        self.response_started = true;
        self.count_response();
        self.log_tunnel();
    }

    /// Whether nobody can be sure any more where the next request on this connection begins, where
    /// it carries one at a time: this one is not read to its end, or was bad.
    pub fn leaves_doubt(&mut self) -> bool {
        let stats = &self.local.stats;
        if !self.request_complete {
            stats.downstream_rq_response_before_rq_complete().inc();
        }
        let keeps = self.local.spec.stream_error_on_invalid_message;
        !self.request_complete || (self.filters().state.replied_bad_request && !keeps)
    }

    /// The response's head is written: so many bytes of fields, so many in all.
    pub fn head_sent(&mut self, fields: u64, bytes: u64) {
        let now = self.local.worker.now();
        self.moved_at = now;
        let info = self.info();
        info.timings.first_downstream_tx.get_or_insert(now);
        info.downstream_bytes.header_sent += fields;
        info.downstream_bytes.wire_sent += bytes;
        self.local.stats.downstream_cx_tx_bytes_total().add(bytes);
    }

    pub fn body_sent(&mut self, body: u64, wire: u64) {
        self.moved_at = self.local.worker.now();
        let info = self.info();
        info.bytes_sent += body;
        info.downstream_bytes.wire_sent += wire;
        self.local.stats.downstream_cx_tx_bytes_total().add(wire);
    }

    pub fn response_complete(&mut self) {
        let now = self.local.worker.now();
        self.response_complete = true;
        self.info().timings.last_downstream_tx = Some(now);
    }

    /// Ends the response where this was the end of it.
    pub fn complete_when(&mut self, end: End) {
        if end.is_end() {
            self.response_complete();
        }
    }

    /// Whether nothing more will happen on this stream.
    pub fn is_over(&self) -> bool {
        self.response_complete
    }

    /// The client is gone.
    pub fn connection_closed(&mut self) {
        let flag = ResponseFlag::DownstreamConnectionTermination;
        self.end_by_peer(flag, "downstream_remote_disconnect");
    }

    /// The request has ended before its response did, by what the client did.
    pub fn end_by_peer(&mut self, flag: ResponseFlag, details: &'static str) {
        let local = Rc::clone(&self.local);
        local.stats.downstream_rq_rx_reset().inc();
        let info = self.info();
        info.set_flag(flag);
        info.response_code_details = Some(details.into());
        self.filters()
            .order(|cx| cx.reset(ResetReason::ConnectionTermination));
    }

    /// Since when there is this stream.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start())
    }

    /// The response's trailers, to be sent; logs want them too.
    pub fn copy_response_trailers(&mut self) -> HeaderMap {
        self.filters()
            .state
            .response
            .trailers
            .clone()
            .unwrap_or_default()
    }
}
