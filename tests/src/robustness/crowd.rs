//! Many connections at once.

use crate::harness::{Config, Connection, Upstream, direct, raise_file_limit, route};

/// How many connections are made.
const CROWD: u64 = 10_000;

/// Files that this process, and the proxy, need for anything else.
const SPARE: u64 = 500;

#[test]
fn ten_thousand_connections_are_served() {
    let limit = raise_file_limit();
    if limit < CROWD + SPARE {
        eprintln!("left out: {CROWD} connections need more than {limit} open files");
        return;
    }
    let upstream = Upstream::ok("hello");
    let proxy = Config::http(&[direct("/direct", 200, "directly"), route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start();
    let listener = proxy.listener("main");
    let mut connections = Vec::new();
    for _ in 0..CROWD {
        let mut connection = Connection::open(listener);
        assert_eq!(connection.get("/").status, 200);
        connections.push(connection);
    }
    assert_eq!(proxy.stat("http.http.downstream_cx_active"), CROWD);
    // One client at a time needs one connection to the upstream.
    assert_eq!(upstream.connections(), 1);
    // All at once.
    for connection in &mut connections {
        connection.send("GET /direct HTTP/1.1\r\nhost: a.test\r\n\r\n");
    }
    for connection in &mut connections {
        assert_eq!(
            connection.response("GET").brief(),
            (200, "directly".to_owned())
        );
    }
    drop(connections);
    proxy.wait_stat("http.http.downstream_cx_active", 0);
    assert_eq!(proxy.stat("http.http.downstream_rq_2xx"), 2 * CROWD);
    assert_eq!(proxy.stat("http.http.downstream_cx_protocol_error"), 0);
}

#[test]
fn connections_that_come_and_go_leave_nothing_behind() {
    let upstream = Upstream::ok("hello");
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start();
    let listener = proxy.listener("main");
    assert_eq!(Connection::open(listener).get("/").status, 200);
    proxy.wait_stat("http.http.downstream_cx_active", 0);
    let files = proxy.open_files();
    for number in 0..600 {
        let mut connection = Connection::open(listener);
        match number % 3 {
            0 => assert_eq!(connection.get("/").status, 200),
            // Gone in the middle of a request, and before the answer.
            1 => connection.send("POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 9\r\n\r\nx"),
            _ => connection.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n"),
        }
    }
    proxy.wait_stat("http.http.downstream_cx_active", 0);
    proxy.wait_stat("cluster.up.upstream_rq_active", 0);
    // Connections to the upstream may stay for later requests.
    let kept = proxy.stat("cluster.up.upstream_cx_active");
    assert!(
        proxy.open_files() <= files + kept,
        "{} files after {files}",
        proxy.open_files()
    );
}
