//! Where a connection manager's streams have their route tables from: one table, or several of
//! which each request's headers choose one.

use nuncio_base::HeaderMap;
use nuncio_route::scopes::ScopeKeyBuilder;
use nuncio_route::{RouteTable, ScopeKey};
use nuncio_worker::{Current, Held, Published, Worker};
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Where route tables come from, the same for all workers.
pub enum RouteSource {
    /// One table.
    Table(Published<RouteTable>),
    /// One table that is delivered, and may be replaced.
    Updated(UpdatedTable),
    /// Tables by scope.
    Scoped(ScopedRoutes),
}

/// A table that is delivered.
pub struct UpdatedTable {
    /// The table as it was delivered last.
    pub table: Published<RouteTable>,
    /// What delivers it ends when this is dropped by all.
    pub provider: Option<Arc<dyn Any + Send + Sync>>,
}

/// Tables by scope.
pub struct ScopedRoutes {
    /// How a request's key is read.
    pub builder: Arc<ScopeKeyBuilder>,
    /// The scopes as they are now.
    pub scopes: Published<Scopes>,
    /// What delivers scopes ends when this is dropped by all; none where they stay as they are.
    pub provider: Option<Arc<dyn Any + Send + Sync>>,
}

/// Each scope's table, by the scope's key. Tables change by themselves.
#[derive(Default)]
pub struct Scopes(pub HashMap<ScopeKey, Published<RouteTable>>);

impl RouteSource {
    /// A worker's part.
    pub fn on(&self, worker: &Rc<Worker>) -> LocalRoutes {
        match self {
            Self::Table(table) | Self::Updated(UpdatedTable { table, .. }) => {
                LocalRoutes::Table(table.on(worker))
            }
            Self::Scoped(scoped) => LocalRoutes::Scoped(LocalScopes::new(scoped, worker)),
        }
    }
}

/// Where route tables come from, on one worker.
pub enum LocalRoutes {
    /// One table, as it changes.
    Table(Current<RouteTable>),
    /// Tables by scope.
    Scoped(Rc<LocalScopes>),
}

/// Scoped routes on one worker.
pub struct LocalScopes {
    worker: Rc<Worker>,
    builder: Arc<ScopeKeyBuilder>,
    scopes: Current<Scopes>,
    used: RefCell<UsedScopes>,
}

/// The scopes that requests have asked for, of one version of them.
struct UsedScopes {
    of: Held<Scopes>,
    tables: HashMap<ScopeKey, Current<RouteTable>>,
}

impl LocalScopes {
    fn new(scoped: &ScopedRoutes, worker: &Rc<Worker>) -> Rc<Self> {
        let scopes = scoped.scopes.on(worker);
        Rc::new(Self {
            worker: Rc::clone(worker),
            builder: Arc::clone(&scoped.builder),
            used: RefCell::new(UsedScopes {
                of: scopes.get(),
                tables: HashMap::new(),
            }),
            scopes,
        })
    }

    /// The table that a request's headers choose; `key` is memory to work in.
    pub(crate) fn choose(
        &self,
        headers: &HeaderMap,
        key: &mut ScopeKey,
    ) -> Option<Held<RouteTable>> {
        if !self.builder.read(headers, key) {
            return None;
        }
        let now = self.scopes.get();
        let mut used = self.used.borrow_mut();
        if !Arc::ptr_eq(used.of.shared(), now.shared()) {
            used.tables.clear();
            used.of = now.clone();
        }
        if let Some(table) = used.tables.get(key) {
            return Some(table.get());
        }
        let table = now.0.get(key)?.on(&self.worker);
        let held = table.get();
        used.tables.insert(key.clone(), table);
        Some(held)
    }
}
