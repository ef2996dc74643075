//! Route tables of which a request's headers choose one (`scoped_routes`).

use crate::harness::{Config, Reply, Upstream, direct, http_filter, route};
use serde_json::{Value, json};

fn scope(name: &str, key: &[&str]) -> Value {
    let fragments: Vec<_> = key.iter().map(|text| json!({"string_key": text})).collect();
    json!({"name": name, "key": {"fragments": fragments}, "route_configuration": {
        "name": name,
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [direct("/", 200, name)]}],
    }})
}

#[test]
fn the_scope_is_chosen_by_headers() {
    let element = json!({"header_value_extractor": {
        "name": "Addr", "element_separator": ";", "element": {"key": "k", "separator": "="},
    }});
    let index = json!({"header_value_extractor": {
        "name": "h", "element_separator": ",", "index": 1,
    }});
    let scopes = [
        scope("one", &["1", "x"]),
        scope("two", &["2", "x"]),
        // Takes the place of the first, though not of its name.
        scope("again", &["1", "x"]),
    ];
    let config = Config::http(&[]).manager(json!({
        "route_config": null,
        "scoped_routes": {
            "name": "scopes",
            "scope_key_builder": {"fragments": [element, index]},
            "scoped_route_configurations_list": {"scoped_route_configurations": scopes},
        },
    }));
    let proxy = config.start();
    for (headers, status, body) in [
        ("addr: k=2\r\nh: a,x\r\n", 200, "two"),
        ("addr: a=b;k=1;k=2\r\nh: a,x,b\r\n", 200, "again"),
        ("addr: k=2\r\naddr: k=1\r\nh: a,x\r\n", 200, "two"),
        ("addr: k=2\r\nh: x\r\n", 404, ""),
        ("addr: k=3\r\nh: a,x\r\n", 404, ""),
        ("", 404, ""),
    ] {
        let response = proxy.connect().request("GET", "/", headers, "");
        assert_eq!(response.brief(), (status, body.to_owned()), "{headers}");
    }
    assert_eq!(proxy.stat("http.http.no_route"), 3);
}

#[test]
fn a_redirect_that_is_not_followed_leaves_the_scope() {
    let upstream = Upstream::http(|_| Reply::new(302, "location: http://b.test/\r\n", "there"));
    let host = json!({"header_value_extractor": {"name": ":authority", "index": 0}});
    let mut follows = route("/a", "up");
    follows["route"]["internal_redirect_policy"] = json!({});
    let table = |name: &str, routes: Value| {
        json!({"name": name, "key": {"fragments": [{"string_key": name}]}, "route_configuration": {
            "name": name,
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
        }})
    };
    let scopes = [
        table("a.test", json!([direct("/x", 200, "x"), follows])),
        table("b.test", json!([direct("/y", 200, "y")])),
    ];
    let proxy = Config::http(&[])
        .manager(json!({
            "route_config": null,
            "scoped_routes": {
                "name": "scopes",
                "scope_key_builder": {"fragments": [host]},
                "scoped_route_configurations_list": {"scoped_route_configurations": scopes},
            },
        }))
        .cluster("up", &[upstream.address()])
        .start();
    let response = proxy.connect().request("GET", "/a", "", "");
    assert_eq!(response.brief(), (302, "there".to_owned()));
}

#[test]
fn what_a_scope_says_to_filters_goes_with_it() {
    let moves = Upstream::http(|_| Reply::new(200, "x-scope: second\r\n", ""));
    let authorizes = json!({
        "clear_route_cache": true,
        "http_service": {
            "server_uri": {"uri": "http://authz", "cluster": "authz", "timeout": "5s"},
            "authorization_response": {
                "allowed_upstream_headers": {"patterns": [{"exact": "x-scope"}]},
            },
        },
    });
    let fault = json!({"abort": {"http_status": 418, "percentage": {"numerator": 100}}});
    let mut aborted = direct("/", 200, "first");
    let mut of_route = fault;
    of_route["@type"] =
        "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault".into();
    aborted["typed_per_filter_config"] = json!({"envoy.filters.http.fault": of_route});
    let table = |name: &str, route: Value| {
        json!({"name": name, "key": {"fragments": [{"string_key": name}]}, "route_configuration": {
            "name": name,
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}],
        }})
    };
    let scopes = [
        table("first", aborted),
        table("second", direct("/", 200, "second")),
    ];
    let key = json!({"header_value_extractor": {"name": "x-scope", "index": 0}});
    let proxy = Config::http(&[])
        .http_filters(&[
            http_filter("ext_authz", "ext_authz.v3.ExtAuthz", authorizes),
            http_filter("fault", "fault.v3.HTTPFault", json!({})),
        ])
        .manager(json!({
            "route_config": null,
            "scoped_routes": {
                "name": "scopes",
                "scope_key_builder": {"fragments": [key]},
                "scoped_route_configurations_list": {"scoped_route_configurations": scopes},
            },
        }))
        .cluster("authz", &[moves.address()])
        .start();
    let response = proxy
        .connect()
        .request("GET", "/", "x-scope: first\r\n", "");
    assert_eq!(response.brief(), (200, "second".to_owned()));
}
