//! Pools against real sockets on loopback, on a main worker.

mod http2;
mod preconnect;

use crate::cluster::{ClusterInfo, ClusterSpec};
use crate::host::{Host, HostSpec};
use crate::host_set::HostSet;
use crate::lb::weighted::{Pick, WeightedBalancer};
use crate::lb::{AnyRequest, Choice, LbSpec, LoadBalancer};
use crate::local_cluster::LocalCluster;
use crate::manager::ClusterManager;
use crate::pool::{ClientStream, PoolFailure, TcpConnection};
use crate::priority::{HostsChange, PrioritySet};
use crate::resource::{Priority, Thresholds};
use nuncio_base::address::Address;
use nuncio_base::random::Random;
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::{End, Frame, ResetReason};
use nuncio_stats::Store;
use nuncio_stream_info::{ConnectionInfo, StreamInfo, Timings};
use nuncio_worker::timer::sleep_until;
use nuncio_worker::{Worker, run_main};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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
        Box::new(WeightedBalancer::new(
            Box::new(First),
            Default::default(),
            0,
        ))
    }
}

/// A cluster of one host, and what its stats say.
struct Fixture {
    worker: Rc<Worker>,
    store: Store,
    cluster: Rc<LocalCluster>,
    host: Arc<Host>,
}

impl Fixture {
    fn new(worker: Rc<Worker>, address: Address, change: impl FnOnce(&mut ClusterSpec)) -> Self {
        let store = Store::default();
        let mut spec = ClusterSpec::new("c", Arc::new(First));
        spec.connect_timeout = Duration::from_millis(300);
        change(&mut spec);
        let info = ClusterInfo::new(spec, &store.root());
        let host = Host::new(HostSpec::new(address));
        let set = HostSet::new(
            0,
            vec![host.clone()],
            &Default::default(),
            Default::default(),
        );
        let hosts = PrioritySet::new(vec![set.into()], 50);
        let manager = ClusterManager::install(&worker);
        manager.set(info, Arc::new(hosts));
        let cluster = manager.get("c").unwrap();
        let Choice::Host(chosen) = cluster.choose(&AnyRequest) else {
            panic!("no host");
        };
        assert_eq!(chosen.id(), host.id());
        Self {
            worker,
            store,
            cluster,
            host,
        }
    }

    async fn stream(&self) -> Result<ClientStream, PoolFailure> {
        let mut request = self
            .cluster
            .http_stream(&self.host, Priority::Default, None);
        poll_fn(|task| request.poll(task)).await
    }

    async fn tcp(&self) -> Result<TcpConnection, PoolFailure> {
        let mut request =
            self.cluster
                .tcp_connection(&self.host, Priority::Default, &nobody(&self.worker));
        poll_fn(|task| request.poll(task)).await
    }

    /// Sends a GET and reads the whole answer.
    async fn get(&self, path: &str) -> String {
        let mut stream = self.stream().await.unwrap();
        stream.send_headers(&request("GET", path), End::Stream);
        answer(&mut stream).await
    }

    async fn sleep(&self, millis: u64) {
        self.worker.tick();
        sleep_until(
            &self.worker,
            self.worker.now() + Duration::from_millis(millis),
        )
        .await;
    }

    #[track_caller]
    fn check(&self, expected: &[(&str, u64)]) {
        for (name, value) in expected {
            let full = format!("cluster.c.{name}");
            let found = self
                .store
                .counter_value(&full)
                .or(self.store.gauge_value(&full));
            assert_eq!(found, Some(*value), "{name}");
        }
    }
}

fn request(method: &str, path: &str) -> HeaderMap {
    HeaderMap::from_iter([
        (":method", method),
        (":authority", "a"),
        (":path", path),
        (":scheme", "http"),
    ])
}

