//! TCP connections to a host that becomes unhealthy end with its health, where that is asked for.

use crate::harness::{Config, Upstream, network_filter};
use crate::tcp::proxy_protocol::sending;
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
            // What the PROXY protocol says is passed over.
            let line = bytes.iter().position(|byte| *byte == b'\n');
            let line = line.filter(|_| bytes.starts_with(b"PROXY "));
            let said = &bytes[line.map_or(0, |end| end + 1)..count];
            if said == b"check" && failing.load(Ordering::Relaxed) {
                return;
            }
            if socket.write_all(said).is_err() {
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
    // Connections may be of their clients' own.
    for (closes, own) in [(true, false), (true, true), (false, false)] {
        fails.store(false, Ordering::Relaxed);
        let mut fields = json!({
            "health_checks": checks, "close_connections_on_host_health_failure": closes,
        });
        if own {
            let telling = sending(&json!({"version": "V1"}));
            fields["transport_socket"] = telling["transport_socket"].clone();
        }
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
