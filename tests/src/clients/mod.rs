//! Clients that others wrote, where they are installed; where one isn't, its test says how to get
//! it, and ends.

mod grpcio;

use crate::harness::{Config, Proxy, Reply, Upstream, direct, route};
use crate::tls::authority::Authority;
use crate::tls::server::tls;
use serde_json::json;
use std::process::{Command, Stdio};

/// Runs a client and gives what it printed; `from`: where it can be had.
fn run(program: &str, from: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let output = match command.args(arguments).stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped, there is no {program} ({error}): {from}");
            return None;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {text}{errors}"
    );
    Some(text)
}

/// A proxy over TLS, with HTTP/1 and 2, and the authority's certificate in its folder.
fn secure(upstream: &Upstream) -> Proxy {
    let authority = Authority::new("authority");
    let common = json!({
        "tls_certificates": [authority.sign("a.test").json()],
        "alpn_protocols": ["h2", "http/1.1"],
    });
    Config::http(&[route("/up", "up"), direct("/", 200, "hello")])
        .cluster("up", &[upstream.address()])
        .transport_socket(tls(common, json!({})))
        .file("ca.pem", &authority.pem)
        .start()
}

const CURL: &str = "apt-get install curl";
const NGHTTP: &str = "apt-get install nghttp2-client";

#[test]
fn curl_over_plain_connections() {
    let upstream = Upstream::http(|request| Reply::ok(&request.path));
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .manager(json!({"http_protocol_options": {
            "accept_http_10": true,
            "default_host_for_http_10": "a.test",
        }}))
        .start();
    let url = format!("http://{}/a?b", proxy.listener("main"));
    for version in [
        "--http1.0",
        "--http1.1",
        "--http2-prior-knowledge",
        "--http2",
    ] {
        let print = "%{http_code} %{http_version}";
        let arguments = ["-sS", version, "--write-out", print, &url];
        let Some(text) = run("curl", CURL, &arguments) else {
            return;
        };
        // `Upgrade: h2c` is passed over.
        let spoken = match version {
            "--http2-prior-knowledge" => "2",
            "--http1.0" => "1",
            _ => "1.1",
        };
        assert_eq!(text, format!("/a?b200 {spoken}"), "{version}");
    }
}

#[test]
fn curl_over_tls() {
    let upstream = Upstream::http(|request| Reply::ok(&format!("{} bytes", request.body.len())));
    let proxy = secure(&upstream);
    let address = proxy.listener("main");
    let resolve = format!("a.test:{}:127.0.0.1", address.port());
    let url = format!("https://a.test:{}/up", address.port());
    let ca = proxy.path("ca.pem").display().to_string();
    let body = "x".repeat(100_000);
    for (options, spoken) in [
        (&["--http1.1", "--tls-max", "1.2"][..], "1.1"),
        (&["--http2", "--tls-max", "1.2"], "2"),
        (&["--http2", "--tlsv1.3"], "2"),
        (&["--http2", "-H", "expect: 100-continue"], "2"),
    ] {
        let print = " %{http_code} %{http_version} %{ssl_verify_result}";
        let common = ["-sS", "--cacert", &ca, "--resolve", &resolve, "-d", &body];
        let arguments = [&common[..], options, &["--write-out", print, &url]].concat();
        let Some(text) = run("curl", CURL, &arguments) else {
            return;
        };
        assert_eq!(text, format!("100000 bytes 200 {spoken} 0"), "{options:?}");
    }
}

#[test]
fn nghttp_with_many_streams() {
    let upstream = Upstream::ok("x");
    let proxy = secure(&upstream);
    let url = format!("https://{}/up", proxy.listener("main"));
    let arguments = ["-ns", "--multiply=50", "--no-verify-peer", &url];
    let Some(text) = run("nghttp", NGHTTP, &arguments) else {
        return;
    };
    assert_eq!(text.matches(" 200 ").count(), 50, "{text}");
    assert_eq!(upstream.requests().len(), 50);
}

#[test]
fn h2load_of_ten_connections() {
    let upstream = Upstream::ok("x");
    let proxy = secure(&upstream);
    let url = format!("https://{}/up", proxy.listener("main"));
    for protocol in ["--npn-list=h2", "--npn-list=http/1.1"] {
        let arguments = ["-n1000", "-c10", "-m10", protocol, &url];
        let Some(text) = run("h2load", NGHTTP, &arguments) else {
            return;
        };
        assert!(
            text.contains("1000 succeeded, 0 failed, 0 errored"),
            "{text}"
        );
    }
    assert_eq!(proxy.stat("http.http.downstream_rq_2xx"), 2000);
}

#[test]
fn chromium_over_https() {
    let upstream = Upstream::ok("x");
    let proxy = secure(&upstream);
    let port = proxy.listener("main").port();
    let data = format!("--user-data-dir={}", proxy.path("chromium").display());
    let url = format!("https://a.test:{port}/page");
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--ignore-certificate-errors",
        "--host-resolver-rules=MAP a.test 127.0.0.1",
        &data,
        "--dump-dom",
        &url,
    ];
    let Some(page) = run("chromium", "apt-get install chromium", &arguments) else {
        return;
    };
    assert!(page.contains("hello"), "{page}");
    assert!(proxy.stat("http.http.downstream_cx_http2_total") > 0);
}
