//! Carries headers, data and trailers from filter to filter, until one stops them.
//!
//! Positions count in the direction of flow: position 0 is the first filter that a request meets,
//! or the last filter of the chain for a response.

use crate::chain::state::{Gate, Out, Stop, TrailersAt};
use crate::chain::stream::FilterStream;
use crate::cx::Cx;
use crate::filter::{DataStatus, Direction, HeadersStatus, Hooks, TrailersStatus};
use crate::local_reply::LocalReply;
use nuncio_base::{Buffer, names};
use nuncio_codec::End;

impl FilterStream {
    fn slot_at(&self, direction: Direction, position: usize) -> usize {
        match direction {
            Direction::Request => position,
            Direction::Response => self.slots.len() - 1 - position,
        }
    }

    pub(crate) fn position_of(&self, direction: Direction, index: usize) -> usize {
        // The mapping is its own inverse.
        self.slot_at(direction, index)
    }

    pub(crate) fn gate(&mut self, direction: Direction, index: usize) -> &mut Gate {
        &mut self.state.side_mut(direction).gates[index]
    }

    /// Whether the pass must end: the request was answered, or an order goes first.
    fn interrupted(&self, direction: Direction) -> bool {
        self.state.orders.interrupt()
            || (direction == Direction::Request && self.state.request_aborted)
    }

    fn has(&self, index: usize, request: Hooks, response: Hooks, direction: Direction) -> bool {
        let slot = &self.slots[index];
        let hook = match direction {
            Direction::Request => request,
            Direction::Response => response,
        };
        !slot.off && slot.hooks.has(hook)
    }

    /// Carries headers on from `position`.
    pub(crate) fn pass_headers(&mut self, direction: Direction, position: usize, end: bool) {
        let mut end = end;
        for position in position..self.slots.len() {
            if self.interrupted(direction) {
                return;
            }
            let index = self.slot_at(direction, position);
            if !self.has(
                index,
                Hooks::REQUEST_HEADERS,
                Hooks::RESPONSE_HEADERS,
                direction,
            ) {
                self.gate(direction, index).passed = true;
                continue;
            }
            let status = self.call_headers(direction, index, End::when(end));
            if self.interrupted(direction) {
                return;
            }
            let added = std::mem::take(&mut self.state.orders.added);
            let has_added = !added.is_empty();
            let gate = self.gate(direction, index);
            let stop = match status {
                HeadersStatus::Continue | HeadersStatus::ContinueAndDontEndStream => Stop::Open,
                HeadersStatus::StopIteration => Stop::Single,
                HeadersStatus::StopAllIterationAndBuffer => Stop::AllBuffer,
                HeadersStatus::StopAllIterationAndWatermark => Stop::AllWatermark,
            };
            if stop != Stop::Open {
                gate.stop = stop;
                gate.ended = end;
                gate.data = has_added;
                gate.seen = has_added;
                gate.held = added;
                return;
            }
            gate.passed = true;
            if has_added {
                // Headers go on first, without the end; then the body that was added.
                self.pass_headers(direction, position + 1, false);
                self.pass_data(direction, position + 1, added, end);
                return;
            }
            end &= status == HeadersStatus::Continue;
        }
        self.leave_headers(direction, end);
    }

    fn call_headers(&mut self, direction: Direction, index: usize, end: End) -> HeadersStatus {
        let Self { state, slots, .. } = self;
        let mut cx = Cx { state, index };
        match direction {
            Direction::Request => slots[index].filter.request_headers(&mut cx, end),
            Direction::Response => slots[index].filter.response_headers(&mut cx, end),
        }
    }

