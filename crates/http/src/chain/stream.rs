//! One stream: its state and its filters.

use crate::bulk::BulkBody;
use crate::chain::pool::LocalChain;
use crate::chain::state::StreamState;
use crate::config::StreamConfig;
use crate::cx::Cx;
use crate::filter::{Direction, Hooks, HttpFilter};
use crate::local_reply::is_grpc;
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::End;
use nuncio_stream_info::StreamInfo;
use std::rc::Rc;
use std::task::{Context, Poll};

pub(crate) struct Slot {
    pub filter: Box<dyn HttpFilter>,
    pub hooks: Hooks,
    /// Off on this stream, by its own config or the route's.
    pub off: bool,
}

/// A stream and the filters it passes; pooled, and renewed for each request.
pub struct FilterStream {
    /// What filters see.
    pub state: StreamState,
    pub(crate) slots: Vec<Slot>,
    /// Its chain; none while it waits in the chain's pool, which would keep the chain for ever.
    pub(crate) chain: Option<Rc<LocalChain>>,
}

impl FilterStream {
    /// A stream from `chain`'s pool.
    pub fn new(chain: &Rc<LocalChain>, config: &Rc<StreamConfig>, info: StreamInfo) -> Box<Self> {
        chain.take(config, info)
    }

    /// Ends the stream: every filter is told, and its memory goes back to the pool.
    pub fn finish(mut self: Box<Self>) {
        self.complete();
        self.give_back();
    }

    /// Gives the memory of a stream that no filter has seen back to the pool.
    pub(crate) fn give_back(mut self: Box<Self>) {
        if let Some(chain) = self.chain.take() {
            chain.give(self);
        }
    }

    /// Tells every filter that the stream is over; once, before access logs are written.
    pub fn complete(&mut self) {
        self.state.calls.clear();
        for index in 0..self.slots.len() {
            if self.slots[index].hooks.has(Hooks::COMPLETE) {
                let Self { state, slots, .. } = self;
                slots[index].filter.on_complete(&mut Cx { state, index });
                slots[index].hooks = Hooks::NONE;
            }
        }
    }

    /// The request's headers came; they are in `state.request.headers`.
    pub fn request_headers(&mut self, end: End) {
        self.state.request.started = true;
        self.state.request.ended = end.is_end();
        let content_type = self.state.request.headers.get(names::CONTENT_TYPE);
        self.state.came_as_grpc = Some(is_grpc(content_type));
        self.apply_route();
        self.pass_headers(Direction::Request, 0, end.is_end());
        self.settle();
    }

    /// Whether a filter before the terminal one looks at request bodies.
    pub fn reads_request_bodies(&self) -> bool {
        let filters = self
            .slots
            .split_last()
            .map_or(&[][..], |(_, before)| before);
        filters
            .iter()
            .any(|slot| !slot.off && slot.hooks.has(Hooks::REQUEST_DATA))
    }

    /// A piece of the request's body came.
    pub fn request_data(&mut self, data: Buffer, end: End) {
        self.state.request.ended = end.is_end();
        self.pass_data(Direction::Request, 0, data, end.is_end());
        self.settle();
    }

    /// The request's trailers came.
    pub fn request_trailers(&mut self, trailers: HeaderMap) {
        self.state.request.trailers = Some(trailers);
        self.state.request.ended = true;
        self.pass_trailers(Direction::Request, 0);
        self.settle();
    }

    /// The stream's turn: what it waits for is polled once, and orders are carried out. Whether
    /// anything moved: only when nothing did has everything asked to be woken.
    pub fn poll(&mut self, task: &mut Context<'_>) -> bool {
        let mut moved = false;
        self.state.wake_at = None;
        while let Poll::Ready((index, done)) = self.state.calls.poll_next(task) {
            moved = true;
            let Self { state, slots, .. } = self;
            done(&mut *slots[index].filter, &mut Cx { state, index });
            self.settle();
        }
        for index in 0..self.slots.len() {
            if !self.is_over() && !self.slots[index].off && self.slots[index].hooks.has(Hooks::POLL)
            {
                let Self { state, slots, .. } = self;
                slots[index].filter.poll(&mut Cx { state, index }, task);
                moved |= self.settle();
            }
        }
        moved
    }

    /// The rest of the response's body, where all before it has left the chain and no filter looks
    /// at it.
    pub fn bulk_body(&mut self) -> Option<&mut dyn BulkBody> {
        let state = &self.state;
        let side = &state.response;
        let flows = state.response_sent && !side.ended && !side.paused() && state.out.is_empty();
        let (last, before) = self.slots.split_last_mut()?;
        let looks = |slot: &Slot| !slot.off && slot.hooks.has(Hooks::RESPONSE_DATA);
        if !flows || before.iter().any(looks) || !side.is_open() {
            return None;
        }
        last.filter.bulk_body()
    }

    /// Runs `act` as the filter at the end of the chain would: for the connection manager's own
    /// replies and resets.
    pub fn order(&mut self, act: impl FnOnce(&mut Cx<'_>)) {
        let index = self.slots.len().saturating_sub(1);
        act(&mut Cx {
            state: &mut self.state,
            index,
        });
        self.settle();
    }

    /// Whether the response has left the chain completely, the stream was reset, or its request is
    /// to begin anew.
    pub fn is_over(&self) -> bool {
        (self.state.response.ended && self.state.response_sent) || self.state.begin_anew.is_some()
    }
}
