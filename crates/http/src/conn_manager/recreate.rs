//! A request that begins anew on its stream: an internal redirect (Envoy's `recreateStream`).

use crate::conn_manager::request;
use crate::conn_manager::stream::ActiveStream;
use nuncio_base::{Buffer, names};
use nuncio_codec::End;
use nuncio_stream_info::{StreamInfo, Timings};
use std::rc::Rc;

impl ActiveStream {
    /// Ends the stream but for the client, who is not told, and begins its request anew.
    pub(super) fn begin_anew(&mut self, body: Buffer) {
        let local = Rc::clone(&self.local);
        let Some(mut old) = self.filters.take() else {
            return;
        };
        let state = &mut old.state;
        let status = state.response.headers.get_str(names::STATUS);
        state.info.response_code = status.and_then(|status| status.parse().ok());
        state.info.response_code_details = Some("internal_redirect".into());
        // Before the end, where filters and logs may take what they like.
        let info = downstream_facts(&state.info);
        self.end(&mut old, &local);
        let mut filters = Self::new_filters(&local, info);
        std::mem::swap(
            &mut filters.state.request.headers,
            &mut old.state.request.headers,
        );
        old.finish();
        if self.response_paused {
            filters.state.response.push_back(true);
        }
        self.filters = Some(filters);
        self.is_upgrade = false;
        self.moved_at = local.worker.now();
        let state = &mut self.filters().state;
        state.info.header_bytes[0] = state.request.headers.byte_size() as u64;
        state.begin_route(&local.routes);
        if let Err(reply) = request::prepare_again(&local, state) {
            return self.reply_before_filters(reply);
        }
        let has_body = !body.is_empty();
        self.enter_filters(End::when(!has_body));
        if has_body && !self.filters().state.request_aborted {
            self.request_data(body, End::Stream);
        }
    }
}

/// What a stream that begins anew takes over: what the client sent. That its address was found in
/// `x-forwarded-for` is forgotten, as in Envoy.
fn downstream_facts(old: &StreamInfo) -> StreamInfo {
    let mut timings = Timings::new(old.timings.start_time, old.timings.start);
    timings.last_downstream_rx = old.timings.last_downstream_rx;
    let mut info = StreamInfo::new(Rc::clone(&old.connection), timings);
    info.protocol = old.protocol;
    info.bytes_received = old.bytes_received;
    info.downstream_bytes = old.downstream_bytes;
    info.stream_id = old.stream_id.clone();
    info.filter_state = old.filter_state.beyond_chain();
    info
}
