//! Requests and connections that are let in, and others.

use crate::harness::{Config, Upstream, direct, file_log, http_filter, network_filter};
use serde_json::json;

#[test]
fn requests_by_policy() {
    let by_method = json!({"header": {"name": ":method", "string_match": {"exact": "GET"}}});
    let by_address = json!({"direct_remote_ip": {"address_prefix": "127.0.0.0", "prefix_len": 8}});
    let policies = json!({"readers": {"permissions": [by_method], "principals": [by_address]}});
    let fields = json!({"rules": {"action": "ALLOW", "policies": policies}});
    let proxy = Config::http(&[direct("/", 200, "in")])
        .http_filters(&[http_filter("rbac", "rbac.v3.RBAC", fields)])
        .access_log("%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%")
        .start();
    let mut connection = proxy.connect();
    assert_eq!(connection.get("/").brief(), (200, "in".to_owned()));
    let denied = connection.request("DELETE", "/", "", "");
    assert_eq!(denied.brief(), (403, "RBAC: access denied".to_owned()));
    let log = proxy.access_log(2);
    assert_eq!(log[1], "403 rbac_access_denied_matched_policy[none]");
    assert_eq!(proxy.stat("http.http.rbac.allowed"), 1);
    assert_eq!(proxy.stat("http.http.rbac.denied"), 1);
}

#[test]
fn connections_by_policy() {
    let upstream = Upstream::tcp(|_| {});
    let policies = json!({"all of them": {
        "permissions": [{"any": true}],
        "principals": [{"direct_remote_ip": {"address_prefix": "127.0.0.1", "prefix_len": 32}}],
    }});
    let rules = json!({"action": "DENY", "policies": policies});
    let fields = json!({"stat_prefix": "p", "rules": rules, "shadow_rules": {}});
    let rbac = network_filter("rbac", "rbac.v3.RBAC", fields);
    let log = file_log(
        "%CONNECTION_TERMINATION_DETAILS% \
         %DYNAMIC_METADATA(envoy.filters.network.rbac:shadow_engine_result)%",
    );
    let fields = json!({"stat_prefix": "tcp", "cluster": "up", "access_log": [log]});
    let proxied = network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", fields);
    let proxy = Config::tcp(rbac.clone())
        .filter_chain(json!({"filters": [rbac, proxied]}))
        .cluster("up", &[upstream.address()])
        .start();
    let mut connection = proxy.connect();
    let _ = connection.try_send("a");
    assert_eq!(connection.read_to_end(), b"");
    let expected = "rbac_access_denied_matched_policy[all_of_them] denied";
    assert_eq!(proxy.access_log(1), [expected]);
    assert_eq!(proxy.stat("p.rbac.denied"), 1);
}

/// What routes don't look at neither leads around a policy nor makes one apply to more.
#[test]
fn policies_see_paths_as_routes_do() {
    // Whether routes look past parameters; who may pass; of `/a`, `/a;x`, `/b` and `/a;/b`.
    for (ignores, action, negated, expected) in [
        (true, "ALLOW", false, [200, 200, 403, 403]),
        (true, "DENY", false, [403, 403, 200, 404]),
        (true, "ALLOW", true, [403, 403, 200, 404]),
        (true, "DENY", true, [200, 200, 403, 403]),
        (false, "ALLOW", false, [200, 403, 403, 403]),
        (false, "DENY", false, [403, 404, 200, 404]),
        (false, "ALLOW", true, [403, 404, 200, 404]),
    ] {
        let path = json!({"url_path": {"path": {"exact": "/a"}}});
        let permission = match negated {
            true => json!({"not_rule": path}),
            false => path,
        };
        let policy = json!({"permissions": [permission], "principals": [{"any": true}]});
        let rules = json!({"action": action, "policies": {"p": policy}});
        let routes = ["/a", "/b"]
            .map(|path| json!({"match": {"path": path}, "direct_response": {"status": 200}}));
        let virtual_host = json!({"name": "all", "domains": ["*"], "routes": routes});
        let proxy = Config::http(&[])
            .manager(json!({"route_config": {
                "ignore_path_parameters_in_path_matching": ignores,
                "virtual_hosts": [virtual_host],
            }}))
            .http_filters(&[http_filter("rbac", "rbac.v3.RBAC", json!({"rules": rules}))])
            .start();
        let mut connection = proxy.connect();
        let seen = ["/a", "/a;x", "/b", "/a;/b"].map(|path| connection.get(path).status);
        assert_eq!(seen, expected, "{ignores} {action} {negated}");
    }
}
