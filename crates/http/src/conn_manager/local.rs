//! The connection manager's part of one worker: what all its connections share there.

use crate::chain::LocalChain;
use crate::config::StreamConfig;
use crate::conn_manager::spec::HcmSpec;
use crate::conn_manager::stats::{HcmStats, ListenerHttpStats};
use crate::route_source::LocalRoutes;
use nuncio_base::time::HttpDate;
use nuncio_codec::HeaderPool;
use nuncio_codec::h1::H1Stats;
use nuncio_codec::h2::H2Local;
use nuncio_net::splice::Pipes;
use nuncio_observe::AccessLog;
use nuncio_worker::Worker;
use nuncio_worker::local_slot::LocalSlot;
use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

/// A connection manager on one worker.
pub struct HcmLocal {
    /// Its configuration.
    pub spec: Arc<HcmSpec>,
    pub(crate) worker: Rc<Worker>,
    pub(crate) chain: Rc<LocalChain>,
    pub(crate) stream_config: Rc<StreamConfig>,
    pub(crate) routes: LocalRoutes,
    pub(crate) access_logs: Vec<AccessLog>,
    pub(crate) stats: HcmStats,
    pub(crate) listener_stats: ListenerHttpStats,
    pub(crate) h1_stats: H1Stats,
    /// Made with the first connection that speaks HTTP/2, as its stats are shown from then on.
    h2: OnceCell<Rc<H2Local>>,
    pub(crate) header_pool: Rc<LocalSlot<HeaderPool>>,
    pub(crate) date: LocalSlot<HttpDate>,
    pub(crate) pipes: Rc<Pipes>,
}

impl HcmLocal {
    /// Makes a worker's part.
    pub fn new(spec: &Arc<HcmSpec>, worker: &Rc<Worker>) -> Rc<Self> {
        let stats = spec.stats.local();
        Rc::new(Self {
            worker: Rc::clone(worker),
            chain: LocalChain::new(&spec.chain, worker),
            stream_config: Rc::new(StreamConfig {
                buffer_limit: spec.buffer_limit,
                stats: Some(stats.clone()),
            }),
            routes: spec.routes.on(worker),
            access_logs: spec
                .access_logs
                .iter()
                .map(|log| log.localize(worker))
                .collect(),
            stats,
            listener_stats: spec.listener_stats.local(),
            h1_stats: spec.h1_stats.local(),
            h2: OnceCell::new(),
            header_pool: worker.services().get_or_default(),
            date: LocalSlot::default(),
            pipes: worker.services().get_or_default(),
            spec: Arc::clone(spec),
        })
    }

    /// What connections that speak HTTP/2 share.
    pub(crate) fn http2(&self) -> &Rc<H2Local> {
        self.h2.get_or_init(|| {
            Rc::new(H2Local {
                settings: Arc::clone(&self.spec.h2),
                stats: self.spec.h2_stats.group().local(),
            })
        })
    }
}
