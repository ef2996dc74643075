//! Connections before anything is known of them, and bytes without a protocol.

use super::check_alive;
use super::outside_the_path::client_hello;
use crate::harness::{
    Config, Connection, Upstream, direct, http_filter, network_filter, route, wait_for,
};
use serde_json::json;
use std::io::Write;
use std::time::Duration;

fn answering(body: &str) -> serde_json::Value {
    let response = json!({"response": {"inline_string": body}});
    network_filter("direct_response", "direct_response.v3.Config", response)
}

/// Who says too little in time is served without; nothing is looked at again and again meanwhile.
#[test]
fn cve_2019_18836_listener_filters_that_wait() {
    let proxy = Config::tcp(network_filter("echo", "echo.v3.Echo", json!({})))
        .listener_filter("tls_inspector", "tls_inspector.v3.TlsInspector", json!({}))
        .main_listener(json!({
            "listener_filters_timeout": "0.3s",
            "continue_on_listener_filters_timeout": true,
        }))
        .start();
    let busy = proxy.cpu_time();
    let waiting: Vec<Connection> = (0..20)
        .map(|_| {
            let mut connection = proxy.connect();
            connection.send([22, 3, 1, 0]);
            connection
        })
        .collect();
    for mut connection in waiting {
        assert_eq!(connection.read(4), [22, 3, 1, 0]);
    }
    let busy = proxy.cpu_time() - busy;
    assert!(busy < Duration::from_millis(150), "{busy:?}");
    assert_eq!(
        proxy.stat("listener.127.0.0.1_0.downstream_pre_cx_timeout"),
        20
    );
}

/// However a client's first words are cut and spelt, they choose the chain.
#[test]
fn cve_2020_8660_client_hellos_of_other_shapes() {
    let proxy = Config::tcp(answering("x"))
        .listener_filter("tls_inspector", "tls_inspector.v3.TlsInspector", json!({}))
        .filter_chain(json!({"filter_chain_match": {"server_names": ["a.test"]}}))
        .start();
    let hello = client_hello(b"a.test");
    // In records of a byte each.
    let cut = hello[5..].iter().flat_map(|byte| [22, 3, 1, 0, 1, *byte]);
    let mut other_version = hello.clone();
    other_version[2] = 3;
    for (name, hello) in [
        ("whole", hello.clone()),
        ("cut", cut.collect()),
        (
            "with other data behind",
            [hello.clone(), vec![23, 3, 3, 0, 1, 0]].concat(),
        ),
        ("another version", other_version),
        ("another case", client_hello(b"A.Test")),
    ] {
        let mut connection = proxy.connect();
        connection.send(&hello);
        assert_eq!(connection.read_to_end(), b"x", "{name}");
    }
    let mut slow = proxy.connect();
    for byte in &hello {
        slow.send([*byte]);
    }
    assert_eq!(slow.read_to_end(), b"x");
    for name in [&b"b.test"[..], b"", b"a.test.b"] {
        let mut connection = proxy.connect();
        connection.send(client_hello(name));
        assert_eq!(connection.read_to_end(), b"", "{name:?}");
    }
}

/// What a header of the PROXY protocol says is no address of the peer itself.
#[test]
fn cve_2020_35470_addresses_of_peers() {
    let at = |address: &str| json!({"address_prefix": address, "prefix_len": 32});
    let any = json!([{"any": true}]);
    for (principal, status) in [
        (json!({"direct_remote_ip": at("127.0.0.1")}), 403),
        (json!({"direct_remote_ip": at("1.2.3.4")}), 200),
        (json!({"remote_ip": at("1.2.3.4")}), 403),
        (json!({"remote_ip": at("127.0.0.1")}), 200),
    ] {
        let policies = json!({"p": {"permissions": any, "principals": [principal]}});
        let rules = json!({"rules": {"action": "DENY", "policies": policies}});
        let proxy = Config::http(&[direct("/", 200, "in")])
            .listener_filter(
                "proxy_protocol",
                "proxy_protocol.v3.ProxyProtocol",
                json!({}),
            )
            .http_filters(&[http_filter("rbac", "rbac.v3.RBAC", rules)])
            .start();
        let mut connection = proxy.connect();
        connection.send("PROXY TCP4 1.2.3.4 5.6.7.8 1000 2000\r\n");
        assert_eq!(connection.get("/").status, status, "{principal}");
    }
}

/// Much is on its way when one of the two ends.
#[test]
fn cve_2025_62409_ends_amid_much() {
    const MUCH: usize = 4 << 20;
    let upstream = Upstream::tcp(|mut stream| {
        let _ = stream.write_all(&vec![b'x'; MUCH]);
    });
    let fields = json!({"stat_prefix": "tcp", "cluster": "up"});
    let proxy = Config::tcp(network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields))
        .cluster("up", &[upstream.address()])
        .start();
    for read in [0, 1000, MUCH / 2] {
        let mut connection = Connection::narrow(proxy.listener("main"));
        let _ = connection.try_send(vec![b'y'; 1 << 20]);
        let _ = connection.try_read(read);
    }
    let mut slow = proxy.connect();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(slow.read_to_end().len(), MUCH);
    drop(slow);
    for gauge in [
        "cluster.up.upstream_cx_active",
        "tcp.tcp.downstream_cx_tx_bytes_buffered",
    ] {
        wait_for(gauge, || (proxy.stat(gauge) == 0).then_some(()));
    }
}

/// Addresses beside others that are none of IP.
#[test]
fn cve_2024_53269_more_addresses_of_a_host() {
    let dead = Upstream::dead();
    let ip = json!({"socket_address": {
        "address": dead.ip().to_string(), "port_value": dead.port(),
    }});
    let pipe = json!({"pipe": {"path": "/none"}});
    let more = json!([{"address": pipe}, {"address": ip}, {"address": pipe}]);
    let endpoint = json!({"address": ip, "additional_addresses": more});
    let assignment = json!({
        "cluster_name": "up", "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
    });
    let proxy = Config::http(&[route("/up", "up"), direct("/", 200, "alive")])
        .cluster_with("up", &[], json!({"load_assignment": assignment}))
        .start();
    for _ in 0..3 {
        assert_eq!(proxy.get("/up").status, 503);
    }
    check_alive(&proxy);
}

/// Addresses that name an interface, where clients are to have others.
#[test]
fn cve_2026_26310_addresses_with_scopes() {
    let proxy = Config::http(&[direct("/", 200, "alive")])
        .access_log("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%")
        .manager(json!({"use_remote_address": false, "xff_num_trusted_hops": 0}))
        .start();
    let mut connection = proxy.connect();
    for (at, address) in [
        "fe80::1%eth0",
        "[fe80::1%eth0]:80",
        "fe80::1%",
        "::1%1",
        "1.2.3.4%lo",
    ]
    .into_iter()
    .enumerate()
    {
        let lines = format!("x-forwarded-for: {address}\r\n");
        assert_eq!(
            connection.request("GET", "/", &lines, "").status,
            200,
            "{address}"
        );
        let logged = proxy.access_log(at + 1).remove(at);
        assert!(!logged.is_empty(), "{address}");
    }
    check_alive(&proxy);
}
