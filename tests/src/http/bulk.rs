//! Long responses, whose bytes the kernel moves from socket to socket.

use crate::harness::{Config, Proxy, Reply, Upstream, route};
use std::thread;
use std::time::Duration;

const SIZE: usize = 5_000_000;

/// A response of which every byte can be told from its neighbours.
fn response() -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n").into_bytes();
    bytes.extend(body());
    bytes
}

fn body() -> Vec<u8> {
    (0..SIZE).map(|at| (at % 251) as u8).collect()
}

fn proxy(upstream: &Upstream) -> Proxy {
    let format = "%RESPONSE_CODE% %BYTES_SENT% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%";
    Config::http(&[route("/", "up")])
        .access_log(format)
        .cluster("up", &[upstream.address()])
        .start()
}

#[test]
fn they_arrive_whole_one_after_the_other() {
    let upstream = Upstream::http(|request| match request.path.as_str() {
        "/long" => Reply::raw(response()),
        _ => Reply::ok("short"),
    });
    let proxy = proxy(&upstream);
    let mut connection = proxy.connect();
    let expected = body();
    for _ in 0..3 {
        assert!(connection.get("/long").body == expected);
        assert_eq!(connection.get("/short").text(), "short");
    }
    let length = SIZE as u64;
    let log = proxy.access_log(6);
    assert_eq!(log[0], format!("200 {length} - via_upstream"));
    assert_eq!(upstream.connections(), 1);
    for stat in [
        "cluster.up.upstream_cx_rx_bytes_total",
        "http.http.downstream_cx_tx_bytes_total",
    ] {
        let bytes = proxy.stat(stat);
        assert!(
            (3 * length..3 * length + 3000).contains(&bytes),
            "{stat}: {bytes}"
        );
    }
}

#[test]
fn a_client_that_reads_late_misses_nothing() {
    let upstream = Upstream::http(|_| Reply::raw(response()));
    let proxy = proxy(&upstream);
    let mut connection = proxy.connect();
    connection.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\nGET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
    thread::sleep(Duration::from_millis(300));
    for _ in 0..2 {
        assert!(connection.response("GET").body == body());
    }
}

#[test]
fn an_upstream_that_ends_early_is_a_failed_response() {
    let upstream = Upstream::http(|_| {
        let mut cut = response();
        cut.truncate(SIZE - 1_000_000);
        Reply::raw(cut).then_close()
    });
    let proxy = proxy(&upstream);
    let mut connection = proxy.connect();
    connection.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
    let received = connection.read_to_end();
    assert!(received.len() > SIZE - 1_100_000 && received.len() < SIZE);
    let log = proxy.access_log(1);
    assert!(log[0].starts_with("200 "), "{log:?}");
    assert!(log[0].contains("UPE") || log[0].contains("UC"), "{log:?}");
}

#[test]
fn a_client_that_goes_takes_the_upstream_connection_with_it() {
    // However much the sockets hold, the response never ends.
    let upstream = Upstream::http(|_| Reply::raw(response()[..SIZE - 1].to_vec()));
    let proxy = proxy(&upstream);
    let mut connection = proxy.connect();
    connection.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
    connection.read(500_000);
    drop(connection);
    let log = proxy.access_log(1);
    assert!(
        log[0].contains(" DC downstream_remote_disconnect"),
        "{log:?}"
    );
    proxy.wait_stat("cluster.up.upstream_cx_active", 0);
    proxy.wait_stat("http.http.downstream_cx_active", 0);
}
