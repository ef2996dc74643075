//! TCP connections to a host that becomes unhealthy end with its health, where that is asked for.

use crate::harness::{Config, Upstream, network_filter};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn connections_end_with_their_hosts_health() {
    let fails = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&fails);
    // Checks get their answer while all is well; everything else is echoed.
    let host = Upstream::tcp(move |mut socket: TcpStream| {
        let mut bytes = [0; 64];
        while let Ok(count @ 1..) = socket.read(&mut bytes) {
            if &bytes[..count] == b"check" && failing.load(Ordering::Relaxed) {
                return;
            }
            if socket.write_all(&bytes[..count]).is_err() {
                return;
            }
        }
    });
    let checks = json!([{
        "timeout": "0.3s", "interval": "0.1s", "no_traffic_interval": "0.1s",
        "unhealthy_threshold": 1, "healthy_threshold": 1,
        "tcp_health_check": {
            "send": {"text": "636865636b"}, "receive": [{"text": "636865636b"}],
        },
    }]);
    let tcp = |cluster: &str| {
        let fields = json!({"stat_prefix": "tcp", "cluster": cluster});
        network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields)
    };
    for closes in [true, false] {
        fails.store(false, Ordering::Relaxed);
        let fields = json!({
            "health_checks": checks, "close_connections_on_host_health_failure": closes,
        });
        let proxy = Config::tcp(tcp("hosts"))
            .cluster_with("hosts", &[host.address()], fields)
            .start();
        proxy.wait_stat("cluster.hosts.membership_healthy", 1);
        let mut client = proxy.connect();
        client.send(b"hello");
        assert_eq!(client.read(5), b"hello");
        fails.store(true, Ordering::Relaxed);
        proxy.wait_stat("cluster.hosts.membership_healthy", 0);
        if closes {
            assert!(client.read_to_end().is_empty());
            proxy.wait_stat("cluster.hosts.upstream_cx_destroy_local", 1);
        } else {
            std::thread::sleep(Duration::from_millis(200));
            client.send(b"again");
            assert_eq!(client.read(5), b"again");
        }
    }
}
