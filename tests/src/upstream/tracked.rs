//! Stats that clusters keep where they are asked to (`track_cluster_stats`).

use crate::harness::{Config, Upstream, route};
use serde_json::json;

#[test]
fn sizes_and_budgets_and_endpoints_are_tracked_on_request() {
    let upstream = Upstream::ok("hello");
    let track = json!({"track_cluster_stats": {
        "timeout_budgets": true, "request_response_sizes": true, "per_endpoint_stats": true,
    }});
    let proxy = Config::http(&[route("/a", "a"), route("/", "b")])
        .cluster_with("a", &[upstream.address()], track)
        .cluster("b", &[upstream.address()])
        .bootstrap(json!({"stats_flush_on_admin": true}))
        .start();
    for path in ["/a", "/b"] {
        assert_eq!(proxy.get(path).brief(), (200, "hello".to_owned()));
    }
    // Envoy merges what workers recorded a moment after it was asked.
    let histograms = || proxy.admin("/stats?type=Histograms").text();
    let merged = (0..100).map(|_| histograms());
    let is_merged = |text: &String| text.contains("cluster.a.upstream_rs_body_size: P0(");
    let histograms = merged.into_iter().find(is_merged).unwrap();
    for (name, value) in [
        ("upstream_rq_body_size", "P0(0,0)"),
        ("upstream_rq_headers_count", "P0("),
        ("upstream_rq_headers_size", "P0("),
        ("upstream_rq_timeout_budget_per_try_percent_used", "P0(0,0)"),
        ("upstream_rq_timeout_budget_percent_used", "P0(0,0)"),
        ("upstream_rs_body_size", "P0(5"),
        ("upstream_rs_headers_count", "P0("),
        ("upstream_rs_headers_size", "P0("),
    ] {
        let expected = format!("cluster.a.{name}: {value}");
        assert!(histograms.contains(&expected), "{expected}: {histograms}");
        assert!(!histograms.contains(&format!("cluster.b.{name}")), "{name}");
    }
    let address = upstream.address();
    let name = format!(
        "cluster.a.endpoint.{}",
        address.to_string().replace(':', "_")
    );
    let gauges = format!(
        "{name}.cx_active: 1\n{name}.rq_active: 0\n{name}.rq_pending_active: 0\n{name}.healthy: 1\n"
    );
    let shown = proxy.admin("/stats?filter=endpoint&type=Gauges").text();
    assert_eq!(shown, gauges);
    let shown = proxy
        .admin("/stats/prometheus?filter=endpoint.*rq_total")
        .text();
    let metric = "envoy_cluster_endpoint_rq_total";
    let expected = format!(
        "# TYPE {metric} counter\n{metric}{{envoy_cluster_name=\"a\",\
         envoy_endpoint_address=\"{address}\"}} 1\n"
    );
    assert_eq!(shown, expected);
}
