//! `server.*` and what else the main thread counts (Envoy's `server_stats.h`).

use nuncio_http::conn_manager::RouterStats;
use nuncio_stats::{SharedGauge, Store};
use std::time::Instant;

/// Gauges that change while the server runs; the others are set once and kept alive here.
pub struct ServerStats {
    uptime: SharedGauge,
    total_connections: SharedGauge,
    days_until_first_cert_expiring: SharedGauge,
    memory_allocated: SharedGauge,
    memory_heap_size: SharedGauge,
    memory_physical_size: SharedGauge,
    bug_failures: nuncio_stats::SharedCounter,
    recent_lookups: SharedGauge,
    started: Instant,
    _constant: Vec<Box<dyn std::any::Any>>,
}

impl ServerStats {
    /// Makes the stats; `version` is shown as `server.version`, 0 where there is none.
    pub fn new(store: &Store, concurrency: u32, version: Option<u64>, started: Instant) -> Self {
        let scope = store.scope("server");
        let mut constant: Vec<Box<dyn std::any::Any>> = Vec::new();
        let gauges = [
            ("compilation_settings.fips_mode", 0),
            ("concurrency", u64::from(concurrency)),
            ("hot_restart_epoch", 0),
            ("hot_restart_generation", 1),
            ("parent_connections", 0),
            ("seconds_until_first_ocsp_response_expiring", 0),
            ("version", version.unwrap_or_default()),
        ];
        for (name, value) in gauges {
            let gauge = scope.gauge(name);
            gauge.set(value);
            constant.push(Box::new(gauge));
        }
        let counters = [
            "debug_assertion_failures",
            "dropped_stat_flushes",
            "dynamic_unknown_fields",
            "envoy_notifications",
            "static_unknown_fields",
            "wip_protos",
        ];
        for name in counters {
            constant.push(Box::new(scope.counter(name)));
        }
        constant.extend(unmoved(store));
        Self {
            uptime: scope.gauge("uptime"),
            total_connections: scope.gauge("total_connections"),
            days_until_first_cert_expiring: scope.gauge("days_until_first_cert_expiring"),
            memory_allocated: scope.gauge("memory_allocated"),
            memory_heap_size: scope.gauge("memory_heap_size"),
            memory_physical_size: scope.gauge("memory_physical_size"),
            bug_failures: scope.counter("envoy_bug_failures"),
            recent_lookups: scope.gauge("stats_recent_lookups"),
            started,
            _constant: constant,
        }
    }

    /// Sets what changes, before stats are shown; `certificates` are the days until the first one
    /// expires, if there are any.
    pub fn update(&self, store: &Store, now: Instant, connections: u64, certificates: Option<u64>) {
        self.recent_lookups.set(store.lookups().total());
        let days = certificates.unwrap_or(u64::from(u32::MAX));
        self.days_until_first_cert_expiring.set(days);
        self.uptime
            .set(now.saturating_duration_since(self.started).as_secs());
        self.total_connections.set(connections);
        let memory = crate::memory::read();
        self.memory_allocated.set(memory.resident);
        self.memory_heap_size.set(memory.mapped);
        self.memory_physical_size.set(memory.resident);
        let failures = nuncio_base::bug::FAILURES.load(std::sync::atomic::Ordering::Relaxed);
        let counted = self.bug_failures.value();
        self.bug_failures.add(failures.saturating_sub(counted));
    }
}

/// What Envoy shows from the start, of parts that nothing asks anything of here: no load is shed,
/// and the server sends no requests of its own.
fn unmoved(store: &Store) -> [Box<dyn std::any::Any>; 3] {
    let shed = store.scope("envoy.overload_actions.reset_high_memory_stream");
    let delay = store.scope("overload");
    let delay = delay.histogram("refresh_interval_delay", nuncio_stats::Unit::Milliseconds);
    let client = store.scope("http.async-client").group::<RouterStats>();
    [
        Box::new(shed.counter("count")),
        Box::new(delay),
        Box::new(client),
    ]
}
