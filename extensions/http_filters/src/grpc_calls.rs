//! What filters count of gRPC calls at the cluster that they go to, by service and method.

use nuncio_base::{HeaderMap, names};
use nuncio_http::Cx;
use nuncio_stats::{Scope, SharedCounter, SharedHistogram, Unit};
use nuncio_upstream::{ClusterManager, LocalCluster};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// How many methods a filter counts apart on a worker: their names are the clients'.
const MOST_METHODS: usize = 4096;

/// The counters of the methods that were called, made when they are first counted.
pub(crate) struct CallStats {
    clusters: Rc<ClusterManager>,
    /// Below `cluster.NAME.`.
    scope: &'static str,
    replace_dots: bool,
    methods: RefCell<HashMap<(Arc<str>, String), Rc<MethodStats>>>,
    generation: Cell<u64>,
}

/// The counters of a method at a cluster.
pub(crate) struct MethodStats {
    scope: Scope,
    counters: RefCell<HashMap<String, SharedCounter>>,
    time: OnceCell<SharedHistogram>,
}

impl MethodStats {
    /// Adds to a counter.
    pub fn add(&self, name: &str, amount: u64) {
        let mut counters = self.counters.borrow_mut();
        if let Some(counter) = counters.get(name) {
            return counter.add(amount);
        }
        let counter = self.scope.counter(name);
        counter.add(amount);
        counters.insert(name.to_owned(), counter);
    }

    /// Counts how a call ended, where these fields say so.
    pub fn count_status(&self, fields: &HeaderMap) {
        let Some(status) = fields.get(names::GRPC_STATUS) else {
            return;
        };
        // There are 17 of them; what else a peer may say is not counted by its name.
        let status = std::str::from_utf8(status).ok();
        let status: Option<u32> = status.and_then(|status| status.parse().ok());
        if let Some(status) = status.filter(|status| *status <= 16) {
            self.add(&status.to_string(), 1);
        }
        let outcome = match status {
            Some(0) => "success",
            _ => "failure",
        };
        self.add(outcome, 1);
        self.add("total", 1);
    }

    /// Records how long the upstream took, in milliseconds.
    pub fn record_time(&self, milliseconds: u64) {
        let make = || self.scope.histogram("upstream_rq_time", Unit::Milliseconds);
        self.time.get_or_init(make).record(milliseconds);
    }
}

impl CallStats {
    pub fn new(clusters: Rc<ClusterManager>, scope: &'static str, replace_dots: bool) -> Self {
        Self {
            clusters,
            scope,
            replace_dots,
            methods: RefCell::default(),
            generation: Cell::new(0),
        }
    }

    /// The counters of a method at the request's cluster; of calls as such for `None`. `None`
    /// where the request goes to no cluster.
    pub fn of(&self, cx: &mut Cx<'_>, method: Option<(&str, &str)>) -> Option<Rc<MethodStats>> {
        let cluster = request_cluster(cx, &self.clusters)?;
        let mut methods = self.methods.borrow_mut();
        let generation = self.clusters.generation();
        if self.generation.replace(generation) != generation {
            methods.retain(|(cluster, _), _| self.clusters.contains(cluster));
        }
        let name = match method {
            Some((service, method)) => match self.replace_dots {
                true => format!("{}.{method}", service.replace('.', "_")),
                false => format!("{service}.{method}"),
            },
            None => String::new(),
        };
        let mut key = (Arc::clone(cluster.name()), name);
        if methods.len() >= MOST_METHODS && !methods.contains_key(&key) {
            key.1.clear();
        }
        if let Some(stats) = methods.get(&key) {
            return Some(Rc::clone(stats));
        }
        let scope = cluster.info().scope.scope(self.scope);
        let scope = match key.1.as_str() {
            "" => scope,
            name => scope.scope(name),
        };
        let stats = Rc::new(MethodStats {
            scope,
            counters: RefCell::default(),
            time: OnceCell::new(),
        });
        methods.insert(key, Rc::clone(&stats));
        Some(stats)
    }
}

/// The service and the method of a path `/package.Service/Method`.
pub(crate) fn service_and_method(path: &[u8]) -> Option<(&str, &str)> {
    let path = std::str::from_utf8(path).ok()?;
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let good = !service.is_empty() && !method.is_empty() && !method.contains('/');
    good.then_some((service, method))
}

/// The cluster that a request goes to.
fn request_cluster(cx: &mut Cx<'_>, clusters: &ClusterManager) -> Option<Rc<LocalCluster>> {
    cx.lookup_route();
    let state = cx.state();
    let selected = state.route.selected()?;
    let name = selected.cluster_name(&state.request.headers)?;
    clusters.get(std::str::from_utf8(name).ok()?)
}
