//! The PROXY protocol towards hosts.

use crate::harness::{Config, Proxy, Upstream, listener_filter, network_filter, route};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

const SOCKETS: &str = "type.googleapis.com/envoy.extensions.transport_sockets";

/// A transport socket that sends headers.
pub fn sending(config: &Value) -> Value {
    let raw = json!({
        "name": "envoy.transport_sockets.raw_buffer",
        "typed_config": {"@type": format!("{SOCKETS}.raw_buffer.v3.RawBuffer")},
    });
    json!({"transport_socket": {
        "name": "envoy.transport_sockets.upstream_proxy_protocol",
        "typed_config": {
            "@type": format!("{SOCKETS}.proxy_protocol.v3.ProxyProtocolUpstreamTransport"),
            "config": config,
            "transport_socket": raw,
        },
    }})
}

/// Sends back all that comes until the bytes `end`.
fn until_end(mut stream: TcpStream) {
    let mut bytes = Vec::new();
    let mut block = [0; 1024];
    while !bytes.ends_with(b"end") {
        match stream.read(&mut block) {
            Ok(count @ 1..) => bytes.extend_from_slice(&block[..count]),
            _ => return,
        }
    }
    let _ = stream.write_all(&bytes);
}

fn tcp_proxy(config: Value, receiving: Option<Value>) -> (Upstream, Proxy) {
    tcp_proxy_with(json!({}), config, receiving)
}

fn tcp_proxy_with(more: Value, config: Value, receiving: Option<Value>) -> (Upstream, Proxy) {
    let upstream = Upstream::tcp(until_end);
    let mut fields = json!({"stat_prefix": "tcp", "cluster": "up"});
    let more = more.as_object().unwrap().clone();
    fields.as_object_mut().unwrap().extend(more);
    let mut proxy = Config::tcp(network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields))
        .cluster_with("up", &[upstream.address()], sending(&config));
    if let Some(fields) = receiving {
        proxy = proxy.listener_filter("proxy_protocol", "proxy_protocol.v3.ProxyProtocol", fields);
    }
    let proxy = proxy.start();
    (upstream, proxy)
}

/// A header of version 2 of a connection from 1.2.3.4:1000 to 5.6.7.8:2000.
fn header(values: &[(u8, &[u8])]) -> Vec<u8> {
    let mut body = vec![1, 2, 3, 4, 5, 6, 7, 8, 3, 0xe8, 7, 0xd0];
    for (kind, value) in values {
        body.push(*kind);
        body.extend((value.len() as u16).to_be_bytes());
        body.extend(*value);
    }
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11".to_vec();
    header.extend((body.len() as u16).to_be_bytes());
    header.extend(body);
    header
}

fn exchange(proxy: &Proxy, sent: &[u8]) -> Vec<u8> {
    let mut connection = proxy.connect();
    connection.send(sent);
    connection.read_to_end()
}

#[test]
fn hosts_are_told_whose_connection_it_is() {
    let (_upstream, proxy) = tcp_proxy(json!({"version": "V1"}), None);
    let mut stream = TcpStream::connect(proxy.listener("main")).unwrap();
    let (own, listener) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
    stream.write_all(b"end").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (from, to) = (own.port(), listener.port());
    let local = Ipv4Addr::LOCALHOST;
    let expected = format!("PROXY TCP4 {local} {local} {from} {to}\r\nend");
    assert_eq!(text, expected);
    let counted = "cluster.up.upstream_cx_tx_bytes_total";
    assert_eq!(proxy.stat(counted), expected.len() as u64);
}

#[test]
fn values_are_passed_on_and_added() {
    let all = json!({"match_type": "INCLUDE_ALL"});
    let some = json!({"match_type": "INCLUDE", "tlv_type": [5, 0xe0]});
    let added = json!([
        {"type": 5, "value": "Zml2ZQ=="},
        {"type": 0xe1, "format_string": {"text_format_source": {"inline_string": "%START_TIME(x)%"}}},
    ]);
    let big = vec![b'z'; 60_000];
    let came: [(u8, &[u8]); 3] = [(5, b"abc"), (0xe0, b""), (0xe9, b"x")];
    let huge: [(u8, &[u8]); 2] = [(0xe0, &big), (0xe3, b"small")];
    let large = json!([{"type": 0xe9, "value": "QUFBQUFB".repeat(1000)}]);
    let six_thousand = vec![b'A'; 6000];
    for (receiving, sending, came, expected) in [
        (None, None, &came[..], header(&[])),
        (Some(&all), None, &came, header(&[])),
        (None, Some(&all), &came, header(&[])),
        (Some(&all), Some(&all), &came, header(&came)),
        (Some(&some), Some(&all), &came, header(&came[..2])),
        (Some(&all), Some(&some), &came, header(&came[..2])),
        // What has no room is left out (CVE-2026-47692).
        (
            Some(&all),
            Some(&json!({"added_tlvs": large})),
            &huge,
            header(&[(0xe9, &six_thousand), (0xe3, b"small")]),
        ),
        (
            Some(&all),
            Some(&json!({"added_tlvs": added})),
            &came,
            header(&[(5, b"five"), (0xe1, b"x"), (0xe0, b""), (0xe9, b"x")]),
        ),
    ] {
        let mut config = json!({"version": "V2"});
        match sending {
            Some(fields) if fields.get("added_tlvs").is_some() => {
                config["added_tlvs"] = fields["added_tlvs"].clone();
                config["pass_through_tlvs"] = all.clone();
            }
            Some(fields) => config["pass_through_tlvs"] = fields.clone(),
            None => {}
        }
        let listener = json!({"pass_through_tlvs": receiving});
        let (_upstream, proxy) = tcp_proxy(config, Some(listener));
        let sent = [header(came), b"end".to_vec()].concat();
        let got = exchange(&proxy, &sent);
        let expected = [expected, b"end".to_vec()].concat();
        assert!(
            got == expected,
            "{receiving:?} {sending:?}: {} bytes",
            got.len()
        );
    }
}

