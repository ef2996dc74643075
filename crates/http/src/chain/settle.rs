//! Carries out what filters ordered, until nothing is left to do.

use crate::chain::orders::Respond;
use crate::chain::state::Out;
use crate::chain::stream::FilterStream;
use crate::cx::Cx;
use crate::filter::{Direction, Hooks, LocalReplyStatus};
use crate::local_reply::LocalReply;
use nuncio_base::Buffer;
use nuncio_codec::{End, ResetReason};

impl FilterStream {
    /// Carries out orders: a reset, then a local reply, then the rest as given. Whether there was
    /// any.
    pub(crate) fn settle(&mut self) -> bool {
        let mut moved = false;
        loop {
            if self.is_over() {
                // What was ordered meanwhile comes too late.
                self.state.orders.clear();
                return moved;
            }
            if let Some(reason) = self.state.orders.reset.take() {
                self.carry_out_reset(reason);
            } else if let Some(reply) = self.state.orders.local_reply.take() {
                self.carry_out_local_reply(reply);
            } else if let Some((index, direction, data, end)) =
                self.state.orders.injected.pop_front()
            {
                let position = self.position_of(direction, index) + 1;
                let trailers = end.is_end() && self.ends_with_added_trailers(direction);
                self.pass_data(direction, position, data, end.is_end() && !trailers);
                if trailers {
                    self.pass_trailers(direction, position);
                }
            } else if !self.state.orders.resumes.is_empty() {
                let (index, direction) = self.state.orders.resumes.remove(0);
                if direction == Direction::Response || !self.state.request_aborted {
                    self.open_gate(direction, index);
                }
            } else if let Some(respond) = self.state.orders.responses.pop_front() {
                self.carry_out_response(respond);
            } else {
                return moved;
            }
            moved = true;
        }
    }

    /// Finds the route before any filter runs, as Envoy does, and turns filters on or off as it
    /// says. A route that is found anew later, after [`Cx::clear_route`], changes what is said to
    /// filters but not which of them run: the chain is there by then.
    pub(crate) fn apply_route(&mut self) {
        let state = &mut self.state;
        state.find_route();
        let Some(selected) = state.route.selected() else {
            return;
        };
        if !state.route.has_filter_settings() {
            return;
        }
        let entries = self.chain.iter().flat_map(|chain| &chain.entries);
        for (slot, entry) in self.slots.iter_mut().zip(entries) {
            let disabled = selected.filter_disabled(&entry.name);
            slot.off = disabled.unwrap_or(entry.disabled);
        }
    }

    fn carry_out_reset(&mut self, reason: ResetReason) {
        self.state.orders.clear();
        self.state.request_aborted = true;
        self.state.response_sent = true;
        self.state.response.ended = true;
        self.state.out.push_back(Out::Reset(reason));
    }

    /// Sends a filter's response through all response filters, its own among them, as Envoy does.
    fn carry_out_response(&mut self, respond: Respond) {
        if self.state.replied_locally || self.state.response.ended {
            return;
        }
        match respond {
            Respond::Informational(headers) => self.pass_1xx(headers),
            Respond::Headers(headers, end) => {
                let unused = std::mem::replace(&mut self.state.response.headers, headers);
                if let Some(chain) = &self.chain {
                    chain.header_pool.with(|pool| pool.give(unused));
                }
                self.state.response.started = true;
                self.pass_headers(Direction::Response, 0, end.is_end());
            }
            Respond::Data(data, end) => {
                self.pass_data(Direction::Response, 0, data, end.is_end());
            }
            Respond::Trailers(trailers) => {
                self.state.response.trailers = Some(trailers);
                self.pass_trailers(Direction::Response, 0);
            }
        }
    }

    fn pass_1xx(&mut self, mut headers: nuncio_base::HeaderMap) {
        for position in 0..self.slots.len() {
            let index = self.position_of(Direction::Response, position);
            if !self.slots[index].off && self.slots[index].hooks.has(Hooks::RESPONSE_1XX) {
                let Self { state, slots, .. } = self;
                slots[index]
                    .filter
                    .response_1xx(&mut Cx { state, index }, &mut headers);
            }
        }
        self.state.out.push_back(Out::Informational(headers));
    }

    /// Answers the request: through the response filters where none of them has seen a response,
    /// past them where one has, and by a reset where the response's head is out already.
    fn carry_out_local_reply(&mut self, reply: LocalReply) {
        let state = &mut self.state;
        state.orders.clear();
        state.request_aborted = true;
        state.info.response_code_details = Some(reply.details.clone());
        for flag in reply.flags.iter() {
            state.info.set_flag(flag);
        }
        if state.response_sent {
            return self.carry_out_reset(ResetReason::LocalReset);
        }
        let mut reset = false;
        for index in 0..self.slots.len() {
            if !self.slots[index].off && self.slots[index].hooks.has(Hooks::LOCAL_REPLY) {
                let Self { state, slots, .. } = self;
                let status = slots[index]
                    .filter
                    .on_local_reply(&mut Cx { state, index }, &reply);
                reset |= status == LocalReplyStatus::ContinueAndResetStream;
            }
        }
        if reset {
            return self.carry_out_reset(ResetReason::LocalReset);
        }
        let state = &mut self.state;
        let direct = state.replied_locally || state.response.started;
        state.replied_locally = true;
        state.replied_bad_request |= reply.status == 400;
        let body = reply.prepare(state);
        state.response.started = true;
        state.note_status();
        let end = body.is_empty();
        if direct {
            return self.send_directly(body);
        }
        self.pass_headers(Direction::Response, 0, end);
        if !end {
            self.pass_data(Direction::Response, 0, body, true);
        }
    }

    fn send_directly(&mut self, body: Buffer) {
        let end = body.is_empty();
        self.state.response.trailers = None;
        self.state.response_sent = true;
        self.state.response.ended = true;
        self.state.out.push_back(Out::Headers(End::when(end)));
        if !end {
            self.state.out.push_back(Out::Data(body, End::Stream));
        }
    }
}
