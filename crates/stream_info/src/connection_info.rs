//! The facts of one connection, shared by all its streams.

use crate::filter_state::FilterState;
use crate::response_flags::ResponseFlag;
use crate::stream_info::StreamInfo;
use crate::timings::Timings;
use crate::tls_info::TlsInfo;
use nuncio_base::address::Address;
use nuncio_base::metadata::Metadata;
use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::rc::Rc;
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

/// Why a network filter turned a connection away.
#[derive(Debug)]
pub struct TurnedAway {
    /// The flag.
    pub flag: ResponseFlag,
    /// `%RESPONSE_CODE_DETAILS%`
    pub details: Option<&'static str>,
}

/// What the connections of a listener have in common.
#[derive(Clone, Debug)]
pub struct ListenerInfo {
    /// Its name.
    pub name: Arc<str>,
    /// The file of the network namespace that it listens in, where that is another.
    pub network_namespace: Option<Arc<str>>,
    /// Whether overload actions leave it alone.
    pub bypasses_overload: bool,
    /// Its metadata.
    pub metadata: Option<Arc<Metadata>>,
}

/// What the connections of a filter chain have in common.
#[derive(Clone, Debug)]
pub struct FilterChainInfo {
    /// Its name, empty if it has none.
    pub name: Arc<str>,
    /// Its metadata.
    pub metadata: Option<Arc<Metadata>>,
}

/// What gives away the TLS library of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprints {
    /// Its JA3 fingerprint.
    pub ja3: Option<String>,
    /// Its JA4 fingerprint.
    pub ja4: Option<String>,
}

/// The addresses of a socket itself.
#[derive(Clone, Debug)]
struct DirectAddresses {
    local: Address,
    remote: Address,
}

/// A connection's facts: written while it is set up, then read by its streams and logs.
pub struct ConnectionInfo {
    /// A number unique in this process.
    pub id: u64,
    /// Where the peer connected to; [`restore`](Self::restore) changes it.
    pub local_address: Address,
    /// The peer, as the PROXY protocol may name it; [`restore`](Self::restore) changes it.
    pub remote_address: Address,
    /// The socket's own addresses, where they are others.
    direct: Option<Box<DirectAddresses>>,
    /// Wall time of the accept.
    pub start_time: SystemTime,
    /// Monotonic time of the accept.
    pub start: Instant,
    /// The listener.
    pub listener: Option<Rc<ListenerInfo>>,
    /// The filter chain, once it is chosen.
    pub filter_chain: Option<Rc<FilterChainInfo>>,
    /// SNI, if the client sent it.
    pub requested_server_name: Option<Arc<str>>,
    /// Protocols the client offered by ALPN, as an inspector saw them.
    pub requested_application_protocols: Box<[Vec<u8>]>,
    /// The client's fingerprints, where an inspector was told to take them.
    pub fingerprints: Option<Box<Fingerprints>>,
    /// TLS facts, once its handshake is done.
    pub tls: Option<Arc<TlsInfo>>,
    /// Why the transport failed (`%DOWNSTREAM_TRANSPORT_FAILURE_REASON%`).
    pub transport_failure_reason: Option<Arc<str>>,
    /// Why the connection was ended, if this proxy did it
    /// (`%CONNECTION_TERMINATION_DETAILS%`).
    pub termination_details: RefCell<Option<Rc<str>>>,
    /// Why we closed the connection, if we did (`%DOWNSTREAM_LOCAL_CLOSE_REASON%`).
    pub local_close_reason: Cell<Option<&'static str>>,
    /// Why a network filter turned the connection away, where logs tell it.
    pub turned_away: Cell<Option<&'static TurnedAway>>,
    /// How the connection was closed.
    pub close_type: Cell<CloseType>,
    /// The last round-trip time that the kernel told, in microseconds, where it is
    /// [wanted](crate::wanted::ROUND_TRIP_TIME).
    pub round_trip_time: Cell<Option<NonZeroU32>>,
    /// For the listener's access logs. Who takes a given one out breaks the circle of references.
    pub summary: Cell<Summary>,
    /// Filter state that lives as long as the connection.
    pub filter_state: RefCell<FilterState>,
    /// Dynamic metadata of the connection; its HTTP streams have their own.
    pub metadata: RefCell<Metadata>,
}

