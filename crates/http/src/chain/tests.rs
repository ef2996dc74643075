//! The chain, driven with scripted filters: which callbacks run, in which order, with what.

use crate::chain::{FilterStream, LocalChain, Out};
use crate::config::StreamConfig;
use crate::factory::{
    ChainSpec, FilterEntry, HttpFilterFactory, HttpFilterSpec, Local, LocalFilter,
};
use crate::filter::{
    DataStatus, Direction, HeadersStatus, Hooks, HttpFilter, LocalReplyStatus, TrailersStatus,
};
use crate::{Cx, LocalReply};
use nuncio_base::address::Address;
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::End;
use nuncio_stream_info::{ConnectionInfo, StreamInfo, Timings};
use nuncio_worker::{Worker, run_main};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

type Log = Arc<Mutex<Vec<String>>>;

#[derive(Clone)]
struct Script {
    name: &'static str,
    log: Log,
    headers: HeadersStatus,
    data: DataStatus,
    trailers: TrailersStatus,
    act: fn(&mut Cx<'_>, &str),
}

fn script(name: &'static str, log: &Log) -> Script {
    Script {
        name,
        log: Arc::clone(log),
        headers: HeadersStatus::Continue,
        data: DataStatus::Continue,
        trailers: TrailersStatus::Continue,
        act: |_, _| {},
    }
}

impl Script {
    fn say(&self, cx: &mut Cx<'_>, event: &str, detail: &str) {
        self.log
            .lock()
            .unwrap()
            .push(format!("{}:{event}{detail}", self.name));
        (self.act)(cx, event);
    }
}

fn mark(end: End) -> &'static str {
    if end.is_end() { "." } else { "" }
}

fn text(data: &Buffer) -> String {
    String::from_utf8(data.to_bytes().to_vec()).unwrap()
}

impl HttpFilter for Script {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        self.say(cx, "H", mark(end));
        self.headers
    }
    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        self.say(cx, "D", &format!("({}){}", text(data), mark(end)));
        self.data
    }
    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        self.say(cx, "T", "");
        self.trailers
    }
    fn response_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        self.say(cx, "rH", mark(end));
        HeadersStatus::Continue
    }
    fn response_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        self.say(cx, "rD", &format!("({}){}", text(data), mark(end)));
        DataStatus::Continue
    }
    fn on_local_reply(&mut self, cx: &mut Cx<'_>, reply: &LocalReply) -> LocalReplyStatus {
        self.say(cx, "L", &reply.status.to_string());
        LocalReplyStatus::Continue
    }
}

struct Factory(Script);

impl HttpFilterFactory for Factory {
    type Filter = Script;
    fn hooks(&self) -> Hooks {
        Hooks::ALL
    }
    fn create(self: &Rc<Self>) -> Script {
        self.0.clone()
    }
}

impl HttpFilterSpec for Script {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(Factory(self.clone()))))
    }
}

fn chain(worker: &Rc<Worker>, filters: &[Script]) -> Rc<LocalChain> {
    let entry = |filter: &Script| FilterEntry {
        name: filter.name.into(),
        spec: Arc::new(filter.clone()),
        disabled: false,
    };
    LocalChain::new(
        &ChainSpec {
            filters: filters.iter().map(entry).collect(),
        },
        worker,
    )
}

fn stream(worker: &Rc<Worker>, chain: &Rc<LocalChain>, limit: usize) -> Box<FilterStream> {
    let address = Address::Pipe("test".into());
    let connection =
        ConnectionInfo::new(1, address.clone(), address, (worker.now(), worker.wall()));
    let info = StreamInfo::new(
        Rc::new(connection),
        Timings::new(worker.wall(), worker.now()),
    );
    let config = Rc::new(StreamConfig {
        buffer_limit: limit,
        stats: None,
        local_reply: None,
    });
    let mut stream = FilterStream::new(chain, &config, info);
    stream.state.request.headers = HeaderMap::from_iter([(":method", "GET"), (":path", "/")]);
    stream
}

/// Runs `drive` on a stream of the filters that `filters` makes, and gives what was logged.
fn run(
    filters: impl FnOnce(&Log) -> Vec<Script>,
    limit: usize,
    drive: impl FnOnce(&mut FilterStream),
) -> (String, Vec<String>) {
    run_main(|worker| async move {
        let log = Log::default();
        let scripts = filters(&log);
        let chain = chain(&worker, &scripts);
        let mut stream = stream(&worker, &chain, limit);
        drive(&mut stream);
        let out = stream
            .state
            .out
            .drain(..)
            .map(|out| match out {
                Out::Headers(end) => format!("H{}", mark(end)),
                Out::Data(data, end) => format!("D({}){}", text(&data), mark(end)),
                Out::Trailers => "T".to_owned(),
                other => format!("{other:?}"),
            })
            .collect();
        let log = log.lock().unwrap().join(" ");
        (log, out)
    })
    .unwrap()
}

