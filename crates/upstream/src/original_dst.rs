//! ORIGINAL_DST: a connection goes to where its client wanted to go, as a listener filter found
//! out, or to the address that a request's header names (Envoy's "Original destination").
//!
//! Workers make hosts for the addresses that they find, and tell main, which makes them known to
//! all and forgets those without connections.

use crate::discovery::found_hosts;
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
            version: 0,
        })
    }
}

struct Balancer {
    spec: OriginalDst,
    worker: Rc<Worker>,
    hosts: HashMap<SocketAddr, Known>,
    /// The hosts that were taken over last.
    version: u64,
}

struct Known {
    host: Arc<Host>,
    /// It is one of the cluster's hosts on main.
    shared: bool,
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

    /// Takes over what main has made of the hosts that were found, here and by other workers.
    fn sync(&mut self, hosts: &PrioritySet) {
        if self.version == hosts.version() {
            return;
        }
        self.version = hosts.version();
        let mut current = HashMap::new();
        let ips = hosts.hosts().filter_map(|host| match host.address() {
            Address::Ip(address) => Some((address, host)),
            _ => None,
        });
        current.extend(ips);
        // What main has not heard of yet stays.
        self.hosts
            .retain(|address, known| !known.shared || current.contains_key(address));
        let mut lost = Vec::new();
        for (address, host) in current {
            let shared = Known {
                host: Arc::clone(host),
                shared: true,
            };
            let own = self.hosts.insert(address, shared);
            // Another worker was faster.
            lost.extend(own.filter(|own| own.host.id() != host.id()));
        }
        if lost.is_empty() {
            return;
        }
        let (worker, name) = (Rc::clone(&self.worker), Arc::clone(&self.spec.cluster));
        // The cluster is choosing now; its pools are let go of afterwards.
        self.worker.spawn(async move {
            if let Some(cluster) = ClusterManager::of(&worker).get(&name) {
                lost.iter()
                    .for_each(|own| cluster.drain_host(own.host.id()));
            }
        });
    }

    fn find(&self, address: SocketAddr) -> Known {
        let mut spec = HostSpec::new(Address::Ip(address));
        // Envoy's name for it.
        spec.hostname = format!("{}{address}", self.spec.cluster).into();
        let host = Host::new(spec);
        if let Some(cluster) = ClusterManager::of(&self.worker).get(&self.spec.cluster) {
            found_hosts::found(cluster.info(), &host);
        }
        Known {
            host,
            shared: false,
        }
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
        hosts: &PrioritySet,
        request: &dyn LbRequest,
        _cx: &mut LbCx<'_>,
    ) -> Choice {
        self.sync(hosts);
        let Some(address) = self.address(request) else {
            return Choice::NoHost;
        };
        if let Some(known) = self.hosts.get(&address) {
            return Choice::Host(Arc::clone(&known.host));
        }
        let found = self.find(address);
        let host = Arc::clone(&found.host);
        self.hosts.insert(address, found);
        Choice::Host(host)
    }
}
