//! The filter on one stream: it has nothing to do there.

use nuncio_config::vhds::HostsClaim;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Hooks, HttpFilter};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// The filter's configuration.
#[derive(Clone, Debug)]
pub struct OnDemandSpec {
    /// Refuses tables whose hosts it would ask for.
    pub(super) _claim: Arc<HostsClaim>,
}

impl HttpFilterSpec for OnDemandSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(LocalOnDemand)))
    }
}

struct LocalOnDemand;

impl HttpFilterFactory for LocalOnDemand {
    type Filter = OnDemandFilter;

    fn hooks(&self) -> Hooks {
        Hooks::NONE
    }

    fn create(self: &Rc<Self>) -> OnDemandFilter {
        OnDemandFilter
    }
}

/// The filter.
pub struct OnDemandFilter;

impl HttpFilter for OnDemandFilter {}