#[test]
fn a_request_passes_in_order() {
    let (log, _) = run(
        |log| vec![script("a", log), script("b", log)],
        0,
        |stream| {
            stream.request_headers(End::No);
            stream.request_data("x".into(), End::No);
            stream.request_trailers(HeaderMap::new());
        },
    );
    assert_eq!(log, "a:H b:H a:D(x) b:D(x) a:T b:T");
}

#[test]
fn what_stops_everything_sees_the_body_when_it_goes_on() {
    let (log, _) = run(
        |log| {
            let stops = Script {
                headers: HeadersStatus::StopAllIterationAndWatermark,
                ..script("a", log)
            };
            vec![stops, script("b", log)]
        },
        0,
        |stream| {
            stream.request_headers(End::No);
            stream.request_data("x".into(), End::No);
            stream.request_data("y".into(), End::Stream);
            stream.state.orders.resumes.push((0, Direction::Request));
            stream.settle();
        },
    );
    assert_eq!(log, "a:H b:H a:D(xy). b:D(xy).");
}

#[test]
fn an_empty_end_reaches_what_had_stopped_everything() {
    let (log, _) = run(
        |log| {
            let stops = Script {
                headers: HeadersStatus::StopAllIterationAndBuffer,
                ..script("a", log)
            };
            vec![stops, script("b", log)]
        },
        0,
        |stream| {
            stream.request_headers(End::No);
            stream.request_data(Buffer::new(), End::Stream);
            stream.state.orders.resumes.push((0, Direction::Request));
            stream.settle();
        },
    );
    assert_eq!(log, "a:H b:H a:D(). b:D().");
}

#[test]
fn nothing_follows_a_reply_that_went_past_stopped_filters() {
    let (_, out) = run(
        |log| vec![script("a", log), script("b", log)],
        0,
        |stream| {
            stream.request_headers(End::Stream);
            // The response has come, and waits at a filter.
            stream.state.response.started = true;
            stream.state.response.gates[1].stop = crate::chain::state::Stop::Single;
            stream.order(|cx| {
                cx.local_reply(LocalReply::new(403, "no", "denied"));
                cx.resume_response();
            });
            stream.order(|cx| cx.resume_response());
        },
    );
    assert_eq!(out, ["H", "D(no)."]);
}

