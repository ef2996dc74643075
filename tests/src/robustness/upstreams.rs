//! Dead, slow and lying upstreams.

use crate::harness::{Config, Connection, Proxy, Reply, Upstream, route};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Sends `count` requests one after the other, and returns how many were not answered by 200.
fn failures(connection: &mut Connection, path: &str, count: usize) -> usize {
    (0..count)
        .filter(|_| connection.get(path).status != 200)
        .count()
}

#[test]
fn a_dead_host_costs_its_share_and_nothing_with_retries() {
    let upstream = Upstream::ok("fine");
    let hosts = [upstream.address(), Upstream::dead()];
    let policy = json!({"retry_on": "connect-failure", "num_retries": 3});
    let retried = json!({
        "match": {"prefix": "/retried"},
        "route": {"cluster": "half", "retry_policy": policy},
    });
    let proxy = Config::http(&[retried, route("/", "half")])
        .cluster("half", &hosts)
        .start();
    let mut connection = proxy.connect();
    assert_eq!(failures(&mut connection, "/", 100), 50);
    assert_eq!(failures(&mut connection, "/retried", 100), 0);
}

#[test]
fn an_upstream_that_dies_is_used_again_when_it_is_back() {
    // Each connection carries one request and dies with the next.
    let upstream = Upstream::tcp(|mut stream| {
        let mut head = [0; 4096];
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
        if matches!(stream.read(&mut head), Ok(1..)) && stream.write_all(answer).is_ok() {
            let _ = stream.read(&mut head);
        }
    });
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start();
    let mut connection = proxy.connect();
    let statuses: Vec<u16> = (0..20).map(|_| connection.get("/").status).collect();
    let expected: Vec<u16> = (0..20)
        .map(|at| if at % 2 == 0 { 200 } else { 503 })
        .collect();
    assert_eq!(statuses, expected);
    assert_eq!(
        proxy.stat("cluster.up.upstream_cx_destroy_remote_with_active_rq"),
        10
    );
}

#[test]
fn slow_upstreams_keep_nobody_else_waiting() {
    let slow = Upstream::http(|_| Reply::ok("late").after(Duration::from_secs(60)));
    let fast = Upstream::ok("fast");
    let hurried = json!({
        "match": {"prefix": "/slow"},
        "route": {"cluster": "slow", "timeout": "1s"},
    });
    let proxy = Config::http(&[hurried, route("/", "fast")])
        .cluster("slow", &[slow.address()])
        .cluster("fast", &[fast.address()])
        .start();
    let mut waiting: Vec<Connection> = (0..100).map(|_| proxy.connect()).collect();
    for connection in &mut waiting {
        connection.send("GET /slow HTTP/1.1\r\nhost: a.test\r\n\r\n");
    }
    let begun = Instant::now();
    let mut connection = proxy.connect();
    assert_eq!(failures(&mut connection, "/", 50), 0);
    assert!(
        begun.elapsed() < Duration::from_millis(900),
        "{:?}",
        begun.elapsed()
    );
    for connection in &mut waiting {
        let expected = (504, "upstream request timeout".to_owned());
        assert_eq!(connection.response("GET").brief(), expected);
    }
    proxy.wait_stat("cluster.slow.upstream_cx_active", 0);
    assert_eq!(proxy.stat("cluster.slow.upstream_rq_timeout"), 100);
}

#[test]
fn a_body_in_drips_arrives() {
    let upstream = Upstream::tcp(|mut stream| {
        let mut head = [0; 4096];
        let _ = stream.set_nodelay(true);
        let _ = stream.read(&mut head);
        for byte in b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        let _ = stream.read(&mut head);
    });
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start();
    assert_eq!(proxy.get("/").brief(), (200, "abc".to_owned()));
}

