//! No more file descriptors: what is served stays served, and all is well when they are back.

use crate::harness::{Config, Connection, Proxy, Upstream, direct, is_envoy, route, wait_for};
use std::time::Duration;

/// Connects `count` clients to a proxy that can't accept them all.
fn crowd(proxy: &Proxy, count: usize) -> Vec<Connection> {
    let listener = proxy.listener("main");
    (0..count).map(|_| Connection::open(listener)).collect()
}

/// CVE-2020-8663.
#[test]
fn clients_wait_or_are_refused_until_files_are_back() {
    let proxy = Config::http(&[direct("/", 200, "x")]).start();
    let mut first = proxy.connect();
    assert_eq!(first.get("/").status, 200);
    proxy.limit_files(proxy.open_files() + 10);
    let mut crowd = crowd(&proxy, 50);
    for connection in &mut crowd {
        // A peer that refused has closed.
        let _ = connection.try_send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
    }
    // Who was there before is served, and those who found a place.
    for _ in 0..10 {
        assert_eq!(first.get("/").status, 200);
    }
    let patience = Duration::from_millis(500);
    let busy = proxy.cpu_time();
    let patient = |connection: Connection| connection.with_patience(patience);
    let mut crowd: Vec<Connection> = crowd.into_iter().map(patient).collect();
    let served = crowd
        .iter_mut()
        .take(8)
        .filter_map(|connection| connection.try_response("GET").ok())
        .count();
    assert_eq!(served, 8);
    // The rest gets nothing; Envoy tries again and again meanwhile, and says nothing.
    assert!(crowd[49].try_response("GET").is_err());
    if !is_envoy() {
        let busy = proxy.cpu_time() - busy;
        assert!(busy <= patience / 5, "{busy:?}");
        let said = "listener 'main' cannot accept connections, they wait: \
                    Too many open files (os error 24)";
        assert!(proxy.log().contains(said), "{}", proxy.log());
    }
    drop(crowd);
    wait_for("a connection after the crowd", || {
        let mut connection = Connection::open(proxy.listener("main")).with_patience(patience);
        (connection.try_get("/").ok()?.status == 200).then_some(())
    });
    if !is_envoy() {
        assert!(proxy.stat("listener.127.0.0.1_0.downstream_cx_accept_failure") > 0);
    }
}

#[test]
fn requests_fail_alone_when_no_upstream_connection_can_be_made() {
    // Envoy ends itself when it gets no socket for an upstream.
    if is_envoy() {
        return;
    }
    let upstream = Upstream::ok("hello");
    let proxy = Config::http(&[direct("/direct", 200, "directly"), route("/", "up")])
        .access_log("%RESPONSE_CODE% %RESPONSE_FLAGS%")
        .cluster("up", &[upstream.address()])
        .start();
    let mut connection = proxy.connect();
    assert_eq!(connection.get("/direct").status, 200);
    // New files get the lowest free number: none is below this.
    proxy.limit_files(3);
    assert_eq!(connection.get("/").status, 503);
    assert_eq!(proxy.access_log(2)[1], "503 UF");
    assert_eq!(connection.get("/direct").status, 200);
    proxy.limit_files(1000);
    assert_eq!(connection.get("/").brief(), (200, "hello".to_owned()));
    assert_eq!(proxy.stat("cluster.up.upstream_cx_connect_fail"), 1);
}
