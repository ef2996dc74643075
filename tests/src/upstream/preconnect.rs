//! Connections that are made before anybody asks for them.

use crate::harness::{Config, Connection, Proxy, Reply, Upstream, network_filter, route};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longer than a test takes.
const HELD: Duration = Duration::from_secs(60);

fn silent() -> Upstream {
    Upstream::http(|_| Reply::ok("late").after(HELD))
}

/// Begins a request that is not answered meanwhile.
fn hold(proxy: &Proxy) -> Connection {
    let mut connection = proxy.connect();
    connection.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    connection
}

fn stats<const N: usize>(proxy: &Proxy, names: [&str; N]) -> [u64; N] {
    names.map(|name| proxy.stat(&format!("cluster.up.upstream_{name}")))
}

/// Waits until so many connections were made, while `streams` are held.
fn wait(proxy: &Proxy, streams: usize, connections: u64) {
    proxy.wait_stat("cluster.up.upstream_rq_active", streams as u64);
    proxy.wait_stat("cluster.up.upstream_cx_total", connections);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(stats(proxy, ["cx_total"]), [connections], "{streams}");
}

#[test]
fn a_host_has_connections_for_streams_to_come() {
    for (ratio, made) in [(1.05, &[2, 3, 4][..]), (1.5, &[2, 3, 5, 6]), (3.0, &[3, 6])] {
        let upstream = silent();
        let policy = json!({"per_upstream_preconnect_ratio": ratio});
        let proxy = Config::http(&[route("/", "up")])
            .cluster_with(
                "up",
                &[upstream.address()],
                json!({"preconnect_policy": policy}),
            )
            .start();
        let mut held = Vec::new();
        for made in made {
            held.push(hold(&proxy));
            wait(&proxy, held.len(), *made);
        }
        // All but the first stream found a connection ready.
        assert_eq!(stats(&proxy, ["rq_pending_total"]), [1], "{ratio}");
    }
}

#[test]
fn limits_and_failures_hold_connections_back() {
    let upstream = silent();
    let (here, dead) = (upstream.address(), Upstream::dead());
    let metadata = json!({"filter": "f", "path": [{"key": "k"}], "value": {"present_match": true}});
    let limit = json!({"thresholds": [{"max_connections": 2}]});
    for (address, fields, expected) in [
        (here, json!({}), [3, 0, 0, 0]),
        (here, json!({"circuit_breakers": limit}), [2, 1, 0, 0]),
        (
            here,
            json!({"preconnect_policy": {"preconnect_enabled_metadata": metadata}}),
            [1, 0, 1, 0],
        ),
        (dead, json!({}), [3, 0, 0, 3]),
    ] {
        let mut all = fields.clone();
        all["preconnect_policy"]["per_upstream_preconnect_ratio"] = 3.into();
        let proxy = Config::http(&[route("/", "up")])
            .cluster_with("up", &[address], all)
            .start();
        let _held = hold(&proxy);
        proxy.wait_stat("cluster.up.upstream_cx_connect_fail", expected[3]);
        proxy.wait_stat("cluster.up.upstream_rq_active", u64::from(address == here));
        let names = [
            "cx_total",
            "cx_overflow",
            "cx_preconnect_skipped",
            "cx_connect_fail",
        ];
        assert_eq!(stats(&proxy, names), expected, "{fields}");
    }
}

#[test]
fn the_hosts_of_streams_to_come_are_connected() {
    for (lb, ratio, made) in [
        ("ROUND_ROBIN", 1.5, &[3, 3, 5, 6, 8][..]),
        ("ROUND_ROBIN", 3.0, &[4, 6, 8, 9, 10]),
        // Which host it will be can't be said.
        ("LEAST_REQUEST", 3.0, &[1, 2]),
        ("RING_HASH", 3.0, &[1]),
    ] {
        let hosts = [(); 5].map(|()| silent());
        let policy = json!({"predictive_preconnect_ratio": ratio});
        let fields = json!({"preconnect_policy": policy, "lb_policy": lb});
        let proxy = Config::http(&[route("/", "up")])
            .cluster_with("up", &hosts.each_ref().map(Upstream::address), fields)
            .start();
        let mut held = Vec::new();
        for made in made {
            held.push(hold(&proxy));
            wait(&proxy, held.len(), *made);
        }
        let made: Vec<_> = hosts.iter().map(Upstream::connections).collect();
        if lb == "ROUND_ROBIN" {
            assert!(made.iter().all(|made| *made > 0), "{ratio}: {made:?}");
        }
    }
}

fn tcp(upstream: &Upstream, fields: Value) -> Proxy {
    let proxy = json!({"stat_prefix": "tcp", "cluster": "up"});
    Config::tcp(network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", proxy))
        .cluster_with("up", &[upstream.address()], fields)
        .start()
}

#[test]
fn tcp_connections_wait_with_what_their_hosts_say_first() {
    let upstream = Upstream::tcp(|mut stream| {
        let _ = stream.write_all(b"hello");
        let mut name = [0; 1];
        while stream.read_exact(&mut name).is_ok() {
            let _ = stream.write_all(&name);
        }
    });
    let policy = json!({"per_upstream_preconnect_ratio": 1.5});
    let proxy = tcp(&upstream, json!({"preconnect_policy": policy}));
    let mut held = Vec::new();
    for (streams, made) in [(1, 2), (2, 3), (3, 5), (4, 6)] {
        let mut connection = proxy.connect();
        wait(&proxy, streams, made);
        assert_eq!(connection.read(5), b"hello");
        connection.send("x");
        assert_eq!(connection.read(1), b"x");
        held.push(connection);
    }
    assert_eq!(stats(&proxy, ["rq_pending_total", "cx_active"]), [1, 6]);
    drop(held);
    proxy.wait_stat("cluster.up.upstream_cx_active", 2);
}

/// Says hello; leaves when told to, unless it was spoken to.
fn leaves(told: &Arc<AtomicBool>) -> Upstream {
    let told = Arc::clone(told);
    Upstream::tcp(move |mut stream| {
        let _ = stream.write_all(b"hello");
        let _ = stream.set_read_timeout(Some(Duration::from_millis(10)));
        while !told.load(Ordering::Relaxed) {
            match stream.read(&mut [0; 1]) {
                Ok(0) => return,
                Ok(_) => return std::thread::sleep(HELD),
                Err(_) => {}
            }
        }
    })
}

#[test]
fn tcp_connections_that_wait_go_with_their_time_or_their_hosts() {
    let name = "envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions";
    for (idle_timeout, leave, expected) in [("0.2s", false, [2, 0]), ("60s", true, [0, 2])] {
        let options = json!({
            "@type": format!("type.googleapis.com/{name}"),
            "idle_timeout": idle_timeout,
        });
        let told = Arc::default();
        let upstream = leaves(&told);
        let fields = json!({
            "preconnect_policy": {"per_upstream_preconnect_ratio": 3},
            "typed_extension_protocol_options": {name: options},
        });
        let proxy = tcp(&upstream, fields);
        let mut held = proxy.connect();
        held.send("x");
        assert_eq!(held.read(5), b"hello");
        proxy.wait_stat("cluster.up.upstream_cx_total", 3);
        std::thread::sleep(Duration::from_millis(30));
        told.store(leave, Ordering::Relaxed);
        proxy.wait_stat("cluster.up.upstream_cx_destroy", 2);
        let gone = stats(&proxy, ["cx_idle_timeout", "cx_destroy_remote"]);
        assert_eq!(gone, expected, "{idle_timeout}");
        assert_eq!(stats(&proxy, ["cx_active", "rq_active"]), [1, 1]);
    }
}
