//! What is found out about clients, told upstream and counted at their end.

use crate::harness::{Config, Reply, Upstream, direct, route};
use serde_json::{Value, json};

#[test]
fn who_closes_a_connection_is_counted_at_its_end() {
    let proxy = Config::http(&[direct("/", 200, "")]).start();
    let count = |who: &str| format!("http.http.downstream_cx_destroy_{who}");
    // The proxy asks for an end, and waits for the client to make it.
    let mut unasked = proxy.connect();
    unasked.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(unasked.response("GET").status, 400);
    assert_eq!(proxy.stat(&count("local")), 0);
    drop(unasked);
    proxy.wait_stat(&count("remote"), 1);
    // The client asked for it.
    let mut asked = proxy.connect();
    asked.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert_eq!(asked.response("GET").status, 200);
    proxy.wait_stat(&count("local"), 1);
    assert_eq!(proxy.stat(&count("remote")), 1);
}

#[test]
fn the_port_is_told_unless_somebody_has_told_it() {
    let upstream = Upstream::ok("");
    let proxy = Config::http(&[route("/", "up")])
        .manager(json!({"append_x_forwarded_port": true}))
        .cluster("up", &[upstream.address()])
        .start();
    let port = proxy.listener("main").port().to_string();
    for (given, told) in [("", &*port), ("x-forwarded-port: 99\r\n", "99")] {
        proxy.connect().request("GET", "/", given, "");
        let seen = upstream.requests().pop().unwrap();
        assert_eq!(seen.header("x-forwarded-port"), Some(told));
    }
}

#[test]
fn strangers_do_not_limit_streams() {
    let upstream = Upstream::ok("");
    let proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start();
    let asked = "x-envoy-upstream-stream-duration-ms: 1\r\n";
    let answer = proxy.connect().request("GET", "/", asked, "");
    assert_eq!(answer.status, 200);
    proxy.wait_stat("cluster.up.upstream_rq_200", 1);
    assert_eq!(proxy.stat("cluster.up.upstream_rq_max_duration_reached"), 0);
}

#[test]
fn round_trips_and_looks_for_routes_are_logged() {
    let format = "%DOWNSTREAM_CX_RTT% %ROUTE_RESOLUTION_COUNT% %XFCC_VALUE(URI)%";
    let proxy = Config::http(&[direct("/", 200, "")])
        .manager(json!({"forward_client_cert_details": "ALWAYS_FORWARD_ONLY"}))
        .access_log(format)
        .start();
    let given = "x-forwarded-client-cert: Hash=a;URI=\"b,c\"\r\n";
    proxy.connect().request("GET", "/", given, "");
    assert_eq!(proxy.access_log(1), ["0 1 b,c"]);
}

#[test]
fn an_edge_takes_off_what_only_proxies_may_say() {
    let upstream = Upstream::ok("");
    let names = [
        "x-envoy-original-path",
        "x-envoy-original-host",
        "x-envoy-is-timeout-retry",
        "x-envoy-max-retries",
    ];
    let given: String = names.iter().map(|name| format!("{name}: 1\r\n")).collect();
    for (is_edge, left) in [
        (true, [false, false, true, false]),
        (false, [true, true, true, false]),
    ] {
        let proxy = Config::http(&[route("/", "up")])
            .manager(json!({"use_remote_address": is_edge}))
            .cluster("up", &[upstream.address()])
            .start();
        proxy.connect().request("GET", "/", &given, "");
        let seen = upstream.requests().pop().unwrap();
        assert_eq!(names.map(|name| seen.header(name).is_some()), left);
    }
}

#[test]
fn who_could_not_be_found_is_added_to_or_refused() {
    let upstream = Upstream::ok("");
    let detection = |name: &str, message: &str, mut fields: Value| {
        fields["@type"] = json!(format!(
            "type.googleapis.com/envoy.extensions.http.original_ip_detection.{message}"
        ));
        json!({"original_ip_detection_extensions": [{"name": name, "typed_config": fields}]})
    };
    let xff = json!({"xff_num_trusted_hops": 5, "skip_xff_append": false});
    let custom = json!({"header_name": "x-real", "reject_with_status": {"code": "Forbidden"}});
    for (manager, status) in [
        (detection("xff", "xff.v3.XffConfig", xff), 200),
        (
            detection("own", "custom_header.v3.CustomHeaderConfig", custom),
            403,
        ),
    ] {
        let proxy = Config::http(&[route("/", "up")])
            .manager(manager)
            .cluster("up", &[upstream.address()])
            .start();
        assert_eq!(proxy.get("/").status, status);
        let refused = u64::from(status == 403);
        let stat = "http.http.downstream_rq_rejected_via_ip_detection";
        assert_eq!(proxy.stat(stat), refused);
    }
    let seen = upstream.requests().pop().unwrap();
    assert!(seen.header("x-forwarded-for").is_some());
}

#[test]
fn bytes_of_all_attempts_are_counted() {
    let upstream = Upstream::http(|_| Reply::new(503, "", ""));
    let mut retried = route("/", "up");
    retried["route"]["retry_policy"] = json!({
        "retry_on": "5xx",
        "num_retries": 2,
        "retry_back_off": {"base_interval": "0.001s"},
    });
    let format = "%UPSTREAM_WIRE_BYTES_SENT% %UPSTREAM_HOSTS_ATTEMPTED%";
    let proxy = Config::http(&[route("/once", "up"), retried])
        .cluster("up", &[upstream.address()])
        .access_log(format)
        .start();
    proxy.get("/once");
    proxy.get("/more");
    let lines = proxy.access_log(2);
    let bytes = |line: &str| line.split(' ').next().unwrap().parse::<u64>().unwrap();
    assert!(bytes(&lines[1]) > 2 * bytes(&lines[0]), "{lines:?}");
    let hosts = lines.iter().map(|line| line.split(' ').nth(1).unwrap());
    assert!(hosts.eq([
        upstream.address().to_string(),
        upstream.address().to_string()
    ]));
}
