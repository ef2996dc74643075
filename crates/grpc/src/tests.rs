//! Messages and statuses; calls of a service on loopback.

use super::*;
use bytes::{Bytes, BytesMut};
use nuncio_base::address::Address;
use nuncio_base::random::Random;
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::h2::{H2Connection, H2Event, H2Local, H2Settings, H2Stats};
use nuncio_codec::{End, Frame, HeaderPool};
use nuncio_stats::Store;
use nuncio_upstream::cluster::UpstreamProtocol;
use nuncio_upstream::lb::weighted::{Pick, WeightedBalancer};
use nuncio_upstream::{
    ClusterInfo, ClusterManager, ClusterSpec, Host, HostSet, HostSpec, LbSpec, LoadBalancer,
    PrioritySet,
};
use nuncio_worker::{Worker, run_main};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[test]
fn messages_in_pieces() {
    let body = [&frame(b"one")[..], &frame(b""), &frame(b"three")].concat();
    for step in 1..=body.len() {
        let mut messages = Messages::new(5);
        let mut found = Vec::new();
        for piece in body.chunks(step) {
            messages.push(&mut Buffer::from(piece.to_vec()));
            while let Some(message) = messages.next_message().unwrap() {
                found.push(message);
            }
        }
        assert_eq!(found, ["one", "", "three"]);
        assert!(messages.is_whole());
    }
    for (body, error) in [
        (&[1, 0, 0, 0, 0][..], MessageError::Flag),
        (&[0, 0, 0, 0, 6], MessageError::TooLarge),
        (&[0, 255, 255, 255, 255], MessageError::TooLarge),
    ] {
        let mut messages = Messages::new(5);
        messages.push(&mut Buffer::from(body.to_vec()));
        assert_eq!(messages.next_message(), Err(error));
    }
}

#[test]
fn a_message_in_very_many_pieces() {
    // Small ones and large ones in turn, as frames come that begin anywhere in a read block.
    const LENGTH: usize = 48_000_000;
    let body = frame(&vec![7; LENGTH]);
    let mut messages = Messages::new(LENGTH);
    let mut left = &body[..body.len() - 1];
    for length in [4000, 5000].into_iter().cycle() {
        let piece;
        (piece, left) = left.split_at(length.min(left.len()));
        messages.push(&mut Buffer::from(piece.to_vec()));
        assert_eq!(messages.next_message(), Ok(None));
        if left.is_empty() {
            break;
        }
    }
    assert!(!messages.is_whole());
    messages.push(&mut Buffer::from([&[7][..], &frame(b"next")[..6]].concat()));
    assert_eq!(messages.next_message().unwrap().unwrap().len(), LENGTH);
    assert_eq!(messages.next_message(), Ok(None));
    messages.push(&mut Buffer::from(b"ext".to_vec()));
    assert_eq!(messages.next_message().unwrap().unwrap(), "next");
    assert!(messages.is_whole());
}

#[test]
fn statuses() {
    for (fields, status) in [
        (vec![], None),
        (vec![("grpc-status", "0")], Some(Status::new(0, ""))),
        (
            vec![("grpc-status", "7"), ("grpc-message", "no%20%25%zz")],
            Some(Status::new(7, "no %%zz")),
        ),
        (vec![("grpc-status", "x")], Some(Status::new(2, ""))),
    ] {
        let fields: HeaderMap = fields.into_iter().collect();
        assert_eq!(Status::of_fields(&fields), status);
    }
    for (http, code) in [(400, 13), (401, 16), (404, 12), (503, 14), (418, 2)] {
        assert_eq!(Status::of_http(http).code, code);
    }
}

#[derive(Debug)]
struct First;

impl Pick for First {
    fn pick(&self, _hosts: &[Arc<Host>], _turn: u64, _random: &mut Random) -> usize {
        0
    }
}

impl LbSpec for First {
    fn name(&self) -> &'static str {
        "test.first"
    }
    fn localize(&self, _worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        let pick = Box::new(First);
        Box::new(WeightedBalancer::new(pick, Default::default(), 0))
    }
}

