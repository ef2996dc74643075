//! Makes TCP proxies; what those of one worker share.

use super::filter::TcpProxy;
use super::spec::TcpProxySpec;
use super::stats::TcpProxyStats;
use nuncio_net::splice::Pipes;
use nuncio_net::{
    ConnectionEvent, LocalNetworkFilterFactory, NetworkFilter, NetworkFilterFactory, NewConnection,
};
use nuncio_observe::access_log::AccessLog;
use nuncio_observe::{AccessLogType, FormatCx};
use nuncio_stream_info::StreamInfo;
use nuncio_upstream::outlier::OutlierResult;
use nuncio_upstream::{ClusterManager, Host};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// Makes TCP proxies.
pub struct TcpProxyFactory {
    spec: Arc<TcpProxySpec>,
}

impl TcpProxyFactory {
    /// Makes TCP proxies as `spec` says.
    pub fn new(spec: TcpProxySpec) -> Self {
        Self {
            spec: Arc::new(spec),
        }
    }

    /// What they are configured with.
    pub fn spec(&self) -> &TcpProxySpec {
        &self.spec
    }
}

impl NetworkFilterFactory for TcpProxyFactory {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        let logs = self.spec.access_logs.iter();
        Rc::new(LocalFactory(Rc::new(LocalTcpProxy {
            worker: Rc::clone(worker),
            clusters: ClusterManager::of(worker),
            stats: self.spec.stats.local(),
            logs: logs.map(|log| log.localize(worker)).collect(),
            pipes: worker.services().get_or_default(),
            spec: Arc::clone(&self.spec),
        })))
    }
}

struct LocalFactory(Rc<LocalTcpProxy>);

impl LocalNetworkFilterFactory for LocalFactory {
    fn create(&self, connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(TcpProxy::new(&self.0, connection))
    }

    fn count_failed_handshake(&self, _event: ConnectionEvent) {
        self.0.stats.downstream_cx_total().inc();
    }
}

/// A TCP proxy on one worker.
pub(super) struct LocalTcpProxy {
    pub spec: Arc<TcpProxySpec>,
    pub worker: Rc<Worker>,
    pub stats: TcpProxyStats,
    pub pipes: Rc<Pipes>,
    pub clusters: Rc<ClusterManager>,
    logs: Vec<AccessLog>,
}

impl LocalTcpProxy {
    /// Tells what watches a host what became of connecting to it.
    pub fn tell(&self, host: &Host, result: OutlierResult) {
        if let Some(monitor) = host.monitor() {
            monitor.on_result(result, &self.worker);
        }
    }

    /// Counts bytes from the client.
    pub fn count_received(&self, info: &mut StreamInfo, bytes: u64) {
        self.stats.downstream_cx_rx_bytes_total().add(bytes);
        info.bytes_received += bytes;
        info.downstream_bytes.wire_received += bytes;
    }

    /// Counts bytes to the client.
    pub fn count_sent(&self, info: &mut StreamInfo, bytes: u64) {
        self.stats.downstream_cx_tx_bytes_total().add(bytes);
        info.bytes_sent += bytes;
        info.downstream_bytes.wire_sent += bytes;
    }

    /// Logs one moment of a connection.
    pub fn log(&self, info: &StreamInfo, log_type: AccessLogType) {
        if self.logs.is_empty() {
            return;
        }
        self.with_format_cx(info, log_type, |cx| {
            self.logs.iter().for_each(|log| log.log(cx))
        });
    }

    /// Calls `use_cx` with what formats see of a connection.
    pub fn with_format_cx<R>(
        &self,
        info: &StreamInfo,
        log_type: AccessLogType,
        use_cx: impl FnOnce(&FormatCx<'_>) -> R,
    ) -> R {
        FormatCx::with(&self.worker, info, log_type, use_cx)
    }
}
