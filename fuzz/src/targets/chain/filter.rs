//! A filter that does what the input chooses, and holds the chain to its contract.

use super::model::{ADDED, Model};
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::{End, ResetReason};
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{
    Cx, DataStatus, Direction, HeadersStatus, Hooks, HttpFilter, LocalReply, LocalReplyStatus,
    TrailersStatus,
};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::task::Context;

/// A filter as it is configured.
#[derive(Clone)]
pub struct Fuzzed {
    /// Whether it is the last, which answers.
    pub terminal: bool,
}

impl HttpFilterSpec for Fuzzed {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        let headers = Hooks::REQUEST_HEADERS.and(Hooks::RESPONSE_HEADERS);
        let some = [
            Hooks::ALL,
            Hooks::ALL,
            Hooks::REQUEST,
            Hooks::RESPONSE,
            headers,
        ];
        let choice = if self.terminal {
            0
        } else {
            Model::current().choose(some.len())
        };
        Rc::new(Local(Rc::new(Factory {
            terminal: self.terminal,
            hooks: some[choice].and(Hooks::POLL),
        })))
    }
}

struct Factory {
    terminal: bool,
    hooks: Hooks,
}

impl HttpFilterFactory for Factory {
    type Filter = Filter;

    fn hooks(&self) -> Hooks {
        self.hooks
    }

    fn create(self: &Rc<Self>) -> Filter {
        let seen = |hooks| Seen {
            everything: self.hooks.has(hooks),
            ..Seen::default()
        };
        Filter {
            terminal: self.terminal,
            request: seen(Hooks::REQUEST),
            response: seen(Hooks::RESPONSE),
            answer: Answer::default(),
        }
    }
}

/// What a filter has seen of a direction, and what it owes it.
#[derive(Default)]
struct Seen {
    /// It is shown all of it, so it knows when it ends.
    everything: bool,
    headers: bool,
    ended: bool,
    /// It has stopped the direction and has to resume it.
    stopped: bool,
    /// It has taken the end from the headers and has to give it.
    owes_end: bool,
}

impl Seen {
    fn may_inject(&self) -> bool {
        self.everything && self.headers && !self.ended && !self.stopped
    }
}

/// How far the terminal filter's response is.
#[derive(Default)]
struct Answer {
    headers: bool,
    ended: bool,
    pieces: usize,
}

/// The filter on a stream.
pub struct Filter {
    terminal: bool,
    request: Seen,
    response: Seen,
    answer: Answer,
}

fn added() -> Buffer {
    let mut data = Buffer::new();
    data.push(vec![ADDED; 2].into());
    data
}