/// Answers by method: `Echo` message by message, `Fail` with a status, `Http` with 503; of
/// `Silent` nothing is heard.
async fn serve(mut stream: TcpStream) -> Option<()> {
    let store = Store::default();
    let local = Rc::new(H2Local {
        settings: Arc::new(H2Settings::default()),
        stats: store.scope("http2").group::<H2Stats>().local(),
    });
    let mut codec = H2Connection::server(&local);
    let (mut pool, mut input, mut block) = (HeaderPool::default(), Bytes::new(), BytesMut::new());
    let mut methods = HashMap::new();
    let trailers = |code: &str| HeaderMap::from_iter([("grpc-status", code)]);
    loop {
        let mut out = Buffer::new();
        codec.take_output(&mut out, usize::MAX);
        stream.write_all(&out.to_bytes()).await.ok()?;
        if stream.read_buf(&mut block).await.ok()? == 0 {
            return None;
        }
        input = [&input[..], &block.split()].concat().into();
        while let Some(event) = codec.next(&mut input, &mut pool).ok()? {
            match event {
                H2Event::Frame(id, Frame::Headers(head, _)) => {
                    assert_eq!(
                        head.get(names::CONTENT_TYPE),
                        Some(&b"application/grpc"[..])
                    );
                    let path = head.get_str(names::PATH).unwrap();
                    let method = path.rsplit('/').next().unwrap().to_owned();
                    let mut head = HeaderMap::from_iter([(":status", "200")]);
                    match method.as_str() {
                        "Echo" => codec.send_head(id, &head, End::No),
                        "Fail" => {
                            head.append(names::GRPC_STATUS, b"7");
                            codec.send_head(id, &head, End::Stream);
                        }
                        "Http" => {
                            head.set(names::STATUS, b"503");
                            codec.send_head(id, &head, End::Stream);
                        }
                        _ => {}
                    }
                    methods.insert(id, method);
                }
                H2Event::Frame(id, Frame::Data(data, end)) => {
                    codec.release(id);
                    if methods[&id] == "Echo" {
                        codec.send_data(id, data, End::No);
                        if end.is_end() {
                            codec.send_trailers(id, trailers("0"));
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// Runs `test` with a client of a service on loopback.
fn with_service<F>(change: fn(&mut GrpcService), test: fn(GrpcClient) -> F)
where
    F: Future<Output = ()> + 'static,
{
    run_main(move |worker| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::Ip(listener.local_addr().unwrap());
        let mut spec = ClusterSpec::new("c", Arc::new(First));
        spec.http.protocol = UpstreamProtocol::Http2;
        let host = Host::new(HostSpec::new(address));
        let set = HostSet::new(0, vec![host], &Default::default(), Default::default());
        let hosts = PrioritySet::new(vec![set.into()], 50);
        let info = ClusterInfo::new(spec, &Store::default().root());
        ClusterManager::install(&worker).set(info, Arc::new(hosts));
        let server = tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(async move {
                    serve(stream).await;
                });
            }
        });
        let mut service = GrpcService::new("c");
        change(&mut service);
        test(GrpcClient::new(&worker, &Arc::new(service))).await;
        server.abort();
    })
    .unwrap();
}

#[test]
fn one_message_for_one() {
    with_service(
        |service| service.timeout = Some(Duration::from_millis(200)),
        |client| async move {
            let answer = client.unary("/s/Echo", b"hello").await;
            assert_eq!(answer.unwrap(), "hello");
            for (method, code) in [("/s/Fail", 7), ("/s/Http", 14), ("/s/Silent", 4)] {
                let status = client.unary(method, b"x").await.unwrap_err();
                assert_eq!(status.code, code, "{method}");
            }
        },
    );
    with_service(
        |service| service.max_message_bytes = 4,
        |client| async move {
            let status = client.unary("/s/Echo", b"hello").await.unwrap_err();
            assert_eq!(status.code, Status::RESOURCE_EXHAUSTED);
        },
    );
    with_service(
        |service| service.cluster = "none".into(),
        |client| async move {
            let status = client.unary("/s/Echo", b"").await.unwrap_err();
            assert_eq!(status.code, Status::UNAVAILABLE);
        },
    );
}

#[test]
fn streams_both_ways() {
    with_service(
        |_| {},
        |client| async move {
            let mut stream = client.open("/s/Echo");
            stream.send(b"one");
            let mut events = Vec::new();
            loop {
                let event = poll_fn(|task| stream.poll(task)).await;
                match &event {
                    GrpcEvent::Message(message) if message == "one" => stream.send(b"two"),
                    GrpcEvent::Message(_) => stream.end(),
                    GrpcEvent::Began | GrpcEvent::End(_) => {}
                }
                events.push(event.clone());
                if matches!(event, GrpcEvent::End(_)) {
                    break;
                }
            }
            assert_eq!(
                events,
                [
                    GrpcEvent::Began,
                    GrpcEvent::Message("one".into()),
                    GrpcEvent::Message("two".into()),
                    GrpcEvent::End(Status::new(0, "")),
                ]
            );
            assert_eq!(stream.unsent(), 0);
            for (method, code) in [("/s/Fail", 7), ("/s/Http", 14)] {
                let mut stream = client.open(method);
                let event = poll_fn(|task| stream.poll(task)).await;
                assert!(matches!(event, GrpcEvent::End(status) if status.code == code));
            }
        },
    );
}

#[test]
fn calls_that_nobody_waits_for_are_counted() {
    let store = Store::default();
    let mut service = GrpcService::new("c");
    service.google = Some(GoogleGrpc {
        target: "a:1".to_owned(),
        secure: false,
        credentials: Vec::new(),
        stats: store.scope("grpc.a").group(),
        stat_prefix: "a".to_owned(),
    });
    run_main(move |worker| async move {
        ClusterManager::install(&worker);
        let client = GrpcClient::new(&worker, &Arc::new(service));
        drop(client.unary("/s/Silent", b""));
        assert_eq!(store.counter_value("grpc.a.streams_total"), Some(1));
    })
    .unwrap();
}
