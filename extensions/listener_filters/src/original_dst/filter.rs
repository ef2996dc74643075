//! The filter.

use nuncio_base::address::Address;
use nuncio_base::metadata::Value;
use nuncio_listener::{
    Candidate, ListenerFilter, ListenerFilterFactory, ListenerFilterStatus,
    LocalListenerFilterFactory,
};
use nuncio_stream_info::ConnectionInfo;
use nuncio_worker::Worker;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

/// Under what name metadata of a connection from inside the process says where it goes.
const METADATA: &str = "envoy.filters.listener.original_dst";

/// Under what names filter state of such a connection says where it goes, and whence it comes.
const STATE: [&str; 2] = [
    "envoy.filters.listener.original_dst.local_ip",
    "envoy.filters.listener.original_dst.remote_ip",
];

/// The filter as configured: there is nothing to configure.
pub struct OriginalDstSpec;

impl ListenerFilterFactory for OriginalDstSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalListenerFilterFactory> {
        Rc::new(Self)
    }
}

impl LocalListenerFilterFactory for OriginalDstSpec {
    fn create(&self) -> Box<dyn ListenerFilter> {
        Box::new(OriginalDstFilter)
    }
}

struct OriginalDstFilter;

impl ListenerFilter for OriginalDstFilter {
    fn inspect<'a>(
        &'a mut self,
        candidate: &'a mut Candidate,
    ) -> Pin<Box<dyn Future<Output = ListenerFilterStatus> + 'a>> {
        let info = &mut candidate.info;
        let (local, remote) = match info.local_address {
            Address::Internal(_) => passed_along(info),
            _ => (candidate.socket.original_destination(), None),
        };
        if local.is_some() || remote.is_some() {
            let or = |found: Option<SocketAddr>, known: &Address| {
                found.map_or_else(|| known.clone(), Address::Ip)
            };
            let local = or(local, &info.local_address);
            let remote = or(remote, &info.remote_address);
            info.restore(local, remote);
        }
        Box::pin(std::future::ready(ListenerFilterStatus::Continue))
    }
}

/// What a connection from inside the process brings: where it goes, and whence it comes. Filter
/// state comes before metadata.
fn passed_along(info: &ConnectionInfo) -> (Option<SocketAddr>, Option<SocketAddr>) {
    let state = info.filter_state.borrow();
    let [local, remote] = STATE.map(|name| state.get(name)?.as_text()?.parse().ok());
    let metadata = info.metadata.borrow();
    let of_metadata = || match metadata.get(METADATA)?.at(["local"])? {
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    (local.or_else(of_metadata), remote)
}