impl Filter {
    fn seen(&mut self, direction: Direction) -> &mut Seen {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    fn resume(&mut self, cx: &mut Cx<'_>, direction: Direction) {
        self.seen(direction).stopped = false;
        match direction {
            Direction::Request => cx.resume_request(),
            Direction::Response => cx.resume_response(),
        }
    }

    /// What any callback may do besides.
    fn act(&mut self, cx: &mut Cx<'_>) {
        match Model::current().choose(40) {
            30 | 31 => cx.local_reply(LocalReply::new(403, "no", "denied")),
            32 => cx.local_reply(LocalReply::new(503, "", "empty")),
            33 => cx.reset(ResetReason::LocalReset),
            34 => cx.set_buffer_limit(Model::current().choose(30)),
            _ => {}
        }
    }

    /// Whether it stops, and that it has.
    fn stops(&mut self, cx: &mut Cx<'_>, direction: Direction, stops: bool) {
        self.seen(direction).stopped |= stops;
        // It may also change its mind at once.
        if stops && !self.terminal && Model::current().choose(8) == 7 {
            self.resume(cx, direction);
        }
    }

    fn headers(&mut self, cx: &mut Cx<'_>, direction: Direction, end: End) -> HeadersStatus {
        let aborted = cx.state().request_aborted;
        assert!(
            direction == Direction::Response || !aborted,
            "headers of an aborted request"
        );
        let seen = self.seen(direction);
        assert!(!seen.headers, "headers twice");
        seen.headers = true;
        seen.ended = end.is_end();
        if self.terminal && direction == Direction::Request {
            Model::current().receive(&[], end.is_end());
            return HeadersStatus::StopIteration;
        }
        self.act(cx);
        let status = match Model::current().choose(8) {
            4 => HeadersStatus::StopIteration,
            5 => HeadersStatus::StopAllIterationAndBuffer,
            6 => HeadersStatus::StopAllIterationAndWatermark,
            7 if end.is_end() => {
                self.seen(direction).owes_end = true;
                return HeadersStatus::ContinueAndDontEndStream;
            }
            3 => {
                cx.add_data(added());
                return HeadersStatus::Continue;
            }
            _ => return HeadersStatus::Continue,
        };
        self.stops(cx, direction, true);
        status
    }

    fn data(
        &mut self,
        cx: &mut Cx<'_>,
        direction: Direction,
        data: &mut Buffer,
        end: End,
    ) -> DataStatus {
        let aborted = cx.state().request_aborted;
        assert!(
            direction == Direction::Response || !aborted,
            "data of an aborted request"
        );
        let model = Model::current();
        let seen = self.seen(direction);
        assert!(seen.headers, "data before headers");
        assert!(!seen.ended, "data behind the end");
        seen.ended = end.is_end();
        if self.terminal && direction == Direction::Request {
            model.receive(&data.to_bytes(), end.is_end());
            return DataStatus::StopIterationNoBuffer;
        }
        self.act(cx);
        let status = match model.choose(8) {
            3 => {
                cx.add_data(added());
                DataStatus::Continue
            }
            4 => DataStatus::StopIterationAndBuffer,
            5 => DataStatus::StopIterationAndWatermark,
            6 => {
                model.source(direction).drops(&data.to_bytes());
                DataStatus::StopIterationNoBuffer
            }
            7 if end.is_end() => {
                cx.add_trailers(direction).append("added", b"1");
                DataStatus::Continue
            }
            _ => DataStatus::Continue,
        };
        if status == DataStatus::Continue {
            // It goes on with what it had stopped.
            self.seen(direction).stopped = false;
        }
        self.stops(cx, direction, status != DataStatus::Continue);
        status
    }

    fn trailers(&mut self, cx: &mut Cx<'_>, direction: Direction) -> TrailersStatus {
        let aborted = cx.state().request_aborted;
        assert!(
            direction == Direction::Response || !aborted,
            "trailers of an aborted request"
        );
        let seen = self.seen(direction);
        assert!(seen.headers, "trailers before headers");
        assert!(!seen.ended, "trailers behind the end");
        seen.ended = true;
        if self.terminal && direction == Direction::Request {
            Model::current().receive(&[], true);
            return TrailersStatus::StopIteration;
        }
        self.act(cx);
        match Model::current().choose(4) {
            2 => cx.add_data(added()),
            3 => {
                self.stops(cx, direction, true);
                return TrailersStatus::StopIteration;
            }
            _ => {}
        }
        self.seen(direction).stopped = false;
        TrailersStatus::Continue
    }

    /// The terminal filter's response, a step further.
    fn answer(&mut self, cx: &mut Cx<'_>) {
        let model = Model::current();
        if self.answer.ended || !self.request.headers {
            return;
        }
        // What a request has left when it is answered is dropped: in the end all of it shall come.
        if model.is_settling() && !self.request.ended {
            return;
        }
        if !self.answer.headers {
            if model.choose(5) == 4 {
                cx.respond_1xx(HeaderMap::from_iter([(":status", "103")]));
            }
            self.answer.headers = true;
            self.answer.pieces = model.choose(4);
            let end = End::when(self.answer.pieces == 0);
            self.answer.ended = end.is_end();
            model.source(Direction::Response).sends(0, end);
            cx.respond_headers(HeaderMap::from_iter([(":status", "200")]), end);
            return;
        }
        self.answer.pieces -= 1;
        let last = self.answer.pieces == 0;
        self.answer.ended = last;
        if last && model.choose(3) == 2 {
            model.source(Direction::Response).sends(0, End::Stream);
            cx.respond_trailers(HeaderMap::from_iter([("t", "1")]));
            return;
        }
        let end = End::when(last);
        let data = model
            .source(Direction::Response)
            .sends(model.choose(6), end);
        cx.respond_data(data, end);
    }

    /// Resumes what it stopped, and gives the end it owes.
    fn go_on(&mut self, cx: &mut Cx<'_>, direction: Direction) {
        let model = Model::current();
        if self.terminal && direction == Direction::Request {
            return;
        }
        let seen = self.seen(direction);
        if seen.stopped && (model.is_settling() || model.choose(2) == 1) {
            self.resume(cx, direction);
        } else if seen.owes_end && (model.is_settling() || model.choose(2) == 1) {
            seen.owes_end = false;
            let data = if model.choose(2) == 1 {
                added()
            } else {
                Buffer::new()
            };
            cx.inject_data(direction, data, End::Stream);
        } else if seen.may_inject() && model.choose(6) == 5 {
            cx.inject_data(direction, added(), End::No);
        }
    }
}

impl HttpFilter for Filter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        self.headers(cx, Direction::Request, end)
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        self.data(cx, Direction::Request, data, end)
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        self.trailers(cx, Direction::Request)
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        self.headers(cx, Direction::Response, end)
    }

    fn response_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        self.data(cx, Direction::Response, data, end)
    }

    fn response_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        self.trailers(cx, Direction::Response)
    }

    fn on_local_reply(&mut self, _cx: &mut Cx<'_>, _reply: &LocalReply) -> LocalReplyStatus {
        match Model::current().choose(10) {
            9 => LocalReplyStatus::ContinueAndResetStream,
            _ => LocalReplyStatus::Continue,
        }
    }

    fn poll(&mut self, cx: &mut Cx<'_>, _task: &mut Context<'_>) {
        self.act(cx);
        self.go_on(cx, Direction::Request);
        self.go_on(cx, Direction::Response);
        if self.terminal {
            self.answer(cx);
        }
    }
}
