//! ORIGINAL_DST: a connection goes to where its client wanted to go, as a listener filter found
//! out, or to the address that a request's header names (Envoy's "Original destination").
//!
//! Each worker makes its own hosts, and forgets those that nobody has asked for a while.

use crate::host::{Host, HostSpec};
use crate::lb::{Choice, LbCx, LbRequest, LbSpec, LoadBalancer};
use crate::manager::ClusterManager;
use crate::priority::PrioritySet;
use nuncio_base::HeaderName;
use nuncio_base::address::Address;
use nuncio_base::metadata::MetadataKey;
use nuncio_stream_info::{FilterState, StreamInfo};
use nuncio_worker::Worker;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How hosts are found.
#[derive(Clone, Debug)]
pub struct OriginalDst {
    /// The cluster's name.
    pub cluster: Arc<str>,
    /// The header that names the host before all else.
    pub header: Option<HeaderName>,
    /// The dynamic metadata that names the host where the header doesn't.
    pub metadata: Option<MetadataKey>,
    /// The port instead of the one found.
    pub port: Option<u16>,
    /// After how long without use a host is forgotten, and at most twice that.
    pub cleanup_interval: Duration,
}

impl LbSpec for OriginalDst {
    fn name(&self) -> &'static str {
        "envoy.cluster.original_dst"
    }

    fn localize(&self, worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        Box::new(Balancer {
            spec: self.clone(),
            worker: Rc::clone(worker),
            hosts: HashMap::new(),
            cleanup_at: worker.now() + self.cleanup_interval,
        })
    }
}

struct Balancer {
    spec: OriginalDst,
    worker: Rc<Worker>,
    hosts: HashMap<SocketAddr, Known>,
    cleanup_at: Instant,
}

struct Known {
    host: Arc<Host>,
    /// Asked for since the last cleanup.
    used: bool,
}

impl Balancer {
    /// Where a request goes: filter state comes before all else.
    fn address(&self, request: &dyn LbRequest) -> Option<SocketAddr> {
        if let Some(address) = request.stream_info().and_then(of_filter_state) {
            return Some(address);
        }
        let address = self
            .of_metadata(request)
            .or_else(|| self.of_header(request));
        let restored = || {
            let connection = &request.stream_info()?.connection;
            let restored = connection.is_restored();
            restored.then(|| connection.local_address.ip()).flatten()
        };
        let address: Option<SocketAddr> = address.or_else(restored);
        let mut address = address?;
        if let Some(port) = self.spec.port {
            address.set_port(port);
        }
        Some(address)
    }

    fn of_metadata(&self, request: &dyn LbRequest) -> Option<SocketAddr> {
        let key = self.spec.metadata.as_ref()?;
        self.parse(key.text(&request.stream_info()?.metadata)?.as_bytes())
    }

    fn of_header(&self, request: &dyn LbRequest) -> Option<SocketAddr> {
        let header = self.spec.header.as_ref()?;
        self.parse(request.headers()?.get(header)?)
    }

    fn parse(&self, text: &[u8]) -> Option<SocketAddr> {
        let address = std::str::from_utf8(text).ok();
        let address = address.and_then(|text| text.parse().ok());
        if address.is_none() {
            self.count_invalid();
        }
        address
    }

    /// A header, or metadata, named no address.
    fn count_invalid(&self) {
        let clusters = ClusterManager::of(&self.worker);
        if let Some(cluster) = clusters.get(&self.spec.cluster) {
            cluster.stats().original_dst_host_invalid().inc();
        }
    }

    /// Forgets hosts that were not asked for since the last time.
    fn cleanup(&mut self) {
        let now = self.worker.now();
        if now < self.cleanup_at {
            return;
        }
        self.cleanup_at = now + self.spec.cleanup_interval;
        let mut gone = Vec::new();
        self.hosts.retain(|_, known| {
            let used = std::mem::take(&mut known.used);
            if !used {
                gone.push(known.host.id());
            }
            used
        });
        if gone.is_empty() {
            return;
        }
        let (worker, name) = (Rc::clone(&self.worker), Arc::clone(&self.spec.cluster));
        // The cluster is choosing now; its pools are let go of afterwards.
        self.worker.spawn(async move {
            if let Some(cluster) = ClusterManager::of(&worker).get(&name) {
                gone.iter().for_each(|host| cluster.drain_host(*host));
            }
        });
    }
}

/// Where filters have said that a request, or its connection, goes.
fn of_filter_state(info: &StreamInfo) -> Option<SocketAddr> {
    const KEY: &str = "envoy.network.transport_socket.original_dst_address";
    let text = |state: &FilterState| state.get(KEY)?.as_text();
    let of_connection = || text(&info.connection.filter_state.borrow());
    text(&info.filter_state)
        .or_else(of_connection)?
        .parse()
        .ok()
}

impl LoadBalancer for Balancer {
    fn choose(
        &mut self,
        _hosts: &PrioritySet,
        request: &dyn LbRequest,
        _cx: &mut LbCx<'_>,
    ) -> Choice {
        self.cleanup();
        let Some(address) = self.address(request) else {
            return Choice::NoHost;
        };
        let known = self.hosts.entry(address).or_insert_with(|| Known {
            host: Host::new(HostSpec::new(Address::Ip(address))),
            used: true,
        });
        known.used = true;
        Choice::Host(Arc::clone(&known.host))
    }
}