/// What an answer was, in short: `200 body`, or how it was reset.
async fn answer(stream: &mut ClientStream) -> String {
    let mut text = String::new();
    loop {
        let end = match poll_fn(|task| stream.poll(task)).await {
            Frame::Headers(headers, end) => {
                text += headers.get_str(":status").unwrap();
                end
            }
            Frame::Informational(headers) => {
                text += &format!("({})", headers.get_str(":status").unwrap());
                End::No
            }
            Frame::Data(data, end) => {
                text += &format!(" {}", String::from_utf8_lossy(&data.to_bytes()));
                end
            }
            Frame::Trailers(_) => End::Stream,
            Frame::Reset(reason) => return text + "!" + reason.as_str(),
        };
        if end.is_end() {
            return text;
        }
    }
}

/// Runs `test` beside a server that handles each connection with `serve`.
fn with_server<S, F>(
    serve: impl Fn(TcpStream) -> S + 'static,
    change: impl FnOnce(&mut ClusterSpec) + 'static,
    test: impl FnOnce(Rc<Fixture>) -> F + 'static,
) where
    S: Future<Output = Option<()>> + 'static,
    F: Future<Output = ()> + 'static,
{
    run_main(|worker| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::Ip(listener.local_addr().unwrap());
        let fixture = Rc::new(Fixture::new(worker, address, change));
        let server = tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let served = serve(stream);
                tokio::task::spawn_local(async move {
                    served.await;
                });
            }
        });
        test(fixture).await;
        server.abort();
    })
    .unwrap();
}

/// Reads a head and a body of `content-length`; the path.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    if let Some(at) = head.find("content-length: ") {
        let length: usize = head[at + 16..]
            .split("\r\n")
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
    }
    head.split(' ').nth(1).map(str::to_owned)
}

/// Answers by path; anything else is answered with the path itself.
async fn serve(mut stream: TcpStream) -> Option<()> {
    loop {
        let path = read_request(&mut stream).await?;
        let pause = |millis| tokio::time::sleep(Duration::from_millis(millis));
        let raw: &[u8] = match path.as_str() {
            "/drop" => return None,
            "/half" => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")
                    .await
                    .ok()?;
                return None;
            }
            "/extra" => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokEXTRA",
            "/late" => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                    .await
                    .ok()?;
                pause(30).await;
                b"GARBAGE"
            }
            "/bad" => b"HTTQ/1.1 200 OK\r\n\r\n",
            "/close" => b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            "/until-close" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nall").await.ok()?;
                return None;
            }
            "/gone" => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                    .await
                    .ok()?;
                return None;
            }
            "/interim" => {
                b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
            }
            "/pieces" => {
                let all =
                    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
                for byte in all {
                    stream.write_all(&[*byte]).await.ok()?;
                    tokio::task::yield_now().await;
                }
                b""
            }
            "/slow" => {
                pause(100).await;
                b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow"
            }
            "/switch" => {
                stream
                    .write_all(b"HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n")
                    .await
                    .ok()?;
                let mut seen = [0; 4];
                stream.read_exact(&mut seen).await.ok()?;
                stream.write_all(&seen).await.ok()?;
                return None;
            }
            _ => {
                let text = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}",
                    path.len()
                );
                stream.write_all(text.as_bytes()).await.ok()?;
                continue;
            }
        };
        stream.write_all(raw).await.ok()?;
    }
}

#[test]
fn a_connection_is_used_again() {
    with_server(
        serve,
        |_| {},
        |f| async move {
            for (path, expected) in [
                ("/1", "200 /1"),
                ("/2", "200 /2"),
                ("/interim", "(103)200 ok"),
                ("/pieces", "200 ok"),
            ] {
                // A chunk that comes in pieces is passed on in pieces.
                assert_eq!(f.get(path).await.replace("o k", "ok").trim_end(), expected);
            }
            let stream = f.stream().await.unwrap();
            assert_eq!(stream.info().streams_before, 4);
            f.check(&[("upstream_rq_active", 1), ("upstream_cx_active", 1)]);
            drop(stream);
            f.check(&[
                ("upstream_cx_total", 1),
                ("upstream_cx_http1_total", 1),
                ("upstream_rq_total", 5),
                ("upstream_rq_pending_total", 1),
                ("upstream_rq_active", 0),
                ("upstream_cx_active", 1),
                ("upstream_cx_destroy", 0),
            ]);
            assert_eq!(f.host.stats().rq_total.value(), 5);
            assert_eq!(f.host.stats().rq_active.value(), 0);
            f.cluster.drain_connections();
            f.check(&[("upstream_cx_active", 0), ("upstream_cx_destroy_local", 1)]);
        },
    );
}

