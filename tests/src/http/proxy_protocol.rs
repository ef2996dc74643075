//! The PROXY protocol in front of requests.

use crate::harness::{Config, Proxy, direct, network_filter};
use serde_json::{Value, json};

fn proxy(fields: Value) -> Proxy {
    Config::http(&[direct("/", 200, "x")])
        .access_log("%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%")
        .listener_filter("proxy_protocol", "proxy_protocol.v3.ProxyProtocol", fields)
        .start()
}

fn v2(command: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([command, 0x11, 0, payload.len() as u8]);
    header.extend(payload);
    header
}

#[test]
fn its_addresses_are_the_connections() {
    let proxy = proxy(json!({}));
    let tlv = [1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 0, 10, 0xea, 0, 1, 7];
    for header in [
        b"PROXY TCP6 1::2 3::4 5 6\r\n".to_vec(),
        v2(0x21, &tlv),
        v2(0x20, b""),
    ] {
        let mut connection = proxy.connect();
        connection.send(header);
        assert_eq!(connection.get("/").status, 200);
    }
    let log = proxy.access_log(3);
    assert_eq!(log[0], "[1::2]:5 [3::4]:6 127.0.0.1");
    assert_eq!(log[1], "1.2.3.4:9 5.6.7.8:10 127.0.0.1");
    assert!(log[2].starts_with("127.0.0.1:"), "{log:?}");
    assert_eq!(proxy.stat("proxy_proto.versions.v1.found"), 1);
    assert_eq!(proxy.stat("proxy_proto.versions.v2.found"), 2);
}

#[test]
fn what_is_wrong_ends_the_connection() {
    let proxy = proxy(json!({"stat_prefix": "edge", "disallowed_versions": ["V1"]}));
    for (bytes, stat) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "not_found_disallowed"),
        (
            b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n".to_vec(),
            "versions.v1.disallowed",
        ),
        (v2(0x21, &[1, 2, 3]), "versions.v2.error"),
    ] {
        let mut connection = proxy.connect();
        connection.send(bytes);
        assert_eq!(connection.read_to_end(), b"");
        proxy.wait_stat(&format!("proxy_proto.edge.{stat}"), 1);
    }
    assert_eq!(proxy.stat("downstream_cx_proxy_proto_error"), 2);
    assert_eq!(proxy.stat("proxy_proto.edge.versions.v1.found"), 1);
}

#[test]
fn none_is_needed_where_it_is_optional() {
    let proxy = proxy(json!({"allow_requests_without_proxy_protocol": true}));
    assert_eq!(proxy.get("/").status, 200);
    let mut connection = proxy.connect();
    connection.send(b"PROXY UNKNOWN\r\n");
    assert_eq!(connection.get("/").status, 200);
    assert_eq!(proxy.stat("proxy_proto.not_found_allowed"), 1);
}

#[test]
fn values_of_the_header_are_kept_for_the_connection() {
    let keep = |kind: u8, encoding: &str| {
        let pair = json!({"key": format!("k{kind}"), "value_string_encoding": encoding});
        json!({"tlv_type": kind, "on_tlv_present": pair})
    };
    let rules = [keep(0xe2, "SANITIZED_UTF8"), keep(0xe3, "BASE64")];
    let addresses = [1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 0, 10];
    let tlvs = b"\xe2\0\x03a\xffc\xe3\0\x01\xff";
    let state = "%FILTER_STATE(envoy.network.proxy_protocol.tlv:FIELD:k226)%";
    for (location, format, expected) in [
        (
            "DYNAMIC_METADATA",
            "%DYNAMIC_METADATA(envoy.filters.listener.proxy_protocol:k226)% \
             %DYNAMIC_METADATA(envoy.filters.listener.proxy_protocol:k227)%",
            "a!c /w==",
        ),
        ("FILTER_STATE", state, "a!c"),
    ] {
        let echo = network_filter("echo", "echo.v3.Echo", json!({}));
        let fields = json!({"rules": rules, "tlv_location": location});
        let proxy = Config::tcp(echo)
            .listener_filter("proxy_protocol", "proxy_protocol.v3.ProxyProtocol", fields)
            .listener_log(format)
            .start();
        let mut connection = proxy.connect();
        connection.send([v2(0x21, &[&addresses[..], tlvs].concat()), b"x".to_vec()].concat());
        assert_eq!(connection.read(1), b"x");
        drop(connection);
        assert_eq!(proxy.access_log(1), [expected], "{location}");
    }
}
