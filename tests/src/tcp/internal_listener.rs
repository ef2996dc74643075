//! Listeners inside the process, and clusters that connect to them.

use super::echo;
use crate::harness::{Config, Reply, Upstream, direct, file_log, network_filter, route, validate};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

pub(super) fn tcp_proxy(cluster: &str) -> Value {
    let fields = json!({"stat_prefix": cluster, "cluster": cluster});
    network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields)
}

/// With the bootstrap's extension.
pub(super) fn with_extension(config: Config, buffer_size_kb: Option<u32>) -> Config {
    let extension = "envoy.extensions.bootstrap.internal_listener.v3.InternalListener";
    let mut typed = json!({"@type": format!("type.googleapis.com/{extension}")});
    if let Some(size) = buffer_size_kb {
        typed["buffer_size_kb"] = size.into();
    }
    let named = json!({"name": "envoy.bootstrap.internal_listener", "typed_config": typed});
    config.bootstrap(json!({"bootstrap_extensions": [named]}))
}

/// A transport socket that passes metadata along.
pub(super) fn passing(sources: &Value) -> Value {
    let folder = "type.googleapis.com/envoy.extensions.transport_sockets";
    let raw = json!({
        "name": "envoy.transport_sockets.raw_buffer",
        "typed_config": {"@type": format!("{folder}.raw_buffer.v3.RawBuffer")},
    });
    json!({"transport_socket": {
        "name": "envoy.transport_sockets.internal_upstream",
        "typed_config": {
            "@type": format!("{folder}.internal_upstream.v3.InternalUpstreamTransport"),
            "passthrough_metadata": sources,
            "transport_socket": raw,
        },
    }})
}

#[test]
fn bytes_pass_through_listeners_inside_the_process() {
    const SIZE: usize = 3_000_000;
    let upstream = Upstream::tcp(echo);
    // A small buffer, so that each end waits for the other again and again.
    let config = Config::tcp(tcp_proxy("one"))
        .internal_listener("first", tcp_proxy("two"))
        .internal_listener("second", tcp_proxy("up"))
        .internal_cluster("one", "first", json!({}))
        .internal_cluster("two", "second", json!({}))
        .cluster("up", &[upstream.address()]);
    let proxy = with_extension(config, Some(1)).start();
    let mut connection = TcpStream::connect(proxy.listener("main")).unwrap();
    let bytes: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
    let mut writer = connection.try_clone().unwrap();
    let sent = bytes.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    connection.read_to_end(&mut back).unwrap();
    assert!(back == bytes, "what came back differs");
    writing.join().unwrap();
    proxy.wait_stat("listener.envoy_internal_second.downstream_cx_active", 0);
    let listener = "listener.envoy_internal_first.downstream_cx";
    assert_eq!(proxy.stat(&format!("{listener}_total")), 1);
    assert_eq!(
        proxy.stat("cluster.two.upstream_cx_tx_bytes_total"),
        SIZE as u64
    );
    assert_eq!(proxy.stat("cluster.up.upstream_cx_destroy"), 1);
    let listeners = proxy.admin("/listeners").text();
    assert!(
        listeners.contains("second::envoy://second/\n"),
        "{listeners}"
    );
}

#[test]
fn connections_have_names_and_bring_metadata() {
    let addresses = "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% \
                     %DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID% %DYNAMIC_METADATA(host)% \
                     %DYNAMIC_METADATA(cluster)%";
    let sources = json!([
        {"kind": {"host": {}}, "name": "host"},
        {"kind": {"cluster": {}}, "name": "cluster"},
        {"kind": {"cluster": {}}, "name": "absent"},
    ]);
    let mut fields = passing(&sources);
    fields["metadata"] = json!({"filter_metadata": {"cluster": {"a": 1}}});
    let mut inner = tcp_proxy("up");
    inner["typed_config"]["access_log"] = json!([file_log(addresses)]);
    // The inner connection is logged when it ends.
    let upstream = Upstream::http(|_| Reply::ok("there").then_close());
    let config = Config::http(&[
        route("/nowhere", "nowhere"),
        direct("/direct", 200, ""),
        route("/", "in"),
    ])
    .internal_listener("inner", inner)
    .internal_cluster("in", "inner", fields)
    .internal_cluster("nowhere", "no-such-listener", json!({}))
    .cluster("up", &[upstream.address()])
    .access_log("%UPSTREAM_LOCAL_ADDRESS% %UPSTREAM_REMOTE_ADDRESS% %RESPONSE_CODE_DETAILS%");
    let proxy = with_extension(config, None).start();
    let response = proxy
        .connect()
        .request("GET", "/", "connection: close\r\n", "");
    assert_eq!((response.status, response.text().as_str()), (200, "there"));
    assert_eq!(proxy.get("/nowhere").status, 503);
    assert_eq!(proxy.stat("cluster.in.internal_upstream.no_metadata"), 1);
    let client = "envoy://internal_client_address/";
    let mut lines = proxy.access_log(3);
    lines.sort();
    assert_eq!(
        lines,
        [
            "- - upstream_reset_before_response_started{remote_connection_failure|\
             immediate_connect_error:_Invalid_argument|\
             remote_address:envoy://no-such-listener/nowhere}"
                .to_owned(),
            format!("{client} envoy://inner/in in {{\"of\":\"in\"}} {{\"a\":1}}"),
            format!("{client} envoy://inner/in via_upstream"),
        ]
    );
}

#[test]
fn what_they_cannot_have_is_refused() {
    let with = |fields: Value, extension: bool| {
        let config = Config::new().internal_listener("inner", tcp_proxy("up"));
        let config = config.cluster("up", &[]).main_listener(fields);
        let config = match extension {
            true => with_extension(config, None),
            false => config,
        };
        validate("config.json", &config.json().to_string())
    };
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
    for (fields, extension, reason) in [
        (json!({}), true, ""),
        (
            json!({}),
            false,
            "'inner': InternalListener bootstrap extension is mandatory",
        ),
        (
            json!({"transparent": true}),
            true,
            "has unsupported tcp listener feature",
        ),
        (
            json!({"enable_reuse_port": true}),
            true,
            "has unsupported tcp listener feature",
        ),
        (
            json!({"socket_options": [{"level": 1, "name": 9, "int_value": 1}]}),
            true,
            "does not support socket option",
        ),
        (
            json!({"address": address}),
            true,
            "address should not be used when an internal listener config is provided",
        ),
    ] {
        let said = with(fields.clone(), extension);
        assert_eq!(
            said.code == Some(0),
            reason.is_empty(),
            "{fields}: {}",
            said.text
        );
        assert!(said.text.contains(reason), "{fields}: {}", said.text);
    }
    let sources = json!([{"kind": {"request": {}}, "name": "x"}]);
    let config = Config::new().internal_cluster("in", "inner", passing(&sources));
    let said = validate("config.json", &config.json().to_string());
    assert!(
        said.text.contains("metadata type is not supported"),
        "{}",
        said.text
    );
}
