//! Listeners that hand connections on to where they wanted to go.

use crate::harness::{Config, Connection, Proxy, listener_filter, network_filter};
use serde_json::{Value, json};

fn answers(text: &str) -> Value {
    let response = json!({"response": {"inline_string": text}});
    network_filter("direct_response", "direct_response.v3.Config", response)
}

/// Fields of a listener that is not bound.
fn unbound(address: &str, port: u16) -> Value {
    json!({
        "address": {"socket_address": {"address": address, "port_value": port}},
        "bind_to_port": false,
    })
}

/// What a connection gets whose header of the PROXY protocol says where it goes.
fn get(proxy: &Proxy, (address, port): (&str, u16)) -> String {
    let mut connection = Connection::open(proxy.listener("main"));
    connection.send(format!("PROXY TCP4 9.9.9.9 {address} 1234 {port}\r\n"));
    String::from_utf8(connection.read_to_end()).unwrap()
}

#[test]
fn connections_go_to_the_listener_at_their_address() {
    let optional = json!({"allow_requests_without_proxy_protocol": true});
    let filter = listener_filter(
        "proxy_protocol",
        "proxy_protocol.v3.ProxyProtocol",
        optional,
    );
    let proxy = Config::tcp(answers("main"))
        .main_listener(json!({"use_original_dst": true, "listener_filters": [filter]}))
        .listener_with("exact", answers("exact"), unbound("127.0.0.1", 20001))
        .listener_with("any", answers("any"), unbound("0.0.0.0", 20002))
        .listener_with(
            "exact of any",
            answers("exact of any"),
            unbound("127.0.0.1", 20002),
        )
        .start();
    for (to, expected) in [
        (("127.0.0.1", 20001), "exact"),
        (("10.0.0.1", 20001), "main"),
        (("10.0.0.1", 20002), "any"),
        (("127.0.0.1", 20002), "exact of any"),
        (("127.0.0.1", 20003), "main"),
    ] {
        assert_eq!(get(&proxy, to), expected, "{to:?}");
    }
    let listener = "listener.127.0.0.1_20001.downstream_cx_total";
    assert_eq!(proxy.stat(listener), 1);
    assert_eq!(proxy.stat("listener.0.0.0.0_20002.downstream_cx_total"), 1);
}

#[test]
fn filters_are_not_asked_where_they_are_disabled() {
    let with = |disabled: Value| {
        let mut filter = listener_filter(
            "proxy_protocol",
            "proxy_protocol.v3.ProxyProtocol",
            json!({}),
        );
        filter["filter_disabled"] = disabled;
        Config::tcp(answers("main"))
            .main_listener(json!({"listener_filters": [filter]}))
            .start()
    };
    let below = |end: u32| json!({"destination_port_range": {"start": 0, "end": end}});
    for (disabled, asked) in [
        (json!({"any_match": true}), false),
        (json!({"not_match": {"any_match": true}}), true),
        (below(1), true),
        (below(65536), false),
        (
            json!({"or_match": {"rules": [below(1), below(65536)]}}),
            false,
        ),
        (
            json!({"and_match": {"rules": [below(1), below(65536)]}}),
            true,
        ),
    ] {
        let proxy = with(disabled.clone());
        // Without a header the filter ends the connection.
        let mut connection = proxy.connect();
        connection.send("there is no header here");
        let expected = if asked { "" } else { "main" };
        let got = connection.read_to_end();
        assert_eq!(String::from_utf8_lossy(&got), expected, "{disabled}");
    }
}