    /// Carries a piece of body on from `position`.
    pub(crate) fn pass_data(
        &mut self,
        direction: Direction,
        position: usize,
        mut data: Buffer,
        mut end: bool,
    ) {
        for position in position..self.slots.len() {
            if self.interrupted(direction) {
                return;
            }
            let index = self.slot_at(direction, position);
            let stop = self.gate(direction, index).stop;
            let hooked = self.has(index, Hooks::REQUEST_DATA, Hooks::RESPONSE_DATA, direction);
            if matches!(stop, Stop::AllBuffer | Stop::AllWatermark)
                || (stop == Stop::Single && !hooked)
            {
                let watermark = stop == Stop::AllWatermark;
                return self.hold(direction, index, data, end, watermark, stop == Stop::Single);
            }
            if !hooked {
                continue;
            }
            let status = self.call_data(direction, index, &mut data, End::when(end));
            if self.interrupted(direction) {
                return;
            }
            let mut added = std::mem::take(&mut self.state.orders.added);
            data.append(&mut added);
            let adds_trailers = end && self.ends_with_added_trailers(direction);
            if adds_trailers {
                end = false;
                self.gate(direction, index).trailers = TrailersAt::Seen;
            }
            match status {
                DataStatus::Continue if stop == Stop::Open && !adds_trailers => {}
                DataStatus::Continue => {
                    let gate = self.gate(direction, index);
                    gate.stop = Stop::Single;
                    gate.data |= !adds_trailers || !data.is_empty();
                    gate.held.append(&mut data);
                    gate.seen = true;
                    gate.ended |= end;
                    return self.open_gate(direction, index);
                }
                DataStatus::StopIterationAndBuffer | DataStatus::StopIterationAndWatermark => {
                    self.gate(direction, index).stop = Stop::Single;
                    let watermark = status == DataStatus::StopIterationAndWatermark;
                    return self.hold(direction, index, data, end, watermark, true);
                }
                DataStatus::StopIterationNoBuffer => {
                    let gate = self.gate(direction, index);
                    gate.stop = Stop::Single;
                    gate.data |= end;
                    gate.seen = true;
                    gate.ended |= end;
                    return;
                }
            }
        }
        self.leave_data(direction, data, end);
    }

    /// Whether trailers that a filter added follow the end of a body: a request's, which later
    /// filters see as they see others. Those of a response follow as it leaves.
    pub(crate) fn ends_with_added_trailers(&self, direction: Direction) -> bool {
        direction == Direction::Request && self.state.request.trailers.is_some()
    }

    fn call_data(
        &mut self,
        direction: Direction,
        index: usize,
        data: &mut Buffer,
        end: End,
    ) -> DataStatus {
        let Self { state, slots, .. } = self;
        let mut cx = Cx { state, index };
        match direction {
            Direction::Request => slots[index].filter.request_data(&mut cx, data, end),
            Direction::Response => slots[index].filter.response_data(&mut cx, data, end),
        }
    }

    /// Keeps a piece of body at a filter that has stopped, within the limit.
    fn hold(
        &mut self,
        direction: Direction,
        index: usize,
        mut data: Buffer,
        end: bool,
        watermark: bool,
        seen: bool,
    ) {
        let limit = self.state.buffer_limit;
        let side = self.state.side_mut(direction);
        let gate = &mut side.gates[index];
        gate.held.append(&mut data);
        gate.held.compact();
        gate.data = true;
        gate.seen = seen;
        gate.ended |= end;
        if gate.held.len() <= limit || limit == 0 {
            return;
        }
        if watermark {
            if !gate.pushing_back {
                gate.pushing_back = true;
                side.push_back(true);
            }
        } else {
            gate.held.clear();
            self.state.fail_too_large(direction);
        }
    }

