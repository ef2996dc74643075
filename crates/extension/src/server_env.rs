//! What configuration code may use of the server it is parsed for.

use crate::registry::Registry;
use nuncio_stats::{Scope, Store};
use nuncio_worker::WorkerHandle;
use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Who this proxy is (`envoy.config.core.v3.Node` and the command line).
#[derive(Clone, Debug, Default)]
pub struct NodeInfo {
    /// `node.id`.
    pub id: String,
    /// `node.cluster`.
    pub cluster: String,
    /// `node.locality.zone`.
    pub zone: String,
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
    clusters: RefCell<HashSet<String>>,
    services: RefCell<HashMap<TypeId, Rc<dyn Any>>>,
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
        Rc::new(Self {
            registry,
            store,
            workers,
            node,
            validate_only,
            clusters,
            services,
        })
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

    /// A value that extensions of a kind share on main, such as the table of access log files;
    /// made on first use.
    pub fn shared<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        let known = self.services.borrow().get(&TypeId::of::<T>()).cloned();
        if let Some(service) = known.and_then(|service| service.downcast::<T>().ok()) {
            return service;
        }
        let service = Rc::new(make());
        let erased: Rc<dyn Any> = service.clone();
        self.services.borrow_mut().insert(TypeId::of::<T>(), erased);
        service
    }
}
