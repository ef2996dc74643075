//! Listener filters that are not asked of some connections (`filter_disabled`).

use crate::listener_filter::{
    Candidate, ListenerFilter, ListenerFilterFactory, ListenerFilterStatus,
    LocalListenerFilterFactory,
};
use nuncio_stream_info::ConnectionInfo;
use nuncio_worker::Worker;
use std::future::{Future, ready};
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

/// Of which connections a filter is not asked (`ListenerFilterChainMatchPredicate`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DisablePredicate {
    /// Those that one of these holds for.
    Any(Vec<DisablePredicate>),
    /// Those that all of these hold for.
    All(Vec<DisablePredicate>),
    /// Those that this doesn't hold for.
    Not(Box<DisablePredicate>),
    /// Those to a port in this range, as far as is known when the filter's turn comes.
    DestinationPort(Range<i32>),
}

impl DisablePredicate {
    fn holds(&self, info: &ConnectionInfo) -> bool {
        match self {
            Self::Any(all) => all.iter().any(|one| one.holds(info)),
            Self::All(all) => all.iter().all(|one| one.holds(info)),
            Self::Not(one) => !one.holds(info),
            Self::DestinationPort(range) => {
                let address = info.local_address.ip();
                address.is_some_and(|address| range.contains(&address.port().into()))
            }
        }
    }
}

/// A filter with its predicate.
pub struct SometimesDisabled<F: ?Sized> {
    predicate: Arc<DisablePredicate>,
    filter: F,
}

impl SometimesDisabled<Arc<dyn ListenerFilterFactory>> {
    /// `filter`, unless `predicate` holds.
    pub fn of(
        filter: Arc<dyn ListenerFilterFactory>,
        predicate: DisablePredicate,
    ) -> Arc<dyn ListenerFilterFactory> {
        let predicate = Arc::new(predicate);
        Arc::new(Self { predicate, filter })
    }
}

impl ListenerFilterFactory for SometimesDisabled<Arc<dyn ListenerFilterFactory>> {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalListenerFilterFactory> {
        Rc::new(SometimesDisabled {
            predicate: Arc::clone(&self.predicate),
            filter: self.filter.localize(worker),
        })
    }
}

impl LocalListenerFilterFactory for SometimesDisabled<Rc<dyn LocalListenerFilterFactory>> {
    fn create(&self) -> Box<dyn ListenerFilter> {
        Box::new(SometimesDisabled {
            predicate: Arc::clone(&self.predicate),
            filter: self.filter.create(),
        })
    }
}

impl ListenerFilter for SometimesDisabled<Box<dyn ListenerFilter>> {
    fn inspect<'a>(
        &'a mut self,
        candidate: &'a mut Candidate,
    ) -> Pin<Box<dyn Future<Output = ListenerFilterStatus> + 'a>> {
        match self.predicate.holds(&candidate.info) {
            true => Box::pin(ready(ListenerFilterStatus::Continue)),
            false => self.filter.inspect(candidate),
        }
    }
}
