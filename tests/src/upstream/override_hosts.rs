//! Requests that go to a certain host, whatever the balancer would choose.

use crate::harness::{Config, Proxy, Upstream, http_filter, route};
use serde_json::{Value, json};
use std::net::SocketAddr;

const STATE: &str = "envoy.http.stateful_session.header";

/// Sessions by a header `x-host`, with two hosts, the first of which is unhealthy.
fn proxy(strict: bool, statuses: Value, hosts: &[SocketAddr]) -> Proxy {
    let message = "type.googleapis.com/envoy.extensions.http.stateful_session.header.v3\
                   .HeaderBasedSessionState";
    let session = json!({
        "strict": strict,
        "stat_prefix": "s",
        "status_on_strict_destination_not_found": 410,
        "session_state": {"name": STATE, "typed_config": {"@type": message, "name": "x-host"}},
    });
    let filter = http_filter(
        "stateful_session",
        "stateful_session.v3.StatefulSession",
        session,
    );
    let endpoint = |(at, host): (usize, &SocketAddr)| {
        let address = json!({"address": "127.0.0.1", "port_value": host.port()});
        json!({
            "health_status": if at == 0 { "UNHEALTHY" } else { "HEALTHY" },
            "endpoint": {"address": {"socket_address": address}},
        })
    };
    let endpoints: Vec<_> = hosts.iter().enumerate().map(endpoint).collect();
    let cluster = json!({
        "common_lb_config": {
            "healthy_panic_threshold": {"value": 0},
            "override_host_status": {"statuses": statuses},
        },
        "load_assignment": {"cluster_name": "up", "endpoints": [{"lb_endpoints": endpoints}]},
    });
    Config::http(&[route("/", "up")])
        .http_filters(&[filter])
        .cluster_with("up", hosts, cluster)
        .start()
}

fn base64(text: &str) -> String {
    use std::fmt::Write;
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits = three
            .iter()
            .fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at)) as usize & 63] as char;
            let digit = if at > three.len() { '=' } else { digit };
            out.write_char(digit).unwrap();
        }
    }
    out
}

#[test]
fn sessions_stay_with_their_hosts() {
    let (sick, well) = (Upstream::ok("sick"), Upstream::ok("well"));
    let hosts = [sick.address(), well.address()];
    let [to_sick, to_well] = hosts.map(|host| base64(&host.to_string()));
    let gone = base64("127.0.0.1:1");
    for (strict, statuses, named, expected) in [
        (false, json!(["HEALTHY"]), &to_well, (200, "well")),
        (false, json!(["HEALTHY"]), &to_sick, (200, "well")),
        (false, json!(["UNHEALTHY"]), &to_sick, (200, "sick")),
        (false, json!(["HEALTHY"]), &gone, (200, "well")),
        (true, json!(["HEALTHY"]), &to_well, (200, "well")),
        (
            true,
            json!(["HEALTHY"]),
            &to_sick,
            (503, "no healthy upstream"),
        ),
        (
            true,
            json!(["HEALTHY"]),
            &gone,
            (410, "no healthy upstream"),
        ),
    ] {
        let proxy = proxy(strict, statuses.clone(), &hosts);
        let header = format!("x-host: {named}\r\n");
        let response = proxy.connect().request("GET", "/", &header, "");
        let (status, body) = expected;
        assert_eq!(
            response.brief(),
            (status, body.to_owned()),
            "{strict} {statuses} {named}"
        );
        let told = response.header("x-host");
        let moved = status == 200 && ![&to_sick, &to_well][usize::from(body == "well")].eq(named);
        assert_eq!(
            told,
            moved.then_some(&*to_well),
            "{strict} {statuses} {named}"
        );
        let counted = match (status, moved) {
            (200, false) => "routed",
            (200, true) => "failed_open",
            _ => "failed_closed",
        };
        let stat = format!("http.http.stateful_session.s.{counted}");
        assert_eq!(proxy.stat(&stat), 1, "{counted}");
    }
}
