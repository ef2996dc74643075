//! A cluster's streams and connections: which pool they come from, and what is connected besides.

use super::LocalCluster;
use crate::cluster::UpstreamProtocol;
use crate::host::Host;
use crate::lb::LbCx;
use crate::pool::Pools;
use crate::pool::http::{HttpPool, HttpUse, StreamRequest};
use crate::pool::tcp::{TcpPool, TcpRequest};
use crate::preconnect::{AT_ONCE, Load};
use crate::resource::Priority;
use crate::socket_options_of::{options_of, tell};
use nuncio_base::HeaderMap;
use nuncio_net::TransportSocketOptions;
use nuncio_stream_info::{Protocol, StreamInfo};
use std::rc::Rc;
use std::sync::Arc;

/// What a stream may say of its connection.
#[derive(Clone, Copy)]
struct Asked<'a> {
    priority: Priority,
    headers: &'a HeaderMap,
    info: &'a StreamInfo,
}

impl LocalCluster {
    /// Asks for a stream to `host`; poll it. Dropping it cancels. `downstream`: what the client
    /// speaks whose request it carries, if there is one.
    pub fn http_stream(
        &self,
        host: &Arc<Host>,
        priority: Priority,
        downstream: Option<Protocol>,
    ) -> StreamRequest {
        if let Some(owner) = self.owner(host) {
            return owner.http_stream(host, priority, downstream);
        }
        let speaks = HttpUse::of(self.spec().http.protocol, downstream);
        let mut pools = self.pools.borrow_mut();
        self.connect_ahead(|host, ratio| {
            let pool = pools.http(&self.core, host, priority, speaks);
            pool.is_some_and(|pool| pool.preconnect_at(ratio))
        });
        StreamRequest::new(pools.http(&self.core, host, priority, speaks))
    }

    /// As [`http_stream`](Self::http_stream), for a request: its connection may depend on it.
    pub fn request_stream(
        &self,
        host: &Arc<Host>,
        priority: Priority,
        headers: &HeaderMap,
        info: &StreamInfo,
    ) -> StreamRequest {
        if let Some(owner) = self.owner(host) {
            return owner.request_stream(host, priority, headers, info);
        }
        let mut pools = self.pools.borrow_mut();
        StreamRequest::new(match self.core.asks {
            false => {
                let speaks = HttpUse::of(self.spec().http.protocol, info.protocol);
                pools.http(&self.core, host, priority, speaks)
            }
            true => {
                let asked = Asked {
                    priority,
                    headers,
                    info,
                };
                self.connect_ahead(|host, ratio| {
                    let pool = self.http_pool(&mut pools, host, asked);
                    pool.is_some_and(|pool| pool.preconnect_at(ratio))
                });
                self.http_pool(&mut pools, host, asked)
            }
        })
    }

    fn http_pool(
        &self,
        pools: &mut Pools,
        host: &Arc<Host>,
        asked: Asked<'_>,
    ) -> Option<Rc<HttpPool>> {
        let (core, info) = (&self.core, asked.info);
        let speaks = HttpUse::of(self.spec().http.protocol, info.protocol);
        let options = options_of(self.spec(), core.wants, asked.headers, info);
        let own = self.spec().pool_per_downstream_connection;
        let client = own.then_some(info.connection.id);
        pools.http_for(core, host, (asked.priority, speaks), (options, client))
    }

    /// Asks for a connection of one's own to `host`; poll it. Dropping it cancels.
    pub fn tcp_connection(
        &self,
        host: &Arc<Host>,
        priority: Priority,
        info: &StreamInfo,
    ) -> TcpRequest {
        if let Some(owner) = self.owner(host) {
            return owner.tcp_connection(host, priority, info);
        }
        let mut pools = self.pools.borrow_mut();
        self.connect_ahead(|host, ratio| {
            let pool = self.tcp_pool(&mut pools, host, priority, info);
            pool.preconnect_at(ratio)
        });
        TcpRequest::new(self.tcp_pool(&mut pools, host, priority, info))
    }

    fn tcp_pool(
        &self,
        pools: &mut Pools,
        host: &Arc<Host>,
        priority: Priority,
        info: &StreamInfo,
    ) -> Rc<TcpPool> {
        let mut options = TransportSocketOptions::default();
        if self.core.wants.any() {
            tell(&mut options, self.core.wants, info);
        }
        pools.tcp(&self.core, host, priority, options)
    }

    /// Makes connections to the hosts that the next streams will likely go to, where the cluster's
    /// policy wants that: called before a stream begins. `connect` makes one, if the host's pool
    /// has too few; whether another may be made.
    ///
    /// Envoy compares the streams and connections of all clusters together, so that idle
    /// connections of one keep another from having any made; here each cluster has its own.
    fn connect_ahead(&self, mut connect: impl FnMut(&Arc<Host>, f32) -> bool) {
        let Some(ratio) = self.spec().predictive_preconnect() else {
            return;
        };
        for _ in 0..AT_ONCE {
            if !self.load().exceeds(ratio, 1) {
                return;
            }
            let host = self.choose_ahead();
            if !host.is_some_and(|host| connect(&host, ratio)) {
                return;
            }
        }
    }

    fn choose_ahead(&self) -> Option<Arc<Host>> {
        self.core.worker.with_random(|random| {
            let mut cx = LbCx {
                random,
                stats: &self.lb_stats,
                active_requests: &|| self.core.info.active_requests(),
            };
            let hosts = self.hosts.borrow();
            self.balancer.borrow_mut().choose_ahead(&hosts, &mut cx)
        })
    }

    /// The cluster's streams on this worker, and what its connections take; of HTTP/2 as much as
    /// the cluster allows.
    fn load(&self) -> Load {
        let stats = self.stats();
        let part = |gauge: nuncio_stats::Gauge<'_>| usize::try_from(gauge.part()).unwrap_or(0);
        let active = part(stats.upstream_rq_active());
        let each = match self.spec().http.protocol {
            UpstreamProtocol::Http2 => self.spec().http.http2.max_concurrent_streams as usize,
            _ => 1,
        };
        let streams = part(stats.upstream_cx_active()).saturating_mul(each);
        Load {
            pending: part(stats.upstream_rq_pending_active()),
            active,
            capacity: streams.saturating_sub(active),
        }
    }
}