#[test]
fn the_proxys_own_values_are_merged() {
    let format = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_CLUSTER%";
    let own = json!([
        {"type": 0xe0, "value": "b25l"},
        {"type": 0xe1, "format_string": {"text_format_source": {"inline_string": format}}},
    ]);
    let all = json!({"match_type": "INCLUDE_ALL"});
    let came: [(u8, &[u8]); 3] = [(0xe0, b"a"), (5, b"b"), (0xe0, b"c")];
    let [one, two]: [(u8, &[u8]); 2] = [(0xe0, b"one"), (0xe1, b"1.2.3.4 up")];
    let (overwrite, append) = (
        "OVERWRITE_BY_TYPE_IF_EXISTS_OR_ADD",
        "APPEND_IF_EXISTS_OR_ADD",
    );
    for (policy, passed, expected) in [
        ("ADD_IF_ABSENT", true, came.to_vec()),
        // A header without values that are passed on is one too.
        ("ADD_IF_ABSENT", false, vec![]),
        (overwrite, true, vec![one, two, came[1]]),
        (overwrite, false, vec![one, two]),
        (append, true, vec![came[0], came[1], came[2], one, two]),
        (append, false, vec![one, two]),
    ] {
        let fields = json!({"proxy_protocol_tlvs": own, "proxy_protocol_tlv_merge_policy": policy});
        let receiving = match passed {
            true => json!({"pass_through_tlvs": all}),
            false => json!({}),
        };
        let sending = json!({"version": "V2", "pass_through_tlvs": all});
        let (_upstream, proxy) = tcp_proxy_with(fields, sending, Some(receiving));
        let got = exchange(&proxy, &[header(&came), b"end".to_vec()].concat());
        let expected = [header(&expected), b"end".to_vec()].concat();
        assert!(got == expected, "{policy} {passed}: {got:?}");
    }
    // Without a header they are added.
    let fields = json!({"proxy_protocol_tlvs": own});
    let sending = json!({"version": "V2", "pass_through_tlvs": all});
    let (_upstream, proxy) = tcp_proxy_with(fields, sending, None);
    let got = exchange(&proxy, b"end");
    assert!(got.ends_with(b"\xe1\x00\x0c127.0.0.1 upend"), "{got:?}");
}

#[test]
fn requests_share_connections_of_the_same_client() {
    let upstream = Upstream::tcp(|mut stream| {
        let mut block = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut block) {
            // The header may come by itself.
            if block[..count].ends_with(b"\r\n\r\n") {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            }
        }
    });
    let fields = json!({"allow_requests_without_proxy_protocol": true});
    let proxy = Config::http(&[route("/", "up")])
        .cluster_with(
            "up",
            &[upstream.address()],
            sending(&json!({"version": "V2"})),
        )
        .listener_filter("proxy_protocol", "proxy_protocol.v3.ProxyProtocol", fields)
        .start_with(&["--concurrency", "1"]);
    let total = || proxy.stat("cluster.up.upstream_cx_total");
    for (header, connections) in [(header(&[]), 1), (header(&[(5, b"x")]), 1), (Vec::new(), 2)] {
        let mut connection = proxy.connect();
        connection.send(header);
        assert_eq!(connection.get("/").status, 200);
        assert_eq!(total(), connections);
    }
}

#[test]
fn objects_reach_connections_behind_internal_listeners() {
    use super::internal_listener::{passing, tcp_proxy, with_extension};
    let upstream = Upstream::tcp(super::echo);
    let object = |key: &str, text: &str, shared: &str| {
        json!({
            "object_key": key,
            "factory_key": "envoy.string",
            "format_string": {"text_format_source": {"inline_string": text}},
            "shared_with_upstream": shared,
        })
    };
    let mut destination = object("", &upstream.address().to_string(), "TRANSITIVE");
    destination["object_key"] = "envoy.filters.listener.original_dst.local_ip".into();
    destination["factory_key"] = "".into();
    let leave = network_filter(
        "set_filter_state",
        "set_filter_state.v3.Config",
        json!({
            "on_new_connection": [
                object("once", "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "ONCE"),
                object("own", "kept", "NONE"),
            ],
            "on_downstream_tls_handshake": [destination],
        }),
    );
    let shown = ["once", "own"]
        .map(|key| format!("%FILTER_STATE({key}:PLAIN)%"))
        .join(" ");
    let log = crate::harness::file_log(&shown);
    let mut inner = tcp_proxy("second");
    inner["typed_config"]["access_log"] = json!([log]);
    let mut last = tcp_proxy("dst");
    last["typed_config"]["access_log"] = json!([log]);
    let original_dst = listener_filter("original_dst", "original_dst.v3.OriginalDst", json!({}));
    let config = Config::new()
        .internal_listener("last", last)
        .main_listener(json!({"listener_filters": [original_dst]}))
        .internal_listener("inner", inner)
        .listener("main", tcp_proxy("first"))
        .filters_before("main", &[leave])
        .internal_cluster("first", "inner", passing(&json!([])))
        .internal_cluster("second", "last", passing(&json!([])))
        .cluster_with(
            "dst",
            &[],
            json!({"type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED", "load_assignment": null}),
        );
    let proxy = with_extension(config, None).start();
    let mut connection = crate::harness::Connection::open(proxy.listener("main"));
    connection.send("hello");
    assert_eq!(connection.read(5), b"hello");
    drop(connection);
    let mut lines = proxy.access_log(2);
    lines.sort();
    assert_eq!(lines, ["- -", "127.0.0.1 -"]);
}