    /// Carries trailers on from `position`.
    pub(crate) fn pass_trailers(&mut self, direction: Direction, position: usize) {
        for position in position..self.slots.len() {
            if self.interrupted(direction) {
                return;
            }
            let index = self.slot_at(direction, position);
            let hooked = self.has(
                index,
                Hooks::REQUEST_TRAILERS,
                Hooks::RESPONSE_TRAILERS,
                direction,
            );
            let stop = self.gate(direction, index).stop;
            match stop {
                Stop::AllBuffer | Stop::AllWatermark => {
                    self.gate(direction, index).trailers = TrailersAt::Unseen;
                    return;
                }
                Stop::Single if !hooked => {
                    self.gate(direction, index).trailers = TrailersAt::Seen;
                    return;
                }
                Stop::Open if !hooked => continue,
                Stop::Single | Stop::Open => {}
            }
            let status = self.call_trailers(direction, index);
            if self.interrupted(direction) {
                return;
            }
            let mut added = std::mem::take(&mut self.state.orders.added);
            let has_added = !added.is_empty();
            let gate = self.gate(direction, index);
            gate.held.append(&mut added);
            gate.data |= has_added;
            gate.seen |= has_added;
            match status {
                TrailersStatus::Continue if stop == Stop::Open && !has_added => {}
                TrailersStatus::Continue => {
                    gate.trailers = TrailersAt::Seen;
                    gate.stop = Stop::Single;
                    return self.open_gate(direction, index);
                }
                TrailersStatus::StopIteration => {
                    gate.trailers = TrailersAt::Seen;
                    gate.stop = Stop::Single;
                    return;
                }
            }
        }
        self.leave_trailers(direction);
    }

    fn call_trailers(&mut self, direction: Direction, index: usize) -> TrailersStatus {
        let Self { state, slots, .. } = self;
        let mut cx = Cx { state, index };
        match direction {
            Direction::Request => slots[index].filter.request_trailers(&mut cx),
            Direction::Response => slots[index].filter.response_trailers(&mut cx),
        }
    }

    /// Goes on behind a filter that had stopped: headers, then what is held, then trailers.
    pub(crate) fn open_gate(&mut self, direction: Direction, index: usize) {
        let position = self.position_of(direction, index);
        let gate = self.gate(direction, index);
        let stop = std::mem::take(&mut gate.stop);
        if stop == Stop::Open {
            return;
        }
        let held = std::mem::take(&mut gate.held);
        let ended = std::mem::take(&mut gate.ended);
        let trailers = std::mem::take(&mut gate.trailers);
        let data = std::mem::take(&mut gate.data);
        let seen = std::mem::take(&mut gate.seen);
        let first = !std::mem::replace(&mut gate.passed, true);
        if std::mem::take(&mut gate.pushing_back) {
            self.state.side_mut(direction).push_back(false);
        }
        let headers_end = first && ended && !data;
        if first {
            self.pass_headers(direction, position + 1, headers_end);
        }
        // A filter that stopped everything has not seen what was held for it.
        let next = if stop == Stop::Single || seen {
            position + 1
        } else {
            position
        };
        let data_end = ended && !headers_end;
        if data || data_end {
            self.pass_data(
                direction,
                next,
                held,
                data_end && trailers == TrailersAt::NotHere,
            );
        }
        match trailers {
            TrailersAt::NotHere => {}
            TrailersAt::Unseen => self.pass_trailers(direction, position),
            TrailersAt::Seen => self.pass_trailers(direction, position + 1),
        }
    }

    fn leave_headers(&mut self, direction: Direction, end: bool) {
        // A request ends in its terminal filter.
        if direction == Direction::Response {
            if !self.state.response.headers.contains(names::STATUS) {
                let reply = LocalReply::missing_status();
                self.state.orders.local_reply.get_or_insert(reply);
                return;
            }
            let end = end && self.state.response.trailers.is_none();
            self.state.response_sent = true;
            self.state.out.push_back(Out::Headers(End::when(end)));
            self.state.response.ended |= end;
        }
    }

    fn leave_data(&mut self, direction: Direction, data: Buffer, end: bool) {
        if direction == Direction::Response && (end || !data.is_empty()) {
            // Trailers that a filter added while the body ended follow it.
            let trailers = end && self.state.response.trailers.is_some();
            self.state
                .out
                .push_back(Out::Data(data, End::when(end && !trailers)));
            if trailers {
                self.state.out.push_back(Out::Trailers);
            }
            self.state.response.ended |= end;
        }
    }

    fn leave_trailers(&mut self, direction: Direction) {
        if direction == Direction::Response {
            self.state.out.push_back(Out::Trailers);
            self.state.response.ended = true;
        }
    }
}
