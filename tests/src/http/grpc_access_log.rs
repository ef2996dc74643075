//! Access logs that an access log service is sent.

use crate::harness::{Config, ControlPlane, Proxy, Upstream, route, wait_for};
use nuncio_proto::envoy::service::accesslog::v3::stream_access_logs_message::LogEntries;
use serde_json::{Value, json};

fn http2() -> Value {
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({"typed_extension_protocol_options": {options: {
        "@type": format!("type.googleapis.com/{options}"),
        "explicit_http_config": {"http2_protocol_options": {}},
    }}})
}

fn start(service: &ControlPlane, upstream: &Upstream, more: Value) -> Proxy {
    let mut common = json!({
        "log_name": "requests",
        "transport_api_version": "V3",
        "grpc_service": {"envoy_grpc": {"cluster_name": "logs"}},
    });
    common
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let log = json!({"name": "log", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.\
                  HttpGrpcAccessLogConfig",
        "common_config": common,
        "additional_request_headers_to_log": ["x-one", "x-none"],
    }});
    Config::http(&[route("/", "app")])
        .manager(json!({"access_log": [log]}))
        .bootstrap(json!({"node": {"id": "node1", "cluster": "cluster1"}}))
        .cluster("app", &[upstream.address()])
        .cluster_with("logs", &[service.address()], http2())
        .start()
}

#[test]
fn entries_come_together_and_say_who_sends_them_once() {
    let (service, upstream) = (ControlPlane::start(), Upstream::ok("body"));
    let proxy = start(
        &service,
        &upstream,
        json!({"buffer_flush_interval": "0.2s"}),
    );
    for _ in 0..3 {
        let response = proxy
            .connect()
            .request("GET", "/path", "x-one: 1\r\nx-one: 2\r\n", "");
        assert_eq!(response.status, 200);
    }
    let first = &service.wait_logs(1)[0];
    let identifier = first.identifier.as_ref().unwrap();
    assert_eq!(identifier.log_name, "requests");
    assert_eq!(identifier.node.as_ref().unwrap().id, "node1");
    let Some(LogEntries::HttpLogs(logs)) = &first.log_entries else {
        panic!("{first:?}");
    };
    let entry = &logs.log_entry[0];
    let (request, response) = (
        entry.request.clone().unwrap(),
        entry.response.clone().unwrap(),
    );
    assert_eq!((&*request.path, request.request_method), ("/path", 1));
    assert_eq!(request.request_headers.len(), 1);
    assert_eq!(request.request_headers["x-one"], "1,2");
    assert_eq!(response.response_code.map(|code| code.value), Some(200));
    assert_eq!(response.response_body_bytes, 4);
    assert_eq!(response.response_code_details, "via_upstream");
    let common = entry.common_properties.clone().unwrap();
    assert_eq!(
        (&*common.upstream_cluster, common.access_log_type),
        ("app", 6)
    );
    assert!(common.duration.is_some() && common.upstream_remote_address.is_some());
    assert_eq!(proxy.get("/").status, 200);
    let logs = service.wait_logs(2);
    assert!(logs.last().unwrap().identifier.is_none());
    assert_eq!(proxy.stat("access_logs.grpc_access_log.logs_written"), 4);
}

#[test]
fn a_stream_that_ended_is_opened_again() {
    let (service, upstream) = (ControlPlane::start(), Upstream::ok("body"));
    let proxy = start(&service, &upstream, json!({"buffer_size_bytes": 0}));
    assert_eq!(proxy.get("/").status, 200);
    service.wait_logs(1);
    service.end_streams();
    wait_for("another stream", || {
        assert_eq!(proxy.get("/").status, 200);
        let logs = service.wait_logs(1);
        let streams = logs.iter().filter(|message| message.identifier.is_some());
        (streams.count() == 2).then_some(())
    });
}
