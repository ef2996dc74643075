//! The store as components use it: what is counted on several threads is what is read.

use crate::{Store, Unit, stat_group};

stat_group! {
    /// A group with each kind of stat.
    pub struct TestStats {
        counters { requests_total, ssl_handshake = "ssl.handshake" }
        gauges { active }
        histograms { length_ms: Milliseconds, body = "body.size": Bytes }
    }
}

stat_group! {
    /// A group without histograms.
    struct FewStats { counters { only } }
}

#[test]
fn workers_sum_up() {
    let store = Store::default();
    let group = store.scope("a:b").group::<TestStats>();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let group = group.clone();
            scope.spawn(move || {
                let stats = group.local();
                for _ in 0..1000 {
                    stats.requests_total().inc();
                    stats.active().inc();
                }
                stats.active().sub(990);
                stats.ssl_handshake().add(7);
            });
        }
    });
    assert_eq!(store.counter_value("a_b.requests_total"), Some(4000));
    assert_eq!(store.counter_value("a_b.ssl.handshake"), Some(28));
    assert_eq!(store.gauge_value("a_b.active"), Some(40));
    store.reset_counters();
    let stats = group.local();
    stats.requests_total().inc();
    assert_eq!(store.counter_value("a_b.requests_total"), Some(1));
    assert_eq!(store.gauge_value("a_b.active"), Some(40));
}

#[test]
fn a_name_is_one_stat_while_a_handle_lives() {
    let store = Store::default();
    let group = store.scope("x").group::<FewStats>();
    let local = group.local();
    local.only().inc();
    drop(group);
    store.scope("x").group::<FewStats>().local().only().inc();
    assert_eq!(store.counter_value("x.only"), Some(2));
    drop(local);
    assert_eq!(store.counter_value("x.only"), None);
    let again = store.scope("x").group::<FewStats>();
    assert_eq!(store.counter_value("x.only"), Some(0));
    drop(again);

    let counter = store.scope("x").counter("y");
    store.root().counter("x.y").add(3);
    assert_eq!(counter.value(), 3);
    drop(counter);
    assert_eq!(store.counter_value("x.y"), None);
}

#[test]
fn cells_of_a_local_that_is_gone_are_taken_over() {
    let store = Store::default();
    let group = store.root().group::<FewStats>();
    for _ in 0..1000 {
        group.local().only().inc();
    }
    assert_eq!(store.counter_value("only"), Some(1000));
}

#[test]
fn shared_stats() {
    let store = Store::default();
    let scope = store.scope("s");
    let gauge = scope.gauge("g");
    gauge.add(2);
    gauge.sub(5);
    assert_eq!(gauge.value(), 0);
    gauge.set(9);
    assert_eq!(store.gauge_value("s.g"), Some(9));
    let histogram = scope.histogram("h", Unit::Unspecified);
    histogram.record(1);
    scope.text_readout("t").set("x");
}

#[test]
fn response_codes_appear_when_counted() {
    let store = Store::default();
    let codes = store.scope("cluster.c").response_codes();
    let local = codes.local();
    assert_eq!(store.counter_value("cluster.c.upstream_rq_completed"), None);
    for status in [200, 200, 204, 503, 999, 0] {
        local.count(status);
    }
    let cases = [
        ("upstream_rq_completed", Some(6)),
        ("upstream_rq_2xx", Some(3)),
        ("upstream_rq_5xx", Some(1)),
        ("upstream_rq_4xx", None),
        ("upstream_rq_200", Some(2)),
        ("upstream_rq_204", Some(1)),
        ("upstream_rq_503", Some(1)),
        ("upstream_rq_unknown", Some(2)),
    ];
    for (name, expected) in cases {
        assert_eq!(
            store.counter_value(&format!("cluster.c.{name}")),
            expected,
            "{name}"
        );
    }
}

#[test]
fn an_idle_group_costs_little() {
    // 10,000 clusters have each of their groups once, and a local per worker.
    type Cells = <TestStats as crate::StatGroup>::Cells;
    assert!(size_of::<Cells>() <= 16);
    assert!(crate::group::core_size::<TestStats>() <= 96);
}
