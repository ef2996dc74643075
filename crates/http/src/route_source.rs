//! Where a connection manager's streams have their route tables from: one table, or several of
//! which each request's headers choose one.

use nuncio_base::HeaderMap;
use nuncio_route::{RouteTable, ScopeKey, Scopes};
use nuncio_worker::{Current, Held, Published, Worker};
use std::any::Any;
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
    Scoped(Arc<Scopes>),
}

/// A table that is delivered.
pub struct UpdatedTable {
    /// The table as it was delivered last.
    pub table: Published<RouteTable>,
    /// What delivers it ends when this is dropped by all.
    pub provider: Option<Arc<dyn Any + Send + Sync>>,
}

impl RouteSource {
    /// A worker's part.
    pub fn on(&self, worker: &Rc<Worker>) -> LocalRoutes {
        match self {
            Self::Table(table) | Self::Updated(UpdatedTable { table, .. }) => {
                LocalRoutes::Table(table.on(worker))
            }
            Self::Scoped(scopes) => LocalRoutes::Scoped(LocalScopes::new(scopes)),
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
    shared: Arc<Scopes>,
    tables: HashMap<ScopeKey, Held<RouteTable>>,
}

impl LocalScopes {
    fn new(shared: &Arc<Scopes>) -> Rc<Self> {
        let tables = shared.tables.iter();
        Rc::new(Self {
            tables: tables
                .map(|(key, table)| (key.clone(), Held::from(Arc::clone(table))))
                .collect(),
            shared: Arc::clone(shared),
        })
    }

    /// The table that a request's headers choose; `key` is memory to work in.
    pub(crate) fn choose(
        &self,
        headers: &HeaderMap,
        key: &mut ScopeKey,
    ) -> Option<Held<RouteTable>> {
        let has_key = self.shared.builder.read(headers, key);
        has_key.then(|| self.tables.get(key).cloned())?
    }
}
