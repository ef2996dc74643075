//! Contexts that are made anew when one of their secrets changes (SDS), or a file of theirs whose
//! directory is watched. Connections keep the context that they began with.

pub mod config;

use super::stats::LocalStats;
use nuncio_worker::{Current, Published, Worker};
use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// What main keeps for as long as this is held.
pub type Kept = Option<Arc<dyn Any + Send + Sync>>;

/// A context as its factories have it.
pub enum ContextSource<C> {
    /// It stays as it is.
    Fixed(Arc<C>),
    /// It changes with its secrets, and is there once they all are.
    Renewed {
        /// The newest.
        contexts: Published<Option<Arc<C>>>,
        /// Has main renew it; none where nothing runs.
        renewal: Kept,
    },
}

/// A context on one worker: what is made of its newest version there.
pub struct LocalContext<C, L> {
    newest: Newest<C>,
    made: RefCell<Option<(Arc<C>, Rc<L>)>>,
    make: fn(&Arc<C>, &Rc<LocalStats>) -> L,
    /// What connections of any version count.
    pub stats: Rc<LocalStats>,
    /// For as long as the worker uses it.
    _renewal: Kept,
}

enum Newest<C> {
    Fixed(Arc<C>),
    Renewed(Current<Option<Arc<C>>>),
}

impl<C: Send + Sync + 'static, L> LocalContext<C, L> {
    /// `source` on `worker`.
    pub fn new(
        source: &ContextSource<C>,
        worker: &Worker,
        stats: LocalStats,
        make: fn(&Arc<C>, &Rc<LocalStats>) -> L,
    ) -> Self {
        let (newest, renewal) = match source {
            ContextSource::Fixed(context) => (Newest::Fixed(Arc::clone(context)), None),
            ContextSource::Renewed { contexts, renewal } => {
                (Newest::Renewed(contexts.on(worker)), renewal.clone())
            }
        };
        Self {
            newest,
            made: RefCell::default(),
            make,
            stats: Rc::new(stats),
            _renewal: renewal,
        }
    }

    /// What is made of the newest version; `None` while secrets are missing.
    pub fn get(&self) -> Option<Rc<L>> {
        let held;
        let newest = match &self.newest {
            Newest::Fixed(context) => context,
            Newest::Renewed(current) => {
                held = current.get();
                Option::as_ref(&*held)?
            }
        };
        let mut made = self.made.borrow_mut();
        if let Some((of, local)) = &*made
            && Arc::ptr_eq(of, newest)
        {
            return Some(Rc::clone(local));
        }
        let local = Rc::new((self.make)(newest, &self.stats));
        *made = Some((Arc::clone(newest), Rc::clone(&local)));
        Some(local)
    }
}
