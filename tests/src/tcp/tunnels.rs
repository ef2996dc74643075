//! Connections carried by HTTP to a proxy upstream.

use super::echo;
use crate::harness::http2::{END_HEADERS, END_STREAM, Http2, block, kind};
use crate::harness::{Config, Proxy, Upstream, direct, file_log, is_envoy, network_filter};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

/// A TCP proxy that asks `up` for a tunnel.
fn tunnelling(tunnel: Value, upstream: std::net::SocketAddr, cluster: Value) -> Proxy {
    let fields = json!({
        "stat_prefix": "tcp",
        "cluster": "up",
        "tunneling_config": tunnel,
        "access_log": [file_log("%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT%")],
    });
    Config::tcp(network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields))
        .cluster_with("up", &[upstream], cluster)
        .start()
}

/// The lines of a request's head.
fn read_head(reader: &mut impl BufRead) -> Vec<String> {
    let lines = reader.lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).collect()
}

/// Says the request's head back through the tunnel, and then all that comes.
fn tunnel_end(stream: TcpStream) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let head = read_head(&mut reader).join("|");
    let _ = write!(writer, "HTTP/1.1 200 OK\r\n\r\n{head};");
    let mut bytes = [0; 1024];
    while let Ok(count @ 1..) = reader.read(&mut bytes) {
        if writer.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

#[test]
fn by_connect() {
    let upstream = Upstream::tcp(tunnel_end);
    let tunnel = json!({
        "hostname": "far.test:%DOWNSTREAM_DIRECT_LOCAL_PORT%",
        "headers_to_add": [{"header": {"key": "x-hop", "value": "1"}}],
    });
    let proxy = tunnelling(tunnel, upstream.address(), json!({}));
    let port = proxy.listener("main").port();
    let expected = format!("CONNECT far.test:{port} HTTP/1.1|host: far.test:{port}|x-hop: 1;hello");
    let mut connection = proxy.connect();
    connection.send("hello");
    let answer = connection.read(expected.len());
    assert_eq!(String::from_utf8_lossy(&answer), expected);
    let big = vec![b'x'; 300_000];
    connection.send(&big);
    assert!(connection.read(big.len()) == big);
    connection.half_close();
    assert_eq!(connection.read_to_end(), b"");
    let sent = expected.len() + big.len();
    assert_eq!(proxy.access_log(1), [format!("- 300005 {sent}")]);
}

#[test]
fn by_post() {
    let upstream = Upstream::tcp(tunnel_end);
    let tunnel = json!({"hostname": "far.test:443", "use_post": true, "post_path": "/t"});
    let proxy = tunnelling(tunnel, upstream.address(), json!({}));
    let mut connection = proxy.connect();
    connection.send("hello");
    let expected = "POST /t HTTP/1.1|host: far.test:443|transfer-encoding: chunked;5\r\nhello\r\n";
    let answer = connection.read(expected.len());
    assert_eq!(String::from_utf8_lossy(&answer), expected);
}

#[test]
fn refused_ones_are_tried_again() {
    let upstream = Upstream::tcp(|stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        read_head(&mut reader);
        let mut writer = stream;
        let _ = writer.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    });
    let proxy = tunnelling(json!({"hostname": "a:1"}), upstream.address(), json!({}));
    assert_eq!(proxy.connect().read_to_end(), b"");
    assert_eq!(proxy.access_log(1), ["UF,URX 0 0"]);
    let exceeded = "cluster.up.upstream_cx_connect_attempts_exceeded";
    assert_eq!(proxy.stat(exceeded), 1);
}

