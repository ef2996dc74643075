//! The HTTP filter chain, with filters that do anything: no frame is lost, none comes before the
//! headers, the end comes exactly once.
//!
//! The input is a list of choices; where it ends, every choice is 0, which is to go on.

mod filter;
mod model;

use super::stream_info;
use filter::Fuzzed;
use model::Model;
use nuncio_base::HeaderMap;
use nuncio_codec::End;
use nuncio_http::Direction;
use nuncio_http::chain::{FilterStream, LocalChain, Out};
use nuncio_http::config::StreamConfig;
use nuncio_http::factory::{ChainSpec, FilterEntry};
use nuncio_worker::{Worker, run_main};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

/// How often a stream may want another turn: what goes round for longer never ends.
const TURNS: usize = 1000;

/// Takes choices.
pub fn run(data: &[u8]) {
    let data = data.to_vec();
    let ran = run_main(|worker| async move { drive(&data, &worker) });
    ran.expect("an event loop can be made");
}

fn drive(data: &[u8], worker: &Rc<Worker>) {
    let model = Model::begin(data);
    let filters = 1 + model.choose(4);
    let chain = LocalChain::new(&spec(filters), worker);
    let config = StreamConfig {
        buffer_limit: [0, 3, 20][model.choose(3)],
        local_reply: None,
        stats: None,
    };
    let mut stream = FilterStream::new(&chain, &Rc::new(config), stream_info());
    let mut out = Left::default();
    send_request(&model, &mut stream, &mut out);
    // Now every filter goes on, until nothing moves any more.
    model.settle();
    let mut turns = 0;
    while turn(&mut stream, &mut out) {
        turns += 1;
        assert!(turns < TURNS, "it never ends");
    }
    check_end(&model, &mut stream, &out);
    stream.finish();
    model.end();
}

fn spec(filters: usize) -> ChainSpec {
    let entry = |index: usize| FilterEntry {
        name: format!("f{index}").into(),
        spec: Arc::new(Fuzzed {
            terminal: index + 1 == filters,
        }),
        disabled: false,
    };
    ChainSpec {
        filters: (0..filters).map(entry).collect(),
    }
}

/// Sends a request as a codec does, giving the stream turns in between.
fn send_request(model: &Model, stream: &mut FilterStream, out: &mut Left) {
    let pieces = model.choose(4);
    let trailers = model.choose(3) == 2;
    let sent = |stream: &mut FilterStream, out: &mut Left| {
        out.take(stream);
        for _ in 0..model.choose(3) {
            turn(stream, out);
        }
        // The connection manager sends no more to a stream that is over.
        !stream.is_over()
    };
    stream.state.request.headers = HeaderMap::from_iter([(":method", "POST"), (":path", "/")]);
    let end = End::when(pieces == 0 && !trailers);
    model.source(Direction::Request).sends(0, end);
    stream.request_headers(end);
    if !sent(stream, out) {
        return;
    }
    for piece in 0..pieces {
        let end = End::when(piece + 1 == pieces && !trailers);
        let data = model.source(Direction::Request).sends(model.choose(6), end);
        stream.request_data(data, end);
        if !sent(stream, out) {
            return;
        }
    }
    if trailers {
        model.source(Direction::Request).sends(0, End::Stream);
        stream.request_trailers(HeaderMap::from_iter([("t", "1")]));
        sent(stream, out);
    }
}

/// Whether anything moved. A stream that is over gets no more turns.
fn turn(stream: &mut FilterStream, out: &mut Left) -> bool {
    if stream.is_over() {
        return false;
    }
    let moved = stream.poll(&mut Context::from_waker(Waker::noop()));
    out.take(stream);
    moved
}

/// What has left the chain, and whether it is in order.
#[derive(Default)]
struct Left {
    headers: bool,
    ended: bool,
    reset: bool,
    body: Vec<u8>,
}

impl Left {
    fn take(&mut self, stream: &mut FilterStream) {
        while let Some(out) = stream.state.out.pop_front() {
            assert!(!self.reset, "{out:?} behind a reset");
            assert!(
                !self.ended || matches!(out, Out::Reset(_)),
                "{out:?} behind the end"
            );
            match out {
                Out::Informational(_) => assert!(!self.headers, "1xx behind the headers"),
                Out::Headers(end) => {
                    assert!(!self.headers, "headers twice");
                    self.headers = true;
                    self.ended = end.is_end();
                }
                Out::Data(data, end) => {
                    assert!(self.headers, "data before headers");
                    self.body.extend_from_slice(&data.to_bytes());
                    self.ended = end.is_end();
                }
                Out::Trailers => {
                    assert!(self.headers, "trailers before headers");
                    self.ended = true;
                }
                Out::Reset(_) => self.reset = true,
            }
        }
    }
}

/// Everything that was sent has arrived.
fn check_end(model: &Model, stream: &mut FilterStream, out: &Left) {
    let state = &stream.state;
    let request = model.source(Direction::Request);
    // The rest of a request that was answered early is dropped.
    let answered_early = stream.is_over() && !model.received().1;
    if !state.request_aborted && !answered_early {
        request.check("request", &model.received());
        assert!(!state.request.paused(), "the request is held back for ever");
    }
    let cut = state.replied_locally || out.reset;
    let response = model.source(Direction::Response);
    if !cut {
        response.check("response", &(out.body.clone(), out.ended));
        assert!(
            !state.response.paused(),
            "the response is held back for ever"
        );
    }
    if state.replied_locally {
        assert!(out.ended || out.reset, "a local reply never ended");
    }
}