impl ConnectionInfo {
    /// A connection that was just accepted; everything that isn't known yet is absent.
    pub fn new(id: u64, local: Address, remote: Address, time: (Instant, SystemTime)) -> Self {
        Self {
            id,
            local_address: local,
            remote_address: remote,
            direct: None,
            start: time.0,
            start_time: time.1,
            listener: None,
            filter_chain: None,
            requested_server_name: None,
            requested_application_protocols: Box::default(),
            fingerprints: None,
            tls: None,
            transport_failure_reason: None,
            termination_details: RefCell::default(),
            local_close_reason: Cell::new(None),
            turned_away: Cell::new(None),
            close_type: Cell::new(CloseType::Normal),
            round_trip_time: Cell::new(None),
            summary: Cell::new(Summary::Unwanted),
            filter_state: RefCell::default(),
            metadata: RefCell::default(),
        }
    }

    /// A listener filter has found out where the peer wanted to go, and who it is.
    pub fn restore(&mut self, local: Address, remote: Address) {
        let direct = DirectAddresses {
            local: std::mem::replace(&mut self.local_address, local),
            remote: std::mem::replace(&mut self.remote_address, remote),
        };
        // Of several filters the first has seen the socket's.
        self.direct.get_or_insert_with(|| Box::new(direct));
    }

    /// Whether a listener filter has found out where the peer wanted to go.
    pub fn is_restored(&self) -> bool {
        self.direct.is_some()
    }

    /// The address that the socket has itself.
    pub fn direct_local_address(&self) -> &Address {
        let direct = self.direct.as_ref();
        direct.map_or(&self.local_address, |direct| &direct.local)
    }

    /// The peer of the socket itself.
    pub fn direct_remote_address(&self) -> &Address {
        let direct = self.direct.as_ref();
        direct.map_or(&self.remote_address, |direct| &direct.remote)
    }

    /// The connection as a stream of its own.
    pub fn to_stream(self: &Rc<Self>) -> StreamInfo {
        let timings = Timings::new(self.start_time, self.start);
        let mut stream = StreamInfo::new(Rc::clone(self), timings);
        stream.metadata.clone_from(&self.metadata.borrow());
        stream.note_turned_away();
        stream
    }

    /// Tells the listener's access logs what its filter knows, if there are some.
    pub fn summarize(self: &Rc<Self>, fill: impl FnOnce(&mut StreamInfo)) {
        if matches!(self.summary.take(), Summary::Wanted) {
            let mut stream = self.to_stream();
            fill(&mut stream);
            self.summary.set(Summary::Given(Box::new(stream)));
        }
    }

    /// Whether [`summarize`](Self::summarize) has anybody to tell.
    pub fn wants_summary(&self) -> bool {
        let summary = self.summary.take();
        let wanted = matches!(summary, Summary::Wanted);
        self.summary.set(summary);
        wanted
    }

    /// The listener's name, empty if there is none.
    pub fn listener_name(&self) -> &str {
        self.listener.as_ref().map_or("", |listener| &listener.name)
    }

    /// The filter chain's name, empty if it has none.
    pub fn filter_chain_name(&self) -> &str {
        self.filter_chain.as_ref().map_or("", |chain| &chain.name)
    }

    /// The listener's metadata.
    pub fn listener_metadata(&self) -> Option<&Metadata> {
        self.listener.as_ref()?.metadata.as_deref()
    }

    /// The filter chain's metadata.
    pub fn filter_chain_metadata(&self) -> Option<&Metadata> {
        self.filter_chain.as_ref()?.metadata.as_deref()
    }
}

// One for each connection, however idle.
const _: () = assert!(size_of::<ConnectionInfo>() <= 328);
