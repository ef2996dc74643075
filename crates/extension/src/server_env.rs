//! What configuration code may use of the server it is parsed for.

use crate::registry::Registry;
use nuncio_proto::Packed;
use nuncio_proto::google::protobuf::Any;
use nuncio_stats::{Scope, Store};
use nuncio_upstream::Locality;
use nuncio_worker::{Worker, WorkerHandle};
use std::any::{Any as AnyValue, TypeId};
use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

/// Who this proxy is (`envoy.config.core.v3.Node` and the command line).
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// `node.id`.
    pub id: String,
    /// `node.cluster`.
    pub cluster: String,
    /// `node.locality.zone`.
    pub zone: String,
    /// `node.locality`.
    pub locality: Option<Arc<Locality>>,
    /// `cluster_manager.local_cluster_name`; empty where this proxy belongs to no cluster.
    pub local_cluster: Arc<str>,
}

impl Default for NodeInfo {
    fn default() -> Self {
        Self {
            id: String::new(),
            cluster: String::new(),
            zone: String::new(),
            locality: None,
            local_cluster: "".into(),
        }
    }
}

/// Whether the server was told to fail its health checks (`/healthcheck/fail`); shared by
/// [`ServerEnv::shared`].
#[derive(Default)]
pub struct HealthCheckSwitch(pub Arc<AtomicBool>);

/// A configuration for `config_dump`, shown as long as it is in use.
struct Shown<T> {
    name: String,
    config: T,
    in_use: Weak<dyn AnyValue + Send + Sync>,
}

impl<T> Shown<T> {
    fn is_in_use(&self) -> bool {
        self.in_use.strong_count() > 0
    }
}

/// The server as configuration sees it; lives on the main thread.
pub struct ServerEnv {
    /// All extensions.
    pub registry: &'static Registry,
    /// The stats of the process.
    pub store: Store,
    /// The workers, main not among them; empty while a config is only validated.
    pub workers: Vec<WorkerHandle>,
    /// Who this proxy is.
    pub node: NodeInfo,
    /// Whether nothing may be opened or connected (`--mode validate`).
    pub validate_only: bool,
    main: OnceCell<Rc<Worker>>,
    clusters: RefCell<HashSet<String>>,
    primary_clusters: RefCell<Option<HashSet<String>>>,
    route_configs: RefCell<Vec<Shown<Packed>>>,
    scoped_routes: RefCell<Vec<Shown<Vec<Any>>>>,
    services: RefCell<HashMap<TypeId, Rc<dyn AnyValue>>>,
}

impl ServerEnv {
    /// The environment of a server.
    pub fn new(
        registry: &'static Registry,
        store: Store,
        workers: Vec<WorkerHandle>,
        node: NodeInfo,
        validate_only: bool,
    ) -> Rc<Self> {
        let (clusters, services) = (RefCell::default(), RefCell::default());
        let (route_configs, scoped_routes) = (RefCell::default(), RefCell::default());
        Rc::new(Self {
            registry,
            store,
            workers,
            node,
            validate_only,
            main: OnceCell::new(),
            clusters,
            primary_clusters: RefCell::default(),
            route_configs,
            scoped_routes,
            services,
        })
    }

    /// Makes the main worker known, which lends this environment to what runs on it.
    pub fn set_main(self: &Rc<Self>, worker: &Rc<Worker>) {
        worker.services().add(Rc::clone(self));
        // It is told once, at the start.
        let _ = self.main.set(Rc::clone(worker));
    }

    /// The main worker; none where nothing runs.
    pub fn main(&self) -> Option<&Rc<Worker>> {
        self.main.get()
    }

    /// The stats scope without a prefix.
    pub fn scope(&self) -> Scope {
        self.store.root()
    }

    /// Makes a cluster's name known, or forgets it: routes are checked against these.
    pub fn set_cluster(&self, name: &str, known: bool) {
        let mut clusters = self.clusters.borrow_mut();
        if known {
            clusters.insert(name.to_owned());
        } else {
            clusters.remove(name);
        }
    }

    /// Whether there is a cluster of this name.
    pub fn has_cluster(&self, name: &str) -> bool {
        self.clusters.borrow().contains(name)
    }

    /// Says which clusters control planes may be behind: static ones, whose hosts don't come from
    /// a control plane themselves.
    pub fn set_primary_clusters(&self, names: HashSet<String>) {
        *self.primary_clusters.borrow_mut() = Some(names);
    }

    /// Whether a control plane may be behind a cluster; behind any, where nobody has said.
    pub fn is_primary_cluster(&self, name: &str) -> bool {
        let names = self.primary_clusters.borrow();
        names.as_ref().is_none_or(|names| names.contains(name))
    }

    /// Makes a route configuration known to the admin, for as long as `in_use` is.
    pub fn add_route_config(
        &self,
        name: &str,
        config: Packed,
        in_use: Weak<dyn AnyValue + Send + Sync>,
    ) {
        let mut configs = self.route_configs.borrow_mut();
        // Looked through when it is full only: a thousand listeners would look a million times.
        if configs.len() == configs.capacity() {
            configs.retain(Shown::is_in_use);
        }
        configs.push(Shown {
            name: name.to_owned(),
            config,
            in_use,
        });
    }

    /// Makes scoped routes known to the admin, for as long as `in_use` is.
    pub fn add_scoped_routes(
        &self,
        name: &str,
        scopes: Vec<Any>,
        in_use: Weak<dyn AnyValue + Send + Sync>,
    ) {
        let mut configs = self.scoped_routes.borrow_mut();
        configs.retain(Shown::is_in_use);
        configs.push(Shown {
            name: name.to_owned(),
            config: scopes,
            in_use,
        });
    }

    /// The scoped routes in use, by name.
    pub fn scoped_routes(&self) -> Vec<(String, Vec<Any>)> {
        let configs = self.scoped_routes.borrow();
        let in_use = configs.iter().filter(|shown| shown.is_in_use());
        in_use
            .map(|shown| (shown.name.clone(), shown.config.clone()))
            .collect()
    }

    /// The route configurations in use, by name.
    pub fn route_configs(&self) -> Vec<(String, Any)> {
        let configs = self.route_configs.borrow();
        let in_use = configs.iter().filter(|shown| shown.is_in_use());
        in_use
            .map(|shown| (shown.name.clone(), shown.config.any()))
            .collect()
    }

    /// A value that extensions of a kind share on main, such as the table of access log files;
    /// made on first use.
    pub fn shared<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        let known = self.services.borrow().get(&TypeId::of::<T>()).cloned();
        if let Some(service) = known.and_then(|service| service.downcast::<T>().ok()) {
            return service;
        }
        let service = Rc::new(make());
        let erased: Rc<dyn AnyValue> = service.clone();
        self.services.borrow_mut().insert(TypeId::of::<T>(), erased);
        service
    }
}
