//! Connections go to where their clients wanted to go.

use super::echo;
use crate::harness::{Config, Upstream, direct, listener_filter, network_filter, route};
use serde_json::json;

/// An original destination cluster `dst`.
fn with_cluster(config: Config, lb: serde_json::Value) -> Config {
    config.cluster_with(
        "dst",
        &[],
        json!({
            "type": "ORIGINAL_DST",
            "lb_policy": "CLUSTER_PROVIDED",
            "load_assignment": null,
            "original_dst_lb_config": lb,
        }),
    )
}

#[test]
fn by_what_a_listener_filter_found_out() {
    let upstream = Upstream::tcp(echo);
    let fields = json!({"stat_prefix": "tcp", "cluster": "dst"});
    let config = Config::tcp(network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields))
        .main_listener(json!({"listener_filters": [
            listener_filter("original_dst", "original_dst.v3.OriginalDst", json!({})),
            listener_filter(
                "proxy_protocol",
                "proxy_protocol.v3.ProxyProtocol",
                json!({"allow_requests_without_proxy_protocol": true}),
            ),
        ]}));
    let proxy = with_cluster(config, json!({})).start();
    let mut connection = proxy.connect();
    let port = upstream.address().port();
    connection.send(format!(
        "PROXY TCP4 10.0.0.1 127.0.0.1 5000 {port}\r\nhello"
    ));
    assert_eq!(connection.read(5), b"hello");
    // Nobody has sent this one elsewhere.
    let mut connection = proxy.connect();
    connection.send("hello, this is no header");
    assert_eq!(connection.read_to_end(), b"");
    assert_eq!(proxy.stat("cluster.dst.upstream_cx_none_healthy"), 1);
}

#[test]
fn by_a_header() {
    let upstream = Upstream::ok("there");
    let config = Config::http(&[direct("/direct", 200, ""), route("/", "dst")]);
    let proxy = with_cluster(config, json!({"use_http_header": true})).start();
    let named = format!("x-envoy-original-dst-host: {}\r\n", upstream.address());
    let mut connection = proxy.connect();
    for (header, status) in [
        (named.as_str(), 200),
        ("x-envoy-original-dst-host: nowhere\r\n", 503),
        ("", 503),
        (&named, 200),
    ] {
        let response = connection.request("GET", "/", header, "");
        assert_eq!(response.status, status, "{header}");
    }
    assert_eq!(proxy.stat("cluster.dst.original_dst_host_invalid"), 1);
    assert_eq!(proxy.stat("cluster.dst.upstream_cx_total"), 1);
}

#[test]
fn hosts_are_the_clusters_while_they_are_connected() {
    let (one, two) = (Upstream::ok("one"), Upstream::ok("two"));
    let config = Config::http(&[route("/", "dst")]);
    let proxy = config
        .cluster_with(
            "dst",
            &[],
            json!({
                "type": "ORIGINAL_DST",
                "lb_policy": "CLUSTER_PROVIDED",
                "load_assignment": null,
                "cleanup_interval": "0.5s",
                "max_requests_per_connection": 1,
                "original_dst_lb_config": {"use_http_header": true},
            }),
        )
        .start_with(&["--concurrency", "2"]);
    let get = |upstream: &Upstream| {
        let named = format!("x-envoy-original-dst-host: {}\r\n", upstream.address());
        let response = proxy.connect().request("GET", "/", &named, "");
        assert_eq!(response.status, 200);
    };
    // Whichever worker finds a host, it is one.
    (0..6).for_each(|_| get(&one));
    proxy.wait_stat("cluster.dst.membership_total", 1);
    get(&two);
    proxy.wait_stat("cluster.dst.membership_total", 2);
    let shown = proxy.admin("/clusters").text();
    for upstream in [&one, &two] {
        let address = upstream.address();
        let name = format!("dst::{address}::hostname::dst{address}\n");
        assert!(shown.contains(&name), "{shown}");
    }
    // Their connections are closed: nobody needs them any more.
    proxy.wait_stat("cluster.dst.membership_total", 0);
    assert!(proxy.stat("cluster.dst.membership_change") >= 3);
}
