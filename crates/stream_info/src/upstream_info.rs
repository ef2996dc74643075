//! What the upstream side of a stream was.

use crate::protocol::Protocol;
use crate::stream_info::BytesMeter;
use nuncio_base::address::Address;
use std::sync::Arc;
use std::time::Duration;

/// Facts of the last upstream attempt, and of all attempts where the name says so.
#[derive(Clone, Debug, Default)]
pub struct UpstreamInfo {
    /// The host's address; absent until one was chosen.
    pub address: Option<Address>,
    /// The host's name: its `hostname`, else its address.
    pub host_name: Arc<str>,
    /// The connection's own address.
    pub local_address: Option<Address>,
    /// The cluster's observability name (`%UPSTREAM_CLUSTER%`).
    pub cluster: Arc<str>,
    /// The cluster's name (`%UPSTREAM_CLUSTER_RAW%`).
    pub cluster_raw: Arc<str>,
    /// The HTTP version spoken upstream.
    pub protocol: Option<Protocol>,
    /// The upstream connection's number.
    pub connection_id: Option<u64>,
    /// How many streams that connection had carried before this one.
    pub streams_before: u64,
    /// How long the pool took to give a connection.
    pub pool_ready: Option<Duration>,
    /// Why the connection could not be made or was lost.
    pub transport_failure_reason: Option<Arc<str>>,
    /// Addresses of all hosts tried, in order.
    pub attempted: Vec<Address>,
    /// Bytes on the wire of the last attempt.
    pub bytes: BytesMeter,
}
