//! Filter chains by what a connection's first bytes are.

use crate::harness::{Config, direct, network_filter};
use serde_json::json;

#[test]
fn http_and_other_bytes_part() {
    let inspector = json!({
        "name": "http_inspector",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.\
                      HttpInspector",
        },
    });
    let other = network_filter(
        "direct_response",
        "direct_response.v3.Config",
        json!({"response": {"inline_string": "no HTTP"}}),
    );
    let proxy = Config::http(&[direct("/", 200, "HTTP")])
        .filter_chain(json!({"filter_chain_match": {"application_protocols": ["http/1.1"]}}))
        .main_listener(json!({
            "listener_filters": [inspector],
            "default_filter_chain": {"filters": [other]},
        }))
        .start();
    assert_eq!(proxy.get("/").text(), "HTTP");
    let mut connection = proxy.connect();
    for piece in ["GE", "T / HT", "TP/1.1\r\nhost: a\r", "\n\r\n"] {
        connection.send(piece);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(connection.response("GET").text(), "HTTP");
    let mut connection = proxy.connect();
    connection.send("GARBAGE / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(connection.response("GET").status, 400);
    for other in ["hello\n", "{", "\u{1}\u{2}"] {
        let mut connection = proxy.connect();
        connection.send(other);
        assert_eq!(connection.read_to_end(), b"no HTTP", "{other:?}");
    }
    assert_eq!(proxy.stat("http_inspector.http11_found"), 3);
    assert_eq!(proxy.stat("http_inspector.http_not_found"), 3);
}

#[test]
fn what_is_no_tls_is_told_or_closed() {
    for (closes, answer) in [(false, "hello"), (true, "")] {
        let fields = json!({"close_connection_on_client_hello_parsing_errors": closes});
        let format = "%DYNAMIC_METADATA(envoy.filters.listener.tls_inspector:failure_reason)% \
                      %DOWNSTREAM_TRANSPORT_FAILURE_REASON% %TLS_JA3_FINGERPRINT%";
        let proxy = Config::tcp(network_filter("echo", "echo.v3.Echo", json!({})))
            .listener_filter("tls_inspector", "tls_inspector.v3.TlsInspector", fields)
            .listener_log(format)
            .start();
        let mut connection = proxy.connect();
        connection.send("hello");
        if !closes {
            connection.half_close();
        }
        assert_eq!(connection.read_to_end(), answer.as_bytes());
        let failure = "TLS_error|error:100000f7:SSL_routines:OPENSSL_internal:\
                       WRONG_VERSION_NUMBER:TLS_error_end";
        let line = format!("ClientHelloNotDetected {failure} -");
        assert_eq!(proxy.access_log(1), [line]);
        assert_eq!(proxy.stat("tls_inspector.tls_not_found"), 1);
    }
}
