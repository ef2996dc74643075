//! A host that has just become healthy gets little traffic at first.

use crate::harness::{Config, Reply, Upstream, route};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

#[test]
fn a_host_that_becomes_healthy_starts_slowly() {
    let status = Arc::new(AtomicU16::new(503));
    let answer = Arc::clone(&status);
    let new = Upstream::http(move |request| match request.path.as_str() {
        "/hz" => Reply::new(answer.load(Ordering::Relaxed), "", ""),
        _ => Reply::ok("new"),
    });
    let old = Upstream::ok("old");
    let proxy = Config::http(&[route("/", "hosts")])
        .cluster_with(
            "hosts",
            &[old.address(), new.address()],
            json!({
                "health_checks": [{
                    "timeout": "0.5s", "interval": "0.1s", "no_traffic_interval": "0.1s",
                    "unhealthy_threshold": 1, "healthy_threshold": 1,
                    "http_health_check": {"path": "/hz"},
                }],
                "common_lb_config": {"update_merge_window": "0s"},
                "round_robin_lb_config": {"slow_start_config": {
                    "slow_start_window": "2s",
                    "aggression": {"default_value": 0.2, "runtime_key": "aggression"},
                }},
            }),
        )
        .start();
    proxy.wait_stat("cluster.hosts.membership_healthy", 1);
    // The one that was healthy from the beginning leaves its window before the other enters it.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    status.store(200, Ordering::Relaxed);
    proxy.wait_stat("cluster.hosts.membership_healthy", 2);
    std::thread::sleep(std::time::Duration::from_millis(50));
    let get = |_| proxy.get("/").brief().1;
    let bodies: Vec<String> = (0..40).map(get).collect();
    let new = bodies.iter().filter(|body| *body == "new").count();
    assert!((1..=12).contains(&new), "{bodies:?}");
}
