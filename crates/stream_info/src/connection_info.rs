//! The facts of one connection, shared by all its streams.

use crate::filter_state::FilterState;
use crate::stream_info::StreamInfo;
use crate::tls_info::TlsInfo;
use nuncio_base::address::Address;
use nuncio_base::metadata::Metadata;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// How a connection was closed, as far as the socket tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloseType {
    /// In the normal way, or not yet.
    #[default]
    Normal,
    /// We reset it.
    LocalReset,
    /// The peer reset it.
    RemoteReset,
}

impl CloseType {
    /// As `%DOWNSTREAM_DETECTED_CLOSE_TYPE%` prints it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::LocalReset => "LocalReset",
            Self::RemoteReset => "RemoteReset",
        }
    }
}

/// What the filter of a plain connection knew at its end: the listener's access logs tell it.
#[derive(Default)]
pub enum Summary {
    /// The listener has no access logs.
    #[default]
    Unwanted,
    /// The listener waits for it.
    Wanted,
    /// Here it is.
    Given(Box<StreamInfo>),
}

/// A connection's facts: written while it is set up, then read by its streams and logs.
pub struct ConnectionInfo {
    /// A number unique in this process.
    pub id: u64,
    /// Where the peer connected to; a listener filter may have restored the original.
    pub local_address: Address,
    /// The address that the socket has itself.
    pub direct_local_address: Address,
    /// The peer, as the PROXY protocol may name it.
    pub remote_address: Address,
    /// The peer of the socket itself.
    pub direct_remote_address: Address,
    /// Wall time of the accept.
    pub start_time: SystemTime,
    /// Monotonic time of the accept.
    pub start: Instant,
    /// The listener's name.
    pub listener_name: Arc<str>,
    /// The filter chain's name, empty if it has none.
    pub filter_chain_name: Arc<str>,
    /// The listener's metadata.
    pub listener_metadata: Option<Arc<Metadata>>,
    /// The filter chain's metadata.
    pub filter_chain_metadata: Option<Arc<Metadata>>,
    /// SNI, if the client sent it.
    pub requested_server_name: Option<Arc<str>>,
    /// Protocols the client offered by ALPN, as an inspector saw them.
    pub requested_application_protocols: Vec<Vec<u8>>,
    /// TLS facts, once its handshake is done.
    pub tls: Option<Arc<TlsInfo>>,
    /// Why the transport failed (`%DOWNSTREAM_TRANSPORT_FAILURE_REASON%`).
    pub transport_failure_reason: Option<Arc<str>>,
    /// Why the connection was ended, if this proxy did it
    /// (`%CONNECTION_TERMINATION_DETAILS%`).
    pub termination_details: Cell<Option<&'static str>>,
    /// Why we closed the connection, if we did (`%DOWNSTREAM_LOCAL_CLOSE_REASON%`).
    pub local_close_reason: Cell<Option<&'static str>>,
    /// How the connection was closed.
    pub close_type: Cell<CloseType>,
    /// For the listener's access logs. Who takes a given one out breaks the circle of references.
    pub summary: Cell<Summary>,
    /// Filter state that lives as long as the connection.
    pub filter_state: RefCell<FilterState>,
}

impl ConnectionInfo {
    /// A connection that was just accepted; everything that isn't known yet is absent.
    pub fn new(id: u64, local: Address, remote: Address, time: (Instant, SystemTime)) -> Self {
        let unnamed: Arc<str> = "".into();
        Self {
            id,
            direct_local_address: local.clone(),
            local_address: local,
            direct_remote_address: remote.clone(),
            remote_address: remote,
            start: time.0,
            start_time: time.1,
            listener_name: Arc::clone(&unnamed),
            filter_chain_name: unnamed,
            listener_metadata: None,
            filter_chain_metadata: None,
            requested_server_name: None,
            requested_application_protocols: Vec::new(),
            tls: None,
            transport_failure_reason: None,
            termination_details: Cell::new(None),
            local_close_reason: Cell::new(None),
            close_type: Cell::new(CloseType::Normal),
            summary: Cell::new(Summary::Unwanted),
            filter_state: RefCell::default(),
        }
    }
}