/// What Envoy 1.40 counts for two requests of each kind, one after the other.
#[test]
fn ends_are_counted_as_envoy_does() {
    const ACTIVE: &str = "upstream_cx_destroy_with_active_rq";
    const LOCAL: &str = "upstream_cx_destroy_local";
    const REMOTE: &str = "upstream_cx_destroy_remote";
    const PROTOCOL: &str = "upstream_cx_protocol_error";
    const NOTIFY: &str = "upstream_cx_close_notify";
    type Counts = &'static [(&'static str, u64)];
    let cases: &[(&str, &str, Counts)] = &[
        (
            "/drop",
            "!connection termination",
            &[(REMOTE, 2), (ACTIVE, 2), (PROTOCOL, 0)],
        ),
        (
            "/half",
            "200 abc!protocol error",
            &[(REMOTE, 2), (ACTIVE, 2), (PROTOCOL, 2)],
        ),
        (
            "/extra",
            "200 ok",
            &[(LOCAL, 2), (ACTIVE, 0), (PROTOCOL, 2)],
        ),
        ("/late", "200 ok", &[(LOCAL, 2), (ACTIVE, 0), (PROTOCOL, 2)]),
        (
            "/bad",
            "!protocol error",
            &[(LOCAL, 2), (ACTIVE, 2), (PROTOCOL, 2)],
        ),
        (
            "/close",
            "200 ok",
            &[(LOCAL, 2), (NOTIFY, 2), (PROTOCOL, 0)],
        ),
        (
            "/until-close",
            "200 all ",
            &[(REMOTE, 2), (ACTIVE, 0), (PROTOCOL, 0)],
        ),
        (
            "/gone",
            "200 ok",
            &[(REMOTE, 2), (ACTIVE, 0), (PROTOCOL, 0)],
        ),
    ];
    for (path, expected, counts) in cases {
        with_server(
            serve,
            |_| {},
            move |f| async move {
                for _ in 0..2 {
                    assert_eq!(f.get(path).await, *expected);
                    f.sleep(60).await;
                }
                f.check(&[("upstream_cx_total", 2), ("upstream_cx_active", 0)]);
                f.check(counts);
            },
        );
    }
}

#[test]
fn an_early_answer_closes_the_connection() {
    let early = |mut stream: TcpStream| async move {
        let mut byte = [0; 256];
        stream.read_exact(&mut byte[..40]).await.ok()?;
        stream
            .write_all(b"HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n")
            .await
            .ok()?;
        while stream.read(&mut byte).await.ok()? > 0 {}
        Some(())
    };
    with_server(
        early,
        |_| {},
        |f| async move {
            let mut stream = f.stream().await.unwrap();
            let mut headers = request("POST", "/");
            headers.append("content-length", b"1000");
            stream.send_headers(&headers, End::No);
            stream.send_data(&mut "0123456789".into(), End::No);
            assert_eq!(answer(&mut stream).await, "413");
            drop(stream);
            f.check(&[
                ("upstream_cx_destroy_local_with_active_rq", 1),
                ("upstream_cx_active", 0),
            ]);
        },
    );
}

