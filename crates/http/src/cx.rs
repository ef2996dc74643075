//! What a filter may see, order and wait for.

use crate::chain::orders::{HttpDone, Respond};
use crate::chain::state::StreamState;
use crate::filter::{Direction, HttpFilter};
use crate::local_reply::LocalReply;
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::{End, ResetReason};
use nuncio_net::pending_calls::CallId;
use nuncio_route::{Lookup, Selected};
use nuncio_stream_info::StreamInfo;
use nuncio_worker::Worker;
use std::any::Any;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A filter's view of its stream. Orders are recorded, and carried out after the callback returns:
/// first its status, then a local reply, then the rest in the order given.
pub struct Cx<'a> {
    pub(crate) state: &'a mut StreamState,
    pub(crate) index: usize,
}

impl Cx<'_> {
    // What it sees.

    /// The worker this stream lives on: clock, random numbers, flags, clusters.
    pub fn worker(&self) -> &Rc<Worker> {
        &self.state.worker
    }

    /// The name by which routes address this filter, as its chain's configuration has it.
    pub fn filter_name(&self) -> &Arc<str> {
        &self.state.filter_names[self.index]
    }

    /// The stream's facts: filter state, dynamic metadata, response flags.
    pub fn info(&mut self) -> &mut StreamInfo {
        &mut self.state.info
    }

    /// The request's headers.
    pub fn request_headers(&mut self) -> &mut HeaderMap {
        &mut self.state.request.headers
    }

    /// The request's headers, to read.
    pub fn request_headers_ref(&self) -> &HeaderMap {
        &self.state.request.headers
    }

    /// The request's headers and the stream's facts, both at once.
    pub fn request_and_info(&mut self) -> (&mut HeaderMap, &mut StreamInfo) {
        (&mut self.state.request.headers, &mut self.state.info)
    }

    /// The request's trailers, once they are there.
    pub fn request_trailers(&mut self) -> Option<&mut HeaderMap> {
        self.state.request.trailers.as_mut()
    }

    /// The response's headers, once they are there.
    pub fn response_headers(&mut self) -> Option<&mut HeaderMap> {
        self.state
            .response
            .started
            .then_some(&mut self.state.response.headers)
    }

    /// The response's trailers, once they are there.
    pub fn response_trailers(&mut self) -> Option<&mut HeaderMap> {
        self.state.response.trailers.as_mut()
    }

    /// The route, found anew where it was [forgotten](Self::clear_route).
    pub fn route(&mut self) -> Option<Selected<'_>> {
        self.state.find_route();
        self.state.route.selected()
    }

    /// What routing says of the request: the router asks, other filters ask for
    /// [`route`](Self::route).
    pub fn lookup_route(&mut self) -> Lookup {
        self.state.find_route()
    }

    /// Forgets the route, after a change to what it is chosen by.
    pub fn clear_route(&mut self) {
        self.state.route.clear();
    }

    /// What the most specific level of the route says to this filter.
    pub fn route_spec<T: Send + Sync + 'static>(&mut self) -> Option<Arc<T>> {
        self.state.find_route();
        let config = self.state.route.configs.get(self.index)?.as_ref()?;
        Arc::clone(config).downcast().ok()
    }

    /// What each level of the route says to this filter, the least specific first: for filters
    /// that merge levels.
    pub fn route_specs<T: Send + Sync + 'static>(&mut self) -> impl Iterator<Item = Arc<T>> {
        self.state.find_route();
        let name = &self.state.filter_names[self.index];
        // A table that says nothing to any filter is not asked level by level.
        let selected = self.state.route.selected();
        let levels = selected
            .filter(|_| self.state.route.has_filter_settings())
            .map(|selected| selected.filter_levels().rev());
        levels.into_iter().flatten().filter_map(move |level| {
            Arc::clone(level.get(name)?.config.as_ref()?)
                .downcast()
                .ok()
        })
    }

    /// The whole state of the stream, for the components that are part of the chain's machinery:
    /// the router and the connection manager.
    pub fn state(&mut self) -> &mut StreamState {
        self.state
    }

    /// What this filter has buffered of a direction's body.
    pub fn buffered(&mut self, direction: Direction) -> &mut Buffer {
        let index = self.index;
        &mut self.state.side_mut(direction).gates[index].held
    }

    /// Whether no more response body should be made: the downstream reads too slowly.
    pub fn response_paused(&self) -> bool {
        self.state.response.paused()
    }

    // What it orders.

    /// Goes on with the request behind this filter, after it had stopped it.
    pub fn resume_request(&mut self) {
        self.state
            .orders
            .resumes
            .push((self.index, Direction::Request));
    }

    /// Goes on with the response behind this filter, after it had stopped it.
    pub fn resume_response(&mut self) {
        self.state
            .orders
            .resumes
            .push((self.index, Direction::Response));
    }

    /// Answers the request from here.
    pub fn local_reply(&mut self, reply: LocalReply) {
        // The first one counts: a filter that replies twice has made its mind up before.
        self.state.orders.local_reply.get_or_insert(reply);
    }

    /// Answers the request from here, since a direction's body is larger than may be buffered: 413
    /// for a request's, 500 for a response's.
    pub fn fail_too_large(&mut self, direction: Direction) {
        self.state.fail_too_large(direction);
    }

    /// Adds body: behind the headers in a headers callback, behind the piece in a data callback.
    pub fn add_data(&mut self, mut data: Buffer) {
        self.state.orders.added.append(&mut data);
    }

    /// Sends a piece of body on from behind this filter, whatever stands in its buffer.
    pub fn inject_data(&mut self, direction: Direction, data: Buffer, end: End) {
        self.state
            .orders
            .injected
            .push_back((self.index, direction, data, end));
    }

    /// Adds trailers to a message that has none; they are passed on when it ends.
    pub fn add_trailers(&mut self, direction: Direction) -> &mut HeaderMap {
        self.state
            .side_mut(direction)
            .trailers
            .get_or_insert_default()
    }

    /// How much this stream may buffer, in bytes.
    pub fn buffer_limit(&self) -> usize {
        self.state.buffer_limit
    }

    /// Sets how much this stream may buffer.
    pub fn set_buffer_limit(&mut self, bytes: usize) {
        self.state.buffer_limit = bytes;
    }

    /// Holds a direction's sender back, or lets it go on; counted.
    pub fn push_back(&mut self, direction: Direction, hold: bool) {
        self.state.side_mut(direction).push_back(hold);
    }

    /// Resets the stream.
    pub fn reset(&mut self, reason: ResetReason) {
        self.state.orders.reset.get_or_insert(reason);
    }

    /// Whether the request can [begin anew](Self::begin_anew): it is complete, and there is a
    /// connection manager to do it.
    pub fn can_begin_anew(&self) -> bool {
        self.state.request.ended && self.state.config.stats.is_some()
    }

    /// Ends this stream, whose response was `response`, without telling the client, and begins
    /// its request anew, with its headers as they are now and this body (Envoy's
    /// `recreateStream`).
    pub fn begin_anew(&mut self, response: HeaderMap, body: Buffer) {
        self.state.request_aborted = true;
        self.state.response.headers = response;
        self.state.response.started = true;
        self.state.begin_anew = Some(Box::new(body));
    }

    /// A terminal filter's response: an interim head.
    pub fn respond_1xx(&mut self, headers: HeaderMap) {
        self.respond(Respond::Informational(headers));
    }

    /// A terminal filter's response: its headers.
    pub fn respond_headers(&mut self, headers: HeaderMap, end: End) {
        self.respond(Respond::Headers(headers, end));
    }

    /// A terminal filter's response: a piece of body.
    pub fn respond_data(&mut self, data: Buffer, end: End) {
        self.respond(Respond::Data(data, end));
    }

    /// A terminal filter's response: its trailers.
    pub fn respond_trailers(&mut self, trailers: HeaderMap) {
        self.respond(Respond::Trailers(trailers));
    }

    fn respond(&mut self, respond: Respond) {
        self.state.orders.responses.push_back(respond);
    }

    // What it waits for.

    /// Waits for `future` and then calls `then` on this filter, unless the stream ends before.
    pub fn call<F: HttpFilter, T: 'static>(
        &mut self,
        future: impl Future<Output = T> + 'static,
        then: fn(&mut F, &mut Cx<'_>, T),
    ) -> CallId {
        self.state.calls.add(self.index, async move {
            let value = future.await;
            let done: HttpDone =
                Box::new(
                    move |filter, cx| match (filter as &mut dyn Any).downcast_mut::<F>() {
                        Some(filter) => then(filter, cx, value),
                        None => nuncio_base::bug!("a call came back to another filter"),
                    },
                );
            done
        })
    }

    /// Calls `then` on this filter after a time.
    pub fn timer<F: HttpFilter>(
        &mut self,
        after: Duration,
        then: fn(&mut F, &mut Cx<'_>, ()),
    ) -> CallId {
        let worker = Rc::clone(&self.state.worker);
        let deadline = worker.now() + after;
        self.call(
            async move { nuncio_worker::timer::sleep_until(&worker, deadline).await },
            then,
        )
    }

    /// Asks for another turn at `at` at the latest: for a filter with `poll`, which says so in each
    /// of its turns. Cheaper than a timer: the connection's one timer serves all.
    pub fn wake_at(&mut self, at: std::time::Instant) {
        self.state.wake_at(at);
    }

    /// Forgets a call or a timer.
    pub fn cancel(&mut self, call: CallId) {
        self.state.calls.cancel(call);
    }
}
