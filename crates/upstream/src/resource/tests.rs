//! Limits over threads, budgets, and what runtime flags change of them.

use super::*;
use nuncio_base::runtime_flags::FlagValue;
use nuncio_stats::Store;
use std::sync::Arc;

#[test]
fn a_limit_holds_over_threads_and_its_gauge_is_0_or_1() {
    let store = Store::default();
    let thresholds = Thresholds {
        max_requests: 3,
        track_remaining: true,
        ..Thresholds::default()
    };
    let scope = store.scope("cluster.c");
    let manager = Arc::new(ResourceManager::new(
        [thresholds.clone(), thresholds].into(),
        Priority::High,
        &scope,
    ));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let manager = Arc::clone(&manager);
            std::thread::spawn(move || {
                let local = LocalResources::new(&manager);
                for _ in 0..20_000 {
                    if local.try_take(&manager, Resource::Requests) {
                        assert!(manager.used(Resource::Requests) <= 3);
                        local.give(&manager, Resource::Requests);
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let gauge = |name: &str| {
        let name = format!("cluster.c.circuit_breakers.high.{name}");
        store.gauge_value(&name).unwrap()
    };
    assert_eq!((gauge("rq_open"), gauge("remaining_rq")), (0, 3));
    let local = LocalResources::new(&manager);
    let taken = (0..5).filter(|_| local.try_take(&manager, Resource::Requests));
    assert_eq!(taken.count(), 3);
    assert_eq!((gauge("rq_open"), gauge("remaining_rq")), (1, 0));
    assert_eq!((gauge("cx_open"), gauge("remaining_cx")), (0, 1024));
    local.take(&manager, Resource::Requests);
    local.give(&manager, Resource::Requests);
    assert_eq!((gauge("rq_open"), gauge("remaining_rq")), (1, 0));
    local.give(&manager, Resource::Requests);
    assert_eq!((gauge("rq_open"), gauge("remaining_rq")), (0, 1));
    // A pool has one connection even where none is allowed.
    let none = [("c.max_connections".to_owned(), FlagValue::Number(0.0))];
    let none = RuntimeFlags::merged([&none[..]]);
    manager.apply_runtime(&local, &none, "c");
    assert_eq!(gauge("cx_open"), 0);
    for (takes, open) in [(true, 1), (true, 1), (false, 1), (false, 0)] {
        match takes {
            true => local.take(&manager, Resource::Connections),
            false => local.give(&manager, Resource::Connections),
        }
        assert_eq!(gauge("cx_open"), open);
    }
}

#[test]
fn a_retry_budget_follows_the_traffic() {
    let scope = Store::default().scope("c");
    let thresholds = Thresholds {
        retry_budget: Some(RetryBudget {
            percent: 20.0,
            min_retry_concurrency: 1,
        }),
        ..Thresholds::default()
    };
    let manager = ResourceManager::new(
        [thresholds.clone(), thresholds].into(),
        Priority::Default,
        &scope,
    );
    let local = LocalResources::new(&manager);
    for (requests, max) in [(0, 1), (9, 1), (1, 2), (10, 4)] {
        for _ in 0..requests {
            local.take(&manager, Resource::Requests);
        }
        assert_eq!(manager.max(Resource::Retries), max);
    }
}

#[test]
fn runtime_flags_override_limits() {
    let store = Store::default();
    let scope = store.scope("cluster.c");
    let thresholds = Thresholds {
        retry_budget: Some(RetryBudget {
            percent: 20.0,
            min_retry_concurrency: 1,
        }),
        track_remaining: true,
        ..Thresholds::default()
    };
    let manager = ResourceManager::new(
        [thresholds.clone(), thresholds].into(),
        Priority::Default,
        &scope,
    );
    let local = LocalResources::new(&manager);
    let apply = |entries: &[(&str, f64)]| {
        let entry = |(key, value): &(&str, f64)| (format!("p.{key}"), FlagValue::Number(*value));
        let entries: Vec<_> = entries.iter().map(entry).collect();
        let flags = RuntimeFlags::merged([&entries[..]]);
        manager.apply_runtime(&local, &flags, "p");
    };
    let gauge = |name: &str| {
        let name = format!("cluster.c.circuit_breakers.default.{name}");
        store.gauge_value(&name).unwrap()
    };
    local.take(&manager, Resource::Requests);
    local.take(&manager, Resource::Requests);
    apply(&[
        ("max_requests", 2.0),
        ("retry_budget.min_retry_concurrency", 7.0),
    ]);
    assert!(!local.try_take(&manager, Resource::Requests));
    assert_eq!((gauge("rq_open"), gauge("remaining_rq")), (1, 0));
    assert_eq!(manager.max(Resource::Retries), 7);
    apply(&[("max_requests", 1.0)]);
    local.give(&manager, Resource::Requests);
    assert_eq!(gauge("rq_open"), 1);
    local.give(&manager, Resource::Requests);
    assert_eq!((gauge("rq_open"), gauge("remaining_rq")), (0, 1));
    apply(&[]);
    assert_eq!(manager.max(Resource::Requests), 1024);
    assert_eq!(manager.max(Resource::Retries), 1);
}