/// Envoy 1.40 shows the same heads, and crashes where a response to a POST ends.
#[test]
fn heads_and_trailers_of_responses_are_kept() {
    if is_envoy() {
        return;
    }
    let state = |name: &str| format!("%FILTER_STATE(envoy.tcp_proxy.propagate_response_{name})%");
    let format = format!("{} {}", state("headers"), state("trailers"));
    let head = "HTTP/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n";
    let ok = format!("{head}2\r\nhi\r\n0\r\nx-t: \"2\"\r\n\r\n");
    let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n".to_owned();
    let pair = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":"{value}"}}"#);
    let shown = |pairs: &[String]| format!(r#"{{"headers":[{}]}}"#, pairs.join(","));
    let chunked = pair("transfer-encoding", "chunked");
    let ok_shown = shown(&[pair(":status", "200"), pair("x-a", "1"), chunked]);
    let refusal_shown = shown(&[pair(":status", "403"), pair("content-length", "0")]);
    let trailers = shown(&[pair("x-t", r#"\"2\""#)]);
    let options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
    });
    let key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let cluster = json!({"typed_extension_protocol_options": {key: options}});
    for (answer, keep, expected) in [
        (&ok, [true, true], format!("{ok_shown} {trailers}")),
        (&ok, [false, true], format!("- {trailers}")),
        (&ok, [false, false], "- -".to_owned()),
        (&refusal, [true, true], format!("{refusal_shown} -")),
    ] {
        let answer = answer.clone();
        let upstream = Upstream::tcp(move |stream| {
            read_head(&mut BufReader::new(stream.try_clone().unwrap()));
            let mut writer = stream;
            let _ = writer.write_all(answer.as_bytes());
            let _ = writer.read(&mut [0]);
        });
        let tunnel = json!({
            "hostname": "a:1",
            "use_post": true,
            "propagate_response_headers": keep[0],
            "propagate_response_trailers": keep[1],
        });
        let fields = json!({
            "stat_prefix": "tcp",
            "cluster": "up",
            "tunneling_config": tunnel,
            "access_log": [file_log(&format)],
        });
        let proxy = Config::tcp(network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields))
            .cluster_with("up", &[upstream.address()], cluster.clone())
            .start();
        let mut connection = proxy.connect();
        connection.read_to_end();
        drop(connection);
        assert_eq!(proxy.access_log(1), [expected]);
    }
}

/// A cluster that speaks HTTP/2.
fn http2() -> Value {
    let options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    });
    let key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({"typed_extension_protocol_options": {key: options}})
}

#[test]
fn what_ends_first_over_http2_still_takes_the_rest() {
    let (sender, received) = mpsc::channel();
    let upstream = Upstream::tcp(move |stream| {
        let Some(mut server) = Http2::serve(stream, &[]) else {
            return;
        };
        let Some((_, _, id, _)) = server.next_of(kind::HEADERS) else {
            return;
        };
        let head = block(&[(":status", "200")]);
        server.send(kind::HEADERS, END_HEADERS, id, &head);
        server.send(kind::DATA, END_STREAM, id, b"bye");
        let mut count = 0;
        while let Some((_, flags, _, data)) = server.next_of(kind::DATA) {
            count += data.len();
            if flags & END_STREAM != 0 {
                let _ = sender.send(count);
                return;
            }
            if count == 65_535 {
                // By now the proxy holds its client back.
                std::thread::sleep(Duration::from_millis(100));
            }
            for id in [0, id].into_iter().filter(|_| count >= 65_535) {
                server.send(kind::WINDOW_UPDATE, 0, id, &100_000_u32.to_be_bytes());
            }
        }
    });
    let mut cluster = http2();
    cluster["per_connection_buffer_limit_bytes"] = 32_768.into();
    let tunnel = json!({"hostname": "far.test:1"});
    let proxy = tunnelling(tunnel, upstream.address(), cluster);
    let mut connection = proxy.connect();
    assert_eq!(connection.read_to_end(), b"bye");
    connection.send(vec![b'x'; 2_000_000]);
    connection.half_close();
    let received = received.recv_timeout(Duration::from_secs(5));
    assert_eq!(received, Ok(2_000_000));
}

#[test]
fn over_http2() {
    let target = Upstream::tcp(echo);
    let upgrade = json!([{"upgrade_type": "CONNECT", "connect_config": {}}]);
    let route = json!({
        "match": {"connect_matcher": {}},
        "route": {"cluster": "target", "upgrade_configs": upgrade},
    });
    let end = Config::http(&[route, direct("/", 404, "")])
        .manager(json!({"http2_protocol_options": {"allow_connect": true}}))
        .cluster("target", &[target.address()])
        .start();
    let tunnel = json!({"hostname": "far.test:1"});
    let proxy = tunnelling(tunnel, end.listener("main"), http2());
    let mut connections = [proxy.connect(), proxy.connect()];
    for (at, connection) in connections.iter_mut().enumerate() {
        let text = format!("{at}").repeat(100_000);
        connection.send(&text);
        assert!(connection.read(text.len()) == text.as_bytes());
    }
    assert_eq!(
        proxy.stat("cluster.up.upstream_cx_total"),
        1,
        "one connection carries both"
    );
    let [mut first, second] = connections;
    first.half_close();
    assert_eq!(first.read_to_end(), b"");
    drop(second);
    end.wait_stat("cluster.target.upstream_cx_active", 0);
}
