//! What the upstream side of a stream was.

use crate::chosen::ChosenCluster;
use crate::connection_info::CloseType;
use crate::protocol::Protocol;
use crate::stream_info::BytesMeter;
use crate::tls_info::TlsInfo;
use nuncio_base::address::Address;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Facts of the last upstream attempt, and of all attempts where the name says so.
#[derive(Clone, Debug, Default)]
pub struct UpstreamInfo {
    /// The host's address; absent until one was chosen.
    pub address: Option<Address>,
    /// The host's `hostname`; empty if it has none: then its address stands for it.
    pub host_name: Option<Arc<str>>,
    /// Where the connection leads, if that is another of the host's addresses.
    pub other_address: Option<Address>,
    /// The connection's own address.
    pub local_address: Option<Address>,
    /// The cluster.
    pub cluster: Option<Rc<ChosenCluster>>,
    /// The HTTP version spoken upstream.
    pub protocol: Option<Protocol>,
    /// The upstream connection's number; absent until there was one.
    pub connection_id: Option<u64>,
    /// How many streams that connection had carried before this one.
    pub streams_before: u64,
    /// How long the pool took to give a connection.
    pub pool_ready: Option<Duration>,
    /// Why the connection could not be made or was lost.
    pub transport_failure_reason: Option<Arc<str>>,
    /// TLS facts of the connection in use.
    pub tls: Option<Arc<TlsInfo>>,
    /// When connecting began, for the connection in use.
    pub connect_start: Option<Instant>,
    /// When the connection in use was there.
    pub connect_end: Option<Instant>,
    /// Why we closed the upstream connection, if we did.
    pub local_close_reason: Option<&'static str>,
    /// How the upstream connection was closed.
    pub close_type: CloseType,
    /// Bytes on the wire, of all attempts.
    pub bytes: BytesMeter,
}

impl UpstreamInfo {
    /// Records where the connection in use leads.
    pub fn set_remote_address(&mut self, remote: &Address) {
        let is_other = self.address.as_ref() != Some(remote);
        self.other_address = is_other.then(|| remote.clone());
    }
}