#[test]
fn trailers_that_are_added_to_a_request_follow_its_body() {
    fn adds(cx: &mut Cx<'_>, event: &str) {
        if event.starts_with("D") {
            cx.add_trailers(Direction::Request);
        }
    }
    fn injects(cx: &mut Cx<'_>, event: &str) {
        if event.starts_with("D") {
            cx.add_trailers(Direction::Request);
            cx.inject_data(Direction::Request, "z".into(), End::Stream);
        }
    }
    for (act, data, expected) in [
        (
            adds as fn(&mut Cx<'_>, &str),
            DataStatus::Continue,
            "b:D(x) b:T",
        ),
        (injects, DataStatus::StopIterationNoBuffer, "b:D(z) b:T"),
    ] {
        let (log, _) = run(
            |log| {
                let adds = Script {
                    data,
                    act,
                    ..script("a", log)
                };
                vec![adds, script("b", log)]
            },
            0,
            |stream| {
                stream.request_headers(End::No);
                stream.request_data("x".into(), End::Stream);
            },
        );
        assert_eq!(log, format!("a:H b:H a:D(x). {expected}"));
    }
}

#[test]
fn what_buffers_goes_on_with_all_of_it() {
    let (log, _) = run(
        |log| {
            let buffers = Script {
                headers: HeadersStatus::StopIteration,
                data: DataStatus::StopIterationAndBuffer,
                trailers: TrailersStatus::Continue,
                ..script("a", log)
            };
            vec![buffers, script("b", log)]
        },
        0,
        |stream| {
            stream.request_headers(End::No);
            stream.request_data("x".into(), End::No);
            stream.request_data("y".into(), End::No);
            stream.request_trailers(HeaderMap::new());
        },
    );
    assert_eq!(log, "a:H a:D(x) a:D(y) a:T b:H b:D(xy) b:T");
}

#[test]
fn too_much_to_buffer_is_answered_413_and_to_watch_holds_the_sender_back() {
    let filters = |status| {
        move |log: &Log| {
            vec![
                Script {
                    data: status,
                    ..script("a", log)
                },
                script("b", log),
            ]
        }
    };
    let drive = |stream: &mut FilterStream| {
        stream.request_headers(End::No);
        stream.request_data("xxxx".into(), End::No);
    };
    let (log, out) = run(filters(DataStatus::StopIterationAndBuffer), 3, drive);
    assert_eq!(
        log,
        "a:H b:H a:D(xxxx) a:L413 b:L413 b:rH a:rH b:rD(Payload Too Large). a:rD(Payload Too \
         Large)."
    );
    assert_eq!(out, ["H", "D(Payload Too Large)."]);
    run(
        filters(DataStatus::StopIterationAndWatermark),
        3,
        |stream| {
            drive(stream);
            assert!(stream.state.request.paused());
            stream.state.orders.resumes.push((0, Direction::Request));
            stream.settle();
            assert!(!stream.state.request.paused());
        },
    );
}

#[test]
fn a_local_reply_passes_the_response_filters_once() {
    let (log, out) = run(
        |log| {
            let replies = Script {
                headers: HeadersStatus::StopIteration,
                act: |cx, event| {
                    if event == "H" {
                        cx.local_reply(LocalReply::new(403, "no", "denied"));
                        cx.local_reply(LocalReply::new(404, "second", "second"));
                    }
                },
                ..script("b", log)
            };
            vec![script("a", log), replies, script("c", log)]
        },
        0,
        |stream| {
            stream.request_headers(End::Stream);
            assert_eq!(
                stream.state.response.headers.get(names::STATUS),
                Some(&b"403"[..])
            );
        },
    );
    assert_eq!(
        log,
        "a:H. b:H. a:L403 b:L403 c:L403 c:rH b:rH a:rH c:rD(no). b:rD(no). a:rD(no)."
    );
    assert_eq!(out, ["H", "D(no)."]);
}

#[test]
fn added_body_follows_the_headers() {
    let (log, _) = run(
        |log| {
            let adds = Script {
                act: |cx, event| {
                    if event == "H" {
                        cx.add_data("body".into());
                    }
                },
                ..script("a", log)
            };
            vec![adds, script("b", log)]
        },
        0,
        |stream| stream.request_headers(End::Stream),
    );
    assert_eq!(log, "a:H. b:H b:D(body).");
}

#[test]
fn a_filters_own_response_passes_all_response_filters() {
    let (log, out) = run(
        |log| {
            let answers = Script {
                headers: HeadersStatus::StopIteration,
                act: |cx, event| {
                    if event == "H" {
                        let headers = HeaderMap::from_iter([(":status", "200")]);
                        cx.respond_headers(headers, End::Stream);
                    }
                },
                ..script("a", log)
            };
            vec![answers, script("b", log)]
        },
        0,
        |stream| stream.request_headers(End::Stream),
    );
    assert_eq!(log, "a:H. b:rH. a:rH.");
    assert_eq!(out, ["H."]);
}

#[test]
fn a_response_without_a_status_is_not_sent() {
    run(
        |log| {
            let removes = Script {
                act: |cx, event| match event {
                    "H" => cx.local_reply(LocalReply::new(200, "text", "mine")),
                    "rH" => {
                        cx.response_headers().unwrap().remove(names::STATUS);
                    }
                    _ => {}
                },
                ..script("a", log)
            };
            vec![removes, script("b", log)]
        },
        0,
        |stream| {
            stream.request_headers(End::Stream);
            let status = stream.state.response.headers.get(names::STATUS);
            assert_eq!(status, Some(&b"502"[..]));
            let details = stream.state.info.response_code_details.as_deref();
            let expected =
                "filter_removed_required_response_headers{missing_required_header:_:status}";
            assert_eq!(details, Some(expected));
            assert_eq!(stream.state.out.len(), 2);
        },
    );
}

#[test]
fn a_renewed_stream_knows_nothing_of_the_last() {
    run_main(|worker| async move {
        let log = Log::default();
        let chain = chain(&worker, &[script("a", &log)]);
        let mut first = stream(&worker, &chain, 0);
        first.request_headers(End::No);
        first.state.info.attempt_count = 7;
        let metadata = Arc::default();
        first.state.info.host_metadata = Some(Arc::clone(&metadata));
        first.finish();
        assert_eq!(Arc::strong_count(&metadata), 1);
        let second = stream(&worker, &chain, 0);
        assert_eq!(second.state.info.attempt_count, 0);
        assert!(!second.state.request.started && second.state.out.is_empty());
    })
    .unwrap();
}

#[test]
fn a_chain_that_is_replaced_goes_with_its_last_stream() {
    run_main(|worker| async move {
        let chain = chain(&worker, &[script("a", &Log::default())]);
        let (used, active) = (stream(&worker, &chain, 0), stream(&worker, &chain, 0));
        used.finish();
        let chain = {
            let weak = Rc::downgrade(&chain);
            drop(chain);
            weak
        };
        assert!(chain.upgrade().is_some());
        active.finish();
        assert!(chain.upgrade().is_none());
    })
    .unwrap();
}
