//! The connection manager's part of one worker: what all its connections share there.

use crate::chain::{LocalChain, StreamState};
use crate::cluster_directory::ClusterDirectory;
use crate::config::StreamConfig;
use crate::conn_manager::spec::HcmSpec;
use crate::conn_manager::stats::{HcmStats, ListenerHttpStats, TracingStats};
use crate::conn_manager::upgrade::Upgrade;
use crate::format_cx::with_format_cx;
use crate::route_source::LocalRoutes;
use nuncio_base::time::HttpDate;
use nuncio_codec::HeaderPool;
use nuncio_codec::h1::H1Stats;
use nuncio_codec::h2::H2Local;
use nuncio_net::overload::{Overload, Shedding};
use nuncio_net::splice::Pipes;
use nuncio_observe::{AccessLog, AccessLogType, FormatCx};
use nuncio_stats::Group;
use nuncio_stream_info::ConnectionInfo;
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
    /// By the upgrade they are for.
    pub(crate) upgrade_chains: Vec<(String, Rc<LocalChain>)>,
    pub(crate) stream_config: Rc<StreamConfig>,
    pub(crate) routes: LocalRoutes,
    pub(crate) access_logs: Vec<AccessLog>,
    pub(crate) stats: HcmStats,
    pub(crate) listener_stats: ListenerHttpStats,
    pub(crate) tracing_stats: Option<TracingStats>,
    pub(crate) h1_stats: H1Stats,
    /// Made with the first connection that speaks HTTP/2, as its stats are shown from then on.
    h2: OnceCell<Rc<H2Local>>,
    clusters: Rc<ClusterDirectory>,
    pub(crate) header_pool: Rc<LocalSlot<HeaderPool>>,
    pub(crate) date: LocalSlot<HttpDate>,
    pub(crate) pipes: Rc<Pipes>,
    overload: Rc<Overload>,
}

impl HcmLocal {
    /// Makes a worker's part.
    pub fn new(spec: &Arc<HcmSpec>, worker: &Rc<Worker>) -> Rc<Self> {
        let stats = spec.stats.http.local();
        let has_filters = |upgrade: &&Upgrade| !upgrade.chain.filters.is_empty();
        let upgrades = spec.upgrades.iter().filter(has_filters);
        Rc::new(Self {
            worker: Rc::clone(worker),
            chain: LocalChain::new(&spec.chain, worker),
            upgrade_chains: upgrades
                .map(|upgrade| {
                    let chain = LocalChain::new(&upgrade.chain, worker);
                    (upgrade.name.clone(), chain)
                })
                .collect(),
            stream_config: Rc::new(StreamConfig {
                buffer_limit: spec.buffer_limit,
                stats: Some(stats.clone()),
                local_reply: spec.local_reply.clone(),
            }),
            routes: spec.routes.on(worker),
            access_logs: spec
                .logs
                .logs
                .iter()
                .map(|log| log.localize(worker))
                .collect(),
            stats,
            listener_stats: spec.stats.listener.local(),
            tracing_stats: spec.stats.tracing.as_ref().map(Group::local),
            h1_stats: spec.stats.http1.local(),
            h2: OnceCell::new(),
            clusters: worker.services().get_or_default(),
            header_pool: worker.services().get_or_default(),
            date: LocalSlot::default(),
            pipes: worker.services().get_or_default(),
            overload: worker.services().get_or_default(),
            spec: Arc::clone(spec),
        })
    }

    /// Writes a line of this kind to the access logs.
    pub(crate) fn log(&self, state: &mut StreamState, log_type: AccessLogType) {
        if self.access_logs.is_empty() {
            return;
        }
        // A request that never came to the router tells of the cluster that it would have gone to.
        if state.info.upstream.is_none()
            && let Some(selected) = state.route.selected()
            && let Some(name) = selected.cluster_name(&state.request.headers)
            && let Ok(name) = std::str::from_utf8(name)
        {
            self.clusters.describe(name, &mut state.info);
        }
        with_format_cx(state, |cx| {
            let cx = FormatCx { log_type, ..*cx };
            self.access_logs.iter().for_each(|log| log.log(&cx));
        });
    }

    /// Whether the process sheds this one of a connection's.
    pub(crate) fn sheds(&self, what: Shedding, connection: &ConnectionInfo) -> bool {
        let listener = connection.listener.as_ref();
        self.overload.sheds(what, &self.worker)
            && !listener.is_some_and(|listener| listener.bypasses_overload)
    }

    /// What connections that speak HTTP/2 share.
    pub(crate) fn http2(&self) -> &Rc<H2Local> {
        self.h2.get_or_init(|| {
            Rc::new(H2Local {
                settings: Arc::clone(&self.spec.h2),
                stats: self.spec.stats.http2.group().local(),
            })
        })
    }
}