#[test]
fn requests_wait_in_order_for_the_one_connection_allowed() {
    let one = |spec: &mut ClusterSpec| {
        Arc::make_mut(&mut spec.thresholds)[0] = Thresholds {
            max_connections: 1,
            max_pending_requests: 2,
            ..Thresholds::default()
        };
    };
    with_server(serve, one, |f| async move {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        for name in 0..4 {
            let (own, sender) = (f.clone(), sender.clone());
            tokio::task::spawn_local(async move {
                let got = match own.stream().await {
                    Ok(mut stream) => {
                        stream.send_headers(&request("GET", "/slow"), End::Stream);
                        answer(&mut stream).await
                    }
                    Err(failure) => failure.to_string(),
                };
                sender.send((name, got)).unwrap();
            });
            f.sleep(20).await;
        }
        let mut seen = Vec::new();
        while seen.len() < 4 {
            seen.push(receiver.recv().await.unwrap());
        }
        let expected = [
            (3, "overflow"),
            (0, "200 slow"),
            (1, "200 slow"),
            (2, "200 slow"),
        ];
        assert_eq!(seen, expected.map(|(name, text)| (name, text.to_owned())));
        f.check(&[
            ("upstream_cx_total", 1),
            ("upstream_rq_pending_overflow", 1),
            ("upstream_rq_pending_total", 3),
            ("upstream_rq_pending_active", 0),
            ("upstream_rq_total", 3),
            ("circuit_breakers.default.cx_open", 1),
            ("circuit_breakers.default.rq_pending_open", 0),
        ]);
    });
}

#[test]
fn max_requests_holds() {
    let one = |spec: &mut ClusterSpec| Arc::make_mut(&mut spec.thresholds)[0].max_requests = 1;
    with_server(serve, one, |f| async move {
        let mut stream = f.stream().await.unwrap();
        assert_eq!(f.stream().await.err(), Some(PoolFailure::overflow(true)));
        f.check(&[
            ("upstream_rq_active_overflow", 1),
            ("upstream_rq_total", 1),
            ("upstream_cx_total", 2),
            ("circuit_breakers.default.rq_open", 1),
        ]);
        stream.send_headers(&request("GET", "/x"), End::Stream);
        assert_eq!(answer(&mut stream).await, "200 /x");
        drop(stream);
        assert_eq!(f.get("/y").await, "200 /y");
        f.check(&[
            ("upstream_cx_total", 2),
            ("circuit_breakers.default.rq_open", 0),
        ]);
    });
}

#[test]
fn connections_are_given_up_by_count_age_and_idleness() {
    let twice = |spec: &mut ClusterSpec| {
        spec.http.max_requests_per_connection = std::num::NonZeroU32::new(2);
    };
    with_server(serve, twice, |f| async move {
        for _ in 0..3 {
            f.get("/x").await;
        }
        f.check(&[("upstream_cx_total", 2), ("upstream_cx_max_requests", 1)]);
    });
    let idle = |spec: &mut ClusterSpec| spec.http.idle_timeout = Some(Duration::from_millis(400));
    with_server(serve, idle, |f| async move {
        f.get("/x").await;
        f.sleep(200).await;
        f.get("/slow").await;
        f.sleep(200).await;
        f.check(&[("upstream_cx_total", 1), ("upstream_cx_idle_timeout", 0)]);
        f.sleep(300).await;
        f.check(&[("upstream_cx_active", 0), ("upstream_cx_idle_timeout", 1)]);
    });
    let age = |spec: &mut ClusterSpec| {
        spec.http.max_connection_duration = Some(Duration::from_millis(50));
    };
    with_server(serve, age, |f| async move {
        f.get("/slow").await;
        f.check(&[
            ("upstream_cx_active", 0),
            ("upstream_cx_max_duration_reached", 1),
        ]);
        f.get("/x").await;
        f.sleep(80).await;
        f.check(&[
            ("upstream_cx_active", 0),
            ("upstream_cx_max_duration_reached", 2),
        ]);
    });
}

/// Whom a connection is for.
fn nobody(worker: &Worker) -> StreamInfo {
    let (now, wall) = (worker.now(), worker.wall());
    let address = || Address::Pipe("".into());
    let connection = ConnectionInfo::new(0, address(), address(), (now, wall));
    StreamInfo::new(Rc::new(connection), Timings::new(wall, now))
}

