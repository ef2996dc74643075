//! What a cluster's transport sockets are told of the requests that a connection is for.

use crate::cluster::ClusterSpec;
use nuncio_base::HeaderMap;
use nuncio_net::{Downstream, SharedState, SocketWants, TransportSocketOptions};
use nuncio_stream_info::StreamInfo;
use nuncio_stream_info::proxy_protocol::PassedTlvs;
use std::rc::Rc;

/// What they are told; nothing that they don't ask for.
pub(crate) fn options_of(
    spec: &ClusterSpec,
    wants: SocketWants,
    headers: &HeaderMap,
    info: &StreamInfo,
) -> TransportSocketOptions {
    let rules = spec.http.peer_names.as_ref();
    let mut options = rules.map_or_else(Default::default, |rules| rules.names(headers));
    tell(&mut options, wants, info);
    options
}

/// Adds what is known without headers.
pub(crate) fn tell(options: &mut TransportSocketOptions, wants: SocketWants, info: &StreamInfo) {
    let connection = &info.connection;
    if wants.downstream {
        let state = connection.filter_state.borrow();
        let tlvs = state.get_as::<PassedTlvs>(PassedTlvs::KEY);
        options.downstream = Some(Downstream {
            source: connection.remote_address.clone(),
            destination: connection.local_address.clone(),
            tlvs: tlvs.map(|tlvs| Rc::clone(&tlvs.0)),
        });
    }
    if wants.shared_state {
        let of_connection = connection.filter_state.borrow();
        let all = info.filter_state.shared().chain(of_connection.shared());
        options.shared = SharedState(all.collect());
    }
}
