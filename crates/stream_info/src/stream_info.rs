//! The facts of one stream (or of one L4 connection).

use crate::chosen::{ChosenCluster, ChosenRoute};
use crate::connection_info::ConnectionInfo;
use crate::filter_state::FilterState;
use crate::protocol::Protocol;
use crate::response_flags::{ResponseFlag, ResponseFlags};
use crate::timings::Timings;
use crate::upstream_info::UpstreamInfo;
use nuncio_base::metadata::Metadata;
use std::borrow::Cow;
use std::ops::AddAssign;
use std::rc::Rc;
use std::sync::Arc;

/// Bytes of one side of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BytesMeter {
    /// Bytes received on the wire.
    pub wire_received: u64,
    /// Bytes sent on the wire.
    pub wire_sent: u64,
    /// Header bytes received on the wire.
    pub header_received: u64,
    /// Header bytes sent on the wire.
    pub header_sent: u64,
}

impl AddAssign for BytesMeter {
    fn add_assign(&mut self, more: Self) {
        self.wire_received += more.wire_received;
        self.wire_sent += more.wire_sent;
        self.header_received += more.header_received;
        self.header_sent += more.header_sent;
    }
}

/// What is known of one stream; every component writes its facts here, once.
pub struct StreamInfo {
    /// The downstream connection.
    pub connection: Rc<ConnectionInfo>,
    /// When things happened.
    pub timings: Timings,
    /// The HTTP version; `None` for plain TCP.
    pub protocol: Option<Protocol>,
    /// The response's status; `None`: none was sent (logged as 0).
    pub response_code: Option<u16>,
    /// Where the response came from (`%RESPONSE_CODE_DETAILS%`).
    pub response_code_details: Option<Cow<'static, str>>,
    /// Why the connection was ended by this stream.
    pub connection_termination_details: Option<Cow<'static, str>>,
    /// The response flags.
    pub flags: ResponseFlags,
    /// Body bytes received.
    pub bytes_received: u64,
    /// Body bytes sent.
    pub bytes_sent: u64,
    /// Bytes of request headers, response headers and response trailers.
    pub header_bytes: [u64; 3],
    /// Bytes on the downstream wire.
    pub downstream_bytes: BytesMeter,
    /// The route that was chosen.
    pub route: Option<ChosenRoute>,
    /// How often a route was looked for, and how many microseconds that took, where it is
    /// [wanted](crate::wanted::ROUTE_RESOLUTIONS).
    pub route_resolutions: (u32, u32),
    /// The virtual cluster's name.
    pub virtual_cluster_name: Option<Arc<str>>,
    /// The upstream side, once a cluster was chosen.
    pub upstream: Option<Box<UpstreamInfo>>,
    /// How many attempts were made upstream.
    pub attempt_count: u32,
    /// The downstream peer as HTTP found it out (XFF and its like); else the connection's.
    pub remote_address: Option<nuncio_base::address::Address>,
    /// Whether this was a health check that the health check filter answered.
    pub is_health_check: bool,
    /// Whether this stream is a shadow of another.
    pub is_shadow: bool,
    /// Whether the request was traced, and why.
    pub traced: bool,
    /// The stream's unique id: the `x-request-id` or one of ours.
    pub stream_id: Option<Arc<str>>,
    /// Filter state of this request.
    pub filter_state: FilterState,
    /// Dynamic metadata of this request.
    pub metadata: Metadata,
    /// Metadata of the virtual host that was chosen.
    pub virtual_host_metadata: Option<Arc<Metadata>>,
    /// Metadata of the host that was chosen.
    pub host_metadata: Option<Arc<Metadata>>,
}

impl StreamInfo {
    /// A stream that begins on `connection`.
    pub fn new(connection: Rc<ConnectionInfo>, timings: Timings) -> Self {
        Self {
            connection,
            timings,
            protocol: None,
            response_code: None,
            response_code_details: None,
            connection_termination_details: None,
            flags: ResponseFlags::NONE,
            bytes_received: 0,
            bytes_sent: 0,
            header_bytes: [0; 3],
            downstream_bytes: BytesMeter::default(),
            route: None,
            route_resolutions: (0, 0),
            virtual_cluster_name: None,
            upstream: None,
            attempt_count: 0,
            remote_address: None,
            is_health_check: false,
            is_shadow: false,
            traced: false,
            stream_id: None,
            filter_state: FilterState::default(),
            metadata: Metadata::default(),
            virtual_host_metadata: None,
            host_metadata: None,
        }
    }

    /// The downstream peer: as HTTP found it out, else as the connection knows it.
    pub fn downstream_remote_address(&self) -> &nuncio_base::address::Address {
        self.remote_address
            .as_ref()
            .unwrap_or(&self.connection.remote_address)
    }

    /// The route's name, if it has one.
    pub fn route_name(&self) -> Option<&str> {
        self.route.as_ref()?.name()
    }

    /// The metadata of the route that was chosen.
    pub fn route_metadata(&self) -> Option<&Metadata> {
        self.route.as_ref().map(ChosenRoute::metadata)
    }

    /// The cluster that was chosen.
    pub fn cluster(&self) -> Option<&ChosenCluster> {
        self.upstream.as_ref()?.cluster.as_deref()
    }

    /// Takes over why a network filter turned the connection away.
    pub fn note_turned_away(&mut self) {
        if let Some(why) = self.connection.turned_away.get() {
            self.set_flag(why.flag);
            self.response_code_details = why.details.map(Cow::Borrowed);
        }
    }

    /// Adds a response flag.
    pub fn set_flag(&mut self, flag: ResponseFlag) {
        self.flags.set(flag);
    }

    /// Another attempt begins upstream: what is known of the last is forgotten, but for what is of
    /// all of them.
    pub fn forget_attempt(&mut self) {
        let upstream = self.upstream_mut();
        *upstream = UpstreamInfo {
            cluster: upstream.cluster.take(),
            bytes: upstream.bytes,
            ..UpstreamInfo::default()
        };
        self.timings.forget_upstream();
    }

    /// The upstream facts, made on first use.
    pub fn upstream_mut(&mut self) -> &mut UpstreamInfo {
        self.upstream.get_or_insert_default()
    }
}