#[test]
fn a_host_that_does_not_answer_the_connect_is_given_up_in_time() {
    let deaf = Deaf::listen();
    let proxy = Config::http(&[route("/", "deaf")])
        .access_log("%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%")
        .cluster_with("deaf", &[deaf.address], json!({"connect_timeout": "0.2s"}))
        .start();
    let begun = Instant::now();
    assert_eq!(proxy.get("/").status, 503);
    let taken = begun.elapsed();
    assert!(taken > Duration::from_millis(190), "{taken:?}");
    assert!(taken < Duration::from_secs(2), "{taken:?}");
    let details = "upstream_reset_before_response_started{connection_timeout}";
    assert_eq!(proxy.access_log(1), [format!("503 UF {details}")]);
    assert_eq!(proxy.stat("cluster.deaf.upstream_cx_connect_timeout"), 1);
    assert_eq!(proxy.stat("cluster.deaf.upstream_cx_connect_fail"), 1);
}

/// A listener whose queue is full: the system drops what else wants to connect.
struct Deaf {
    address: SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Deaf {
    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(100));
        let waiting = std::iter::from_fn(|| connect().ok()).collect();
        Self {
            address,
            _listener: listener,
            _waiting: waiting,
        }
    }
}

/// What an upstream answers, and what becomes of it.
struct Lie {
    answer: &'static str,
    /// The status the client sees; 0 for none.
    status: u16,
    /// Response flags.
    flags: &'static str,
    /// Whether the client gets the whole message.
    whole: bool,
}

const fn lie(answer: &'static str, status: u16, flags: &'static str, whole: bool) -> Lie {
    Lie {
        answer,
        status,
        flags,
        whole,
    }
}

const LIES: &[Lie] = &[
    lie("", 503, "UC", true),
    lie("HTTP/1.1 2", 502, "UPE", true),
    lie("HTTP/1.1 abc OK\r\n\r\n", 502, "UPE", true),
    lie("HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n", 502, "UPE", true),
    lie(
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        502,
        "UPE",
        true,
    ),
    lie(
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        502,
        "UPE",
        true,
    ),
    lie("HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n", 502, "UPE", true),
    lie(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        502,
        "UPE",
        true,
    ),
    // Less than promised.
    lie(
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
        200,
        "UPE",
        false,
    ),
    lie(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhello",
        200,
        "UPE",
        false,
    ),
    lie(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        200,
        "UPE",
        false,
    ),
    // More than promised: nobody gets to see it.
    lie(
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhiMORE",
        200,
        "-",
        true,
    ),
    lie(
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad",
        200,
        "-",
        true,
    ),
    lie("HTTP/1.1 204 No Content\r\n\r\nbody", 204, "-", true),
];

/// The status and whether the message was whole; nothing of another message may follow.
fn outcome(proxy: &Proxy) -> (u16, bool) {
    let mut connection = proxy.connect();
    connection.send("GET /lie HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n");
    let bytes = connection.read_to_end();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.matches("HTTP/1.1 ").count() <= 1, "{text}");
    let status = text.get(9..12).map_or(0, |status| status.parse().unwrap());
    let whole = crate::harness::Response::read(&mut bytes.as_slice(), "GET").is_ok();
    (status, whole)
}

#[test]
fn lying_upstreams_are_found_out() {
    for lie in LIES {
        let answer = move |mut stream: TcpStream| {
            let mut head = [0; 4096];
            let count = stream.read(&mut head).unwrap_or(0);
            let answer = if head[..count].starts_with(b"GET /lie ") {
                lie.answer
            } else {
                "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine"
            };
            let _ = stream.write_all(answer.as_bytes());
        };
        let upstream = Upstream::tcp(answer);
        let proxy = Config::http(&[route("/", "up")])
            .cluster("up", &[upstream.address()])
            .access_log("%RESPONSE_CODE% %RESPONSE_FLAGS%")
            .start();
        assert_eq!(outcome(&proxy), (lie.status, lie.whole), "{:?}", lie.answer);
        let logged = format!("{} {}", lie.status, lie.flags);
        assert_eq!(proxy.access_log(1), [logged], "{:?}", lie.answer);
        let errors = u64::from(!lie.answer.is_empty());
        proxy.wait_stat("cluster.up.upstream_cx_protocol_error", errors);
        assert_eq!(
            proxy.get("/").brief(),
            (200, "fine".to_owned()),
            "after {:?}",
            lie.answer
        );
    }
}
