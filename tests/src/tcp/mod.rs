//! TCP through network filters.

mod hand_over;
mod hosts;
mod inspector;
mod internal_listener;
mod limits;
mod original_dst;
pub mod proxy_protocol;
mod services;
mod tunnels;

mod filter_chain_matcher;

use crate::harness::{Config, Proxy, Upstream, network_filter};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

fn tcp_proxy(upstream: &Upstream) -> Proxy {
    let fields = json!({"stat_prefix": "tcp", "cluster": "up"});
    Config::tcp(network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields))
        .cluster("up", &[upstream.address()])
        .start()
}

/// Sends back what comes, until the peer ends.
fn echo(mut stream: TcpStream) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        if stream.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

#[test]
fn bytes_pass_both_ways() {
    let upstream = Upstream::tcp(echo);
    let proxy = tcp_proxy(&upstream);
    let mut connection = proxy.connect();
    for text in ["hello", "\0\r\n", "again"] {
        connection.send(text);
        assert_eq!(connection.read(text.len()), text.as_bytes());
    }
    assert_eq!(proxy.stat("tcp.tcp.downstream_cx_total"), 1);
    assert_eq!(proxy.stat("cluster.up.upstream_cx_active"), 1);
    drop(connection);
    proxy.wait_stat("cluster.up.upstream_cx_active", 0);
    assert_eq!(proxy.stat("tcp.tcp.downstream_cx_rx_bytes_total"), 13);
    assert_eq!(proxy.stat("tcp.tcp.downstream_cx_tx_bytes_total"), 13);
}

#[test]
fn bulk_arrives_whole() {
    const SIZE: usize = 20_000_000;
    let upstream = Upstream::tcp(|mut stream| {
        let bytes: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
        let _ = stream.write_all(&bytes);
        let mut back = Vec::new();
        let _ = stream.read_to_end(&mut back);
    });
    let proxy = tcp_proxy(&upstream);
    let mut connection = proxy.connect();
    let bytes = connection.read(SIZE);
    assert!(
        bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| *byte == (at % 251) as u8)
    );
}

#[test]
fn each_direction_ends_by_itself() {
    // The upstream answers only when the client has ended.
    let upstream = Upstream::tcp(|mut stream| {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let _ = stream.write_all(format!("{} bytes", bytes.len()).as_bytes());
    });
    let proxy = tcp_proxy(&upstream);
    let mut connection = proxy.connect();
    connection.send("hello");
    connection.half_close();
    assert_eq!(connection.read_to_end(), b"5 bytes");

    // The client goes on when the upstream has ended.
    let upstream = Upstream::tcp(|mut stream| {
        let _ = stream.write_all(b"bye");
        let _ = stream.shutdown(Shutdown::Write);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
    });
    let proxy = tcp_proxy(&upstream);
    let mut connection = proxy.connect();
    assert_eq!(connection.read_to_end(), b"bye");
    connection.send("more");
    proxy.wait_stat("cluster.up.upstream_cx_tx_bytes_total", 4);
    connection.half_close();
    proxy.wait_stat("cluster.up.upstream_cx_active", 0);
}

#[test]
fn a_dead_upstream_ends_the_connection() {
    let fields = json!({"stat_prefix": "tcp", "cluster": "up", "max_connect_attempts": 3});
    let proxy = Config::tcp(network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields))
        .cluster("up", &[Upstream::dead()])
        .start();
    assert_eq!(proxy.connect().read_to_end(), b"");
    assert_eq!(proxy.stat("cluster.up.upstream_cx_connect_fail"), 3);
    assert_eq!(
        proxy.stat("cluster.up.upstream_cx_connect_attempts_exceeded"),
        1
    );
}

#[test]
fn echo_and_direct_response_answer_by_themselves() {
    let response = json!({"response": {"inline_string": "go away\n"}});
    let proxy = Config::tcp(network_filter("echo", "echo.v3.Echo", json!({})))
        .listener(
            "direct",
            network_filter("direct_response", "direct_response.v3.Config", response),
        )
        .start();
    let mut connection = proxy.connect();
    connection.send("hello");
    assert_eq!(connection.read(5), b"hello");
    connection.half_close();
    assert_eq!(connection.read_to_end(), b"");
    let mut direct = crate::harness::Connection::open(proxy.listener("direct"));
    assert_eq!(direct.read_to_end(), b"go away\n");
}
