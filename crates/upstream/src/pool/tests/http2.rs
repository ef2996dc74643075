//! HTTP/2 connections of a pool, against the codec's server.

use super::*;
use crate::cluster::UpstreamProtocol;
use bytes::{Bytes, BytesMut};
use nuncio_base::names;
use nuncio_codec::HeaderPool;
use nuncio_codec::h2::{ErrorCode, H2Connection, H2Event, H2Local, H2Settings, H2Stats};
use std::cell::Cell;

fn local(settings: H2Settings) -> Rc<H2Local> {
    let store = Store::default();
    Rc::new(H2Local {
        settings: Arc::new(settings),
        stats: store.scope("http2").group::<H2Stats>().local(),
    })
}

/// Answers by path; `accepted` counts connections.
async fn serve(mut stream: TcpStream, settings: H2Settings, accepted: Rc<Cell<u32>>) -> Option<()> {
    accepted.set(accepted.get() + 1);
    let mut codec = H2Connection::server(&local(settings));
    let mut pool = HeaderPool::default();
    let (mut input, mut block) = (Bytes::new(), BytesMut::new());
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
                H2Event::Frame(id, Frame::Headers(head, end)) => {
                    let path = head.get_str(names::PATH).unwrap_or("*").to_owned();
                    if path == "/silent" {
                        continue;
                    }
                    if path == "/gone" {
                        return None;
                    }
                    reply(&mut codec, id, &path, end);
                }
                H2Event::Frame(id, Frame::Data(_, end)) => {
                    codec.release(id);
                    if end.is_end() {
                        respond(&mut codec, id, "read");
                    }
                }
                _ => {}
            }
        }
    }
}

fn reply(codec: &mut H2Connection, id: u32, path: &str, end: End) {
    match path {
        "/refuse" => codec.reset(id, ErrorCode::REFUSED_STREAM),
        "/goaway" => {
            codec.goaway();
            respond(codec, id, path);
        }
        _ if end.is_end() => respond(codec, id, path),
        _ => {}
    }
}

fn respond(codec: &mut H2Connection, id: u32, body: &str) {
    let head = HeaderMap::from_iter([(":status", "200")]);
    codec.send_head(id, &head, End::No);
    codec.send_data(id, Buffer::from(body.as_bytes().to_vec()), End::Stream);
}

/// Runs `test` with an HTTP/2 cluster; the number is that of connections.
fn with_http2<F>(
    settings: H2Settings,
    change: impl FnOnce(&mut ClusterSpec) + 'static,
    test: impl FnOnce(Rc<Fixture>, Rc<Cell<u32>>) -> F + 'static,
) where
    F: Future<Output = ()> + 'static,
{
    let accepted = Rc::new(Cell::new(0));
    let counted = Rc::clone(&accepted);
    with_server(
        move |stream| serve(stream, settings.clone(), Rc::clone(&counted)),
        |spec| {
            spec.http.protocol = UpstreamProtocol::Http2;
            change(spec);
        },
        |f| test(f, accepted),
    );
}

async fn send(f: &Fixture, path: &str) -> ClientStream {
    let mut stream = f.stream().await.unwrap();
    stream.send_headers(&request("GET", path), End::Stream);
    stream
}

#[test]
fn streams_share_a_connection() {
    with_http2(
        H2Settings::default(),
        |_| {},
        |f, accepted| async move {
            let mut streams = Vec::new();
            for path in ["/a", "/b", "/c"] {
                streams.push(send(&f, path).await);
            }
            f.check(&[("upstream_rq_active", 3), ("upstream_cx_active", 1)]);
            for (stream, path) in streams.iter_mut().rev().zip(["/c", "/b", "/a"]) {
                assert_eq!(answer(stream).await, format!("200 {path}"));
            }
            drop(streams);
            assert_eq!(accepted.get(), 1);
            f.check(&[
                ("upstream_cx_http2_total", 1),
                ("upstream_cx_http1_total", 0),
                ("upstream_rq_total", 3),
                ("upstream_rq_active", 0),
                ("upstream_rq_pending_total", 1),
                ("http2.streams_active", 0),
            ]);
        },
    );
}

#[test]
fn pools_grow_by_streams() {
    let settings = H2Settings {
        max_concurrent_streams: 2,
        ..H2Settings::default()
    };
    let own = settings.clone();
    with_http2(
        settings,
        |spec| spec.http.http2 = Arc::new(own),
        |f, accepted| async move {
            let mut streams = Vec::new();
            for _ in 0..5 {
                streams.push(send(&f, "/silent").await);
            }
            assert_eq!(accepted.get(), 3);
            // One that ends makes room for another.
            streams.remove(0);
            assert_eq!(answer(&mut send(&f, "/a").await).await, "200 /a");
            f.check(&[("upstream_cx_total", 3), ("upstream_rq_tx_reset", 1)]);
        },
    );
}

#[test]
fn ends_of_connections() {
    with_http2(
        H2Settings::default(),
        |_| {},
        |f, accepted| async move {
            assert_eq!(f.get("/goaway").await, "200 /goaway");
            assert_eq!(f.get("/a").await, "200 /a");
            assert_eq!(accepted.get(), 2);
            let mut silent = send(&f, "/silent").await;
            assert_eq!(f.get("/refuse").await, "!remote refused stream reset");
            assert_eq!(f.get("/gone").await, "!connection termination");
            assert_eq!(answer(&mut silent).await, "!connection termination");
            drop(silent);
            assert_eq!(f.get("/b").await, "200 /b");
            f.check(&[
                ("upstream_cx_total", 3),
                ("upstream_cx_close_notify", 1),
                ("upstream_cx_destroy_remote_with_active_rq", 1),
                ("upstream_cx_active", 1),
                ("upstream_rq_active", 0),
            ]);
        },
    );
}

#[test]
fn connections_are_given_up_by_count_and_idleness() {
    with_http2(
        H2Settings::default(),
        |spec| {
            spec.http.max_requests_per_connection = std::num::NonZeroU32::new(2);
            spec.http.idle_timeout = Some(Duration::from_millis(50));
        },
        |f, accepted| async move {
            for path in ["/a", "/b", "/c"] {
                assert_eq!(f.get(path).await, format!("200 {path}"));
            }
            assert_eq!(accepted.get(), 2);
            f.sleep(150).await;
            f.check(&[
                ("upstream_cx_max_requests", 1),
                ("upstream_cx_idle_timeout", 1),
                ("upstream_cx_active", 0),
            ]);
        },
    );
}

#[test]
fn bodies_wait_for_windows() {
    let settings = H2Settings {
        initial_stream_window: 65_535,
        initial_connection_window: 65_535,
        ..H2Settings::default()
    };
    with_http2(
        settings,
        |spec| spec.per_connection_buffer_limit = 10_000,
        |f, _| async move {
            let mut stream = f.stream().await.unwrap();
            stream.send_headers(&request("POST", "/"), End::No);
            let mut body = Buffer::from(vec![b'x'; 300_000]);
            stream.send_data(&mut body, End::No);
            assert!(stream.write_blocked());
            poll_fn(|task| {
                stream.flush(task);
                match stream.write_blocked() {
                    true => std::task::Poll::Pending,
                    false => std::task::Poll::Ready(()),
                }
            })
            .await;
            stream.send_data(&mut Buffer::from(vec![b'x'; 5]), End::Stream);
            assert_eq!(answer(&mut stream).await, "200 read");
            f.check(&[
                ("upstream_flow_control_backed_up_total", 1),
                ("upstream_flow_control_drained_total", 1),
            ]);
        },
    );
}