#[test]
fn failures_to_connect() {
    run_main(|worker| async move {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::Ip(free.local_addr().unwrap());
        drop(free);
        let f = Fixture::new(worker, address, |_| {});
        for failure in [f.stream().await.err(), f.tcp().await.err()] {
            let failure = failure.unwrap();
            assert_eq!(failure.reason, ResetReason::RemoteConnectionFailure);
            let text = "delayed connect error: Connection refused";
            assert_eq!(&*failure.transport_failure_reason, text);
        }
        f.check(&[
            ("upstream_cx_connect_fail", 2),
            ("upstream_cx_destroy_remote", 2),
            ("upstream_cx_http1_total", 1),
            ("upstream_rq_pending_failure_eject", 2),
            ("upstream_rq_total", 0),
        ]);
        assert_eq!(f.host.stats().cx_connect_fail.value(), 2);
        let f = Fixture::new(f.worker.clone(), Address::Pipe("/no/such".into()), |_| {});
        let failure = f.stream().await.err().unwrap();
        let text = "immediate connect error: No such file or directory|remote address:/no/such";
        assert_eq!(&*failure.transport_failure_reason, text);
    })
    .unwrap();
}

#[test]
fn a_silent_host_times_out() {
    run_main(|worker| async move {
        // A full accept queue answers no SYN.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let fill = |_| {
            tokio::task::spawn_local(async move {
                let _held = TcpStream::connect(address).await;
                std::future::pending::<()>().await;
            })
        };
        let _held: Vec<_> = (0..4).map(fill).collect();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let f = Fixture::new(worker, Address::Ip(address), |_| {});
        let failure = f.stream().await.err().unwrap();
        assert_eq!(failure.reason, ResetReason::ConnectionTimeout);
        f.check(&[
            ("upstream_cx_connect_timeout", 1),
            ("upstream_cx_connect_fail", 1),
            ("upstream_cx_destroy_local", 1),
        ]);
        // A TCP connection that nobody wants any more is given up.
        let mut request = f
            .cluster
            .tcp_connection(&f.host, Priority::Default, &nobody(&f.worker));
        poll_fn(|task| {
            assert!(request.poll(task).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        f.sleep(10).await;
        drop(request);
        f.sleep(10).await;
        f.check(&[("upstream_cx_active", 0), ("upstream_rq_cancelled", 1)]);
    })
    .unwrap();
}

#[test]
fn a_cancelled_request_leaves_its_connection_to_others() {
    with_server(
        serve,
        |_| {},
        |f| async move {
            let mut request = f.cluster.http_stream(&f.host, Priority::High, None);
            poll_fn(|task| {
                assert!(request.poll(task).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            drop(request);
            f.sleep(30).await;
            f.check(&[
                ("upstream_rq_cancelled", 1),
                ("upstream_cx_active", 1),
                ("upstream_rq_pending_active", 0),
            ]);
            let mut request = f.cluster.http_stream(&f.host, Priority::High, None);
            assert!(poll_fn(|task| request.poll(task)).await.is_ok());
            f.check(&[("upstream_cx_total", 1)]);
        },
    );
}

#[test]
fn a_removed_host_keeps_its_streams() {
    with_server(
        serve,
        |_| {},
        |f| async move {
            let idle = f.stream().await.unwrap();
            let mut stream = f.stream().await.unwrap();
            drop(idle);
            f.check(&[("upstream_cx_active", 2)]);
            let removed = HostsChange {
                removed: vec![f.host.clone()],
                added: Vec::new(),
            };
            let none = Arc::new(PrioritySet::new(Vec::new(), 50));
            ClusterManager::of(&f.worker).update_hosts("c", none, &removed);
            f.check(&[("upstream_cx_active", 1)]);
            assert!(matches!(f.cluster.choose(&AnyRequest), Choice::NoHost));
            f.check(&[("upstream_cx_none_healthy", 1), ("lb_healthy_panic", 1)]);
            stream.send_headers(&request("GET", "/x"), End::Stream);
            assert_eq!(answer(&mut stream).await, "200 /x");
            drop(stream);
            f.check(&[("upstream_cx_active", 0)]);
            ClusterManager::of(&f.worker).remove("c");
            assert!(ClusterManager::of(&f.worker).get("c").is_none());
        },
    );
}

#[test]
fn an_upgrade_holds_data_back_until_it_is_accepted() {
    with_server(
        serve,
        |_| {},
        |f| async move {
            let mut stream = f.stream().await.unwrap();
            let mut headers = request("GET", "/switch");
            headers.append("connection", b"upgrade");
            headers.append("upgrade", b"x");
            stream.send_headers(&headers, End::No);
            stream.send_data(&mut "ping".into(), End::No);
            assert_eq!(answer(&mut stream).await, "101 ping ");
            drop(stream);
            f.check(&[("upstream_cx_active", 0), ("upstream_cx_destroy_remote", 1)]);
        },
    );
}

#[test]
fn tcp_connections_are_counted() {
    let echo = |mut stream: TcpStream| async move {
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes).await.ok()?;
        stream.write_all(&bytes).await.ok()
    };
    with_server(
        echo,
        |_| {},
        |f| async move {
            let mut tcp = f.tcp().await.unwrap();
            f.check(&[("upstream_rq_active", 1), ("upstream_cx_active", 1)]);
            let mut out = Buffer::from("ping");
            poll_fn(|task| tcp.transport.poll_write(task, &mut out))
                .await
                .unwrap();
            let mut block = bytes::BytesMut::with_capacity(64);
            poll_fn(|task| tcp.transport.poll_read(task, &mut block))
                .await
                .unwrap();
            assert_eq!(&block[..], b"ping");
            tcp.guard.received(4);
            tcp.guard.closed_by_peer();
            drop(tcp);
            f.check(&[
                ("upstream_rq_active", 0),
                ("upstream_rq_total", 1),
                ("upstream_cx_active", 0),
                ("upstream_cx_rx_bytes_total", 4),
                ("upstream_cx_destroy_remote_with_active_rq", 1),
            ]);
            let other = f.tcp().await.unwrap();
            assert_ne!(other.info.connection_id, 0);
        },
    );
}

#[test]
fn a_source_that_is_not_ours_is_our_failure() {
    let foreign = |spec: &mut ClusterSpec| {
        Arc::make_mut(&mut spec.socket_options).source = Some("192.0.2.1:0".parse().unwrap());
    };
    with_server(serve, foreign, |f| async move {
        let failure = f.stream().await.err().unwrap();
        assert_eq!(failure.reason, ResetReason::LocalConnectionFailure);
        f.check(&[("bind_errors", 1), ("upstream_cx_destroy_local", 1)]);
    });
}

#[test]
fn responses_are_counted_by_code_and_origin() {
    with_server(
        serve,
        |_| {},
        |f| async move {
            f.check(&[("upstream_rq_completed", 0)]);
            f.cluster.count_response(200, false, false);
            f.cluster.count_response(503, true, true);
            f.cluster.count_retried(500);
            f.check(&[
                ("upstream_rq_completed", 2),
                ("upstream_rq_200", 1),
                ("upstream_rq_5xx", 1),
                ("external.upstream_rq_200", 1),
                ("external.upstream_rq_completed", 1),
                ("internal.upstream_rq_503", 1),
                ("canary.upstream_rq_503", 1),
                ("retry.upstream_rq_500", 1),
                ("retry.upstream_rq_completed", 1),
            ]);
            let mut names = Vec::new();
            f.store.each(&mut |stat| names.push(stat.name.to_owned()));
            let completed = names
                .iter()
                .filter(|name| *name == "cluster.c.upstream_rq_completed");
            assert_eq!(completed.count(), 1);
        },
    );
}
