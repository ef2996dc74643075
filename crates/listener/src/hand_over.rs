//! Connections that a listener hands on to the one that listens where they wanted to go
//! (`use_original_dst`): that one need not be bound (`bind_to_port: false`).

use crate::incoming::Incoming;
use crate::listener::Admission;
use crate::listener_filter::Candidate;
use crate::local::LocalListener;
use crate::worker_listeners::WorkerListeners;
use nuncio_base::address::Address;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

/// Where the places of listeners are looked for: at the address itself, then at that of all
/// addresses.
fn places(address: SocketAddr) -> [SocketAddr; 2] {
    let all: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    [address, SocketAddr::new(all, address.port())]
}

/// Hands a connection on if it wanted to go where another listener is; else gives it back.
pub(crate) fn hand_over(
    from: &Rc<LocalListener>,
    candidate: Candidate,
    admission: Admission,
) -> Option<(Candidate, Admission)> {
    let config = from.config();
    let wanted = candidate.info.local_address.ip();
    let wanted = wanted.filter(|_| candidate.info.is_restored());
    let (true, Some(wanted)) = (config.listener.spec().hands_over, wanted) else {
        return Some((candidate, admission));
    };
    let listeners = WorkerListeners::of(from.worker());
    let found = places(wanted)
        .into_iter()
        .find_map(|place| listeners.at(&Address::Ip(place)));
    let Some(other) = found.filter(|other| !Rc::ptr_eq(other, from)) else {
        return Some((candidate, admission));
    };
    let info = candidate.info;
    let (local, remote) = (info.direct_local_address(), info.direct_remote_address());
    let mut incoming = Incoming::new(candidate.socket, local.clone(), remote.clone());
    incoming.restored = Some((info.local_address, info.remote_address));
    let admission = other.config().listener.take_over(admission);
    other.begin(incoming, admission);
    None
}
