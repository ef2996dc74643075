//! gRPC's own library for Python, as client and as server.

use crate::harness::Config;
use crate::tls::authority::Authority;
use crate::tls::server::tls;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// Serves, prints its port, is told the proxy's port and whether over TLS, and calls.
const SCRIPT: &str = include_str!("grpcio.py");

/// The Python that has it.
fn python() -> Option<String> {
    let python = std::env::var("NUNCIO_TEST_PYTHON").unwrap_or("python3".to_owned());
    let mut command = Command::new(&python);
    let found = command.args(["-c", "import grpc"]).stderr(Stdio::null());
    if found.status().is_ok_and(|status| status.success()) {
        return Some(python);
    }
    eprintln!(
        "skipped, {python} has no grpc: pip install grpcio, or name one in NUNCIO_TEST_PYTHON"
    );
    None
}

/// Calls through a proxy, over TLS where there is an authority.
fn call(authority: Option<&Authority>) {
    let Some(python) = python() else { return };
    let mut script = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(script.stdout.take().unwrap()).lines();
    let port: u16 = lines.next().unwrap().unwrap().parse().unwrap();
    let upstream = SocketAddr::from(([127, 0, 0, 1], port));
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let http2 = json!({
        "@type": format!("type.googleapis.com/{options}"),
        "explicit_http_config": {"http2_protocol_options": {}},
    });
    let route = json!({
        "match": {"prefix": "/", "grpc": {}},
        "route": {"cluster": "up", "timeout": "0s", "max_stream_duration": {}},
    });
    let mut config = Config::http(&[route]).cluster_with(
        "up",
        &[upstream],
        json!({"typed_extension_protocol_options": {options: http2}}),
    );
    if let Some(authority) = authority {
        let common = json!({
            "tls_certificates": [authority.sign("a.test").json()],
            "alpn_protocols": ["h2"],
        });
        config = config.transport_socket(tls(common, json!({})));
    }
    let proxy = config.start();
    let pem = authority.map_or("", |authority| authority.pem.as_str());
    let told = format!("{}\n{pem}", proxy.listener("main").port());
    script
        .stdin
        .take()
        .unwrap()
        .write_all(told.as_bytes())
        .unwrap();
    let said: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(script.wait().unwrap().success(), "{said:?}");
    assert_eq!(
        said,
        [
            "unary hello, trailers done",
            "stream 0 1 2 3 4",
            "both 20 messages",
            "large 1000000",
            "failed NOT_FOUND nothing here",
            "unknown UNIMPLEMENTED",
            "late DEADLINE_EXCEEDED",
        ]
    );
    assert_eq!(proxy.stat("http.http.downstream_rq_total"), 7);
}

#[test]
fn grpcio_over_plain_connections() {
    call(None);
}

#[test]
fn grpcio_over_tls() {
    call(Some(&Authority::new("authority")));
}
