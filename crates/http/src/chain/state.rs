//! The state of one stream that filters see through [`Cx`](crate::cx::Cx).

use crate::chain::orders::{HttpDone, Orders, Respond};
use crate::config::StreamConfig;
use crate::filter::Direction;
use crate::local_reply::LocalReply;
use crate::route_cache::{FoundRoute, RouteCache};
use crate::route_source::LocalRoutes;
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::{End, ResetReason};
use nuncio_net::pending_calls::PendingCalls;
use nuncio_route::Lookup;
use nuncio_stream_info::{OverrideHost, StreamInfo};
use nuncio_worker::Worker;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// Where a direction of a message stands at one filter.
#[derive(Default)]
pub(crate) struct Gate {
    pub stop: Stop,
    /// Headers have gone on to the next filter.
    pub passed: bool,
    /// Body that waits here.
    pub held: Buffer,
    /// Body has come here and waits, be it only its empty end: it goes on as body.
    pub data: bool,
    /// The filter has seen what is held.
    pub seen: bool,
    /// The end of the message has come here with headers or data, and waits.
    pub ended: bool,
    /// Trailers have come here and wait.
    pub trailers: TrailersAt,
    /// The gate holds its sender back, since what is held is over the limit.
    pub pushing_back: bool,
}

/// How a filter has stopped a direction.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Stop {
    /// Not at all.
    #[default]
    Open,
    /// It is shown what comes, and nothing goes on.
    Single,
    /// It is shown nothing; over the limit the stream fails.
    AllBuffer,
    /// It is shown nothing; over the limit the sender is held back.
    AllWatermark,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum TrailersAt {
    #[default]
    NotHere,
    Unseen,
    Seen,
}

/// One direction of the stream.
#[derive(Default)]
pub struct Side {
    /// The headers.
    pub headers: HeaderMap,
    /// The trailers, once they are there or a filter adds them.
    pub trailers: Option<HeaderMap>,
    /// The headers are there.
    pub started: bool,
    /// The whole message is there.
    pub ended: bool,
    pub(crate) gates: Vec<Gate>,
    push_backs: u32,
}

impl Side {
    /// Holds the sender back, or lets it go on; counted.
    pub fn push_back(&mut self, hold: bool) {
        self.push_backs = if hold {
            self.push_backs + 1
        } else {
            self.push_backs.saturating_sub(1)
        };
    }

    /// Whether no filter has stopped.
    pub(crate) fn is_open(&self) -> bool {
        self.gates.iter().all(|gate| gate.stop == Stop::Open)
    }

    /// Whether the sender is held back.
    pub fn paused(&self) -> bool {
        self.push_backs > 0
    }

    pub(crate) fn open(&mut self, filters: usize) {
        self.gates.resize_with(filters, Gate::default);
    }

    /// Forgets what it was; its memory stays.
    fn release(&mut self) {
        self.headers.clear();
        self.trailers = None;
        self.started = false;
        self.ended = false;
        self.push_backs = 0;
        self.gates.clear();
    }
}

/// What leaves the chain downstream.
#[derive(Debug)]
pub enum Out {
    /// An interim head.
    Informational(HeaderMap),
    /// The response's headers are final, in [`StreamState::response`].
    Headers(End),
    /// A piece of the response's body.
    Data(Buffer, End),
    /// The response's trailers are final, in [`StreamState::response`].
    Trailers,
    /// The stream is to be reset.
    Reset(ResetReason),
}

/// One stream's state, apart from its filters: the two are borrowed apart.
pub struct StreamState {
    /// The worker it lives on.
    pub worker: Rc<Worker>,
    /// Its facts.
    pub info: StreamInfo,
    /// What the connection manager was configured with.
    pub config: Rc<StreamConfig>,
    /// The request.
    pub request: Side,
    /// The response.
    pub response: Side,
    /// The route that was chosen, and what it says to each filter.
    pub route: RouteCache,
    /// The host that a filter wants the request to go to.
    pub override_host: Option<Box<OverrideHost>>,
    /// What left the chain and waits for the codec.
    pub out: VecDeque<Out>,
    /// What passed a chain that ends in a codec, and waits for it.
    pub sent: VecDeque<Respond>,
    /// How much may be buffered, in bytes.
    pub buffer_limit: usize,
    /// The request is answered or failed: what still comes of it is dropped.
    pub request_aborted: bool,
    /// The response's headers have left the chain.
    pub response_sent: bool,
    /// The response is a local reply.
    pub replied_locally: bool,
    /// Whether the request came as a gRPC call, once filters have begun to see it: they may change
    /// what it says of itself.
    pub(crate) came_as_grpc: Option<bool>,
    /// A local reply was for a bad request, whatever a gRPC client is told of it.
    pub replied_bad_request: bool,
    /// The request is to begin anew, with this body: its headers are changed already.
    pub(crate) begin_anew: Option<Box<Buffer>>,
    /// When the stream's turn should come at the latest; asked for anew in each turn.
    pub wake_at: Option<Instant>,
    /// The names by which routes address the chain's filters.
    pub(crate) filter_names: Rc<[Arc<str>]>,
    pub(crate) orders: Orders,
    pub(crate) calls: PendingCalls<HttpDone>,
}

impl StreamState {
    pub(crate) fn new(
        config: Rc<StreamConfig>,
        info: StreamInfo,
        worker: Rc<Worker>,
        filter_names: Rc<[Arc<str>]>,
    ) -> Self {
        Self {
            worker,
            filter_names,
            info,
            buffer_limit: config.buffer_limit,
            config,
            request: Side::default(),
            response: Side::default(),
            route: RouteCache::default(),
            override_host: None,
            out: VecDeque::new(),
            sent: VecDeque::new(),
            request_aborted: false,
            response_sent: false,
            replied_locally: false,
            came_as_grpc: None,
            replied_bad_request: false,
            begin_anew: None,
            wake_at: None,
            orders: Orders::default(),
            calls: PendingCalls::default(),
        }
    }

    /// Makes a state that was [released](Self::release) that of another stream.
    pub(crate) fn renew(&mut self, config: Rc<StreamConfig>, info: StreamInfo, filters: usize) {
        self.info = info;
        self.buffer_limit = config.buffer_limit;
        self.config = config;
        self.request.open(filters);
        self.response.open(filters);
        self.request_aborted = false;
        self.response_sent = false;
        self.replied_locally = false;
        self.came_as_grpc = None;
        self.replied_bad_request = false;
        self.wake_at = None;
    }

    /// Lets go of what belongs to others; the stream's own memory stays.
    pub(crate) fn release(&mut self) {
        self.request.release();
        self.response.release();
        self.route.renew();
        self.override_host = None;
        if !self.out.is_empty() {
            self.out.clear();
        }
        if !self.sent.is_empty() {
            self.sent.clear();
        }
        self.begin_anew = None;
        self.orders.clear();
        self.calls.clear();
        self.info.filter_state.clear();
        self.info.route = None;
        self.info.upstream = None;
        self.info.host_metadata = None;
    }

    /// Begins with the routes that hold for the request as it came.
    pub(crate) fn begin_route(&mut self, routes: &LocalRoutes) {
        let random = self.worker.random();
        self.route.begin_with(routes, &self.request.headers, random);
    }

    /// Finds the route unless that was done, and what it says to each filter.
    pub(crate) fn find_route(&mut self) -> Lookup {
        if let Some(lookup) = self.route.lookup() {
            return lookup;
        }
        let flags = self.worker.flags();
        let (headers, names) = (&self.request.headers, &self.filter_names);
        self.route.find(headers, &mut self.info, &flags, names)
    }

    /// Goes back to the route that was found before it was forgotten.
    pub fn restore_route(&mut self, found: FoundRoute) {
        self.route.restore(found, &self.filter_names);
    }

    /// Orders the reply for a body that is too large to be buffered, and counts it.
    pub(crate) fn fail_too_large(&mut self, direction: Direction) {
        let stats = self.config.stats.as_ref();
        let reply = match direction {
            Direction::Request => {
                stats.inspect(|stats| stats.downstream_rq_too_large().inc());
                LocalReply::request_too_large()
            }
            Direction::Response => {
                stats.inspect(|stats| stats.rs_too_large().inc());
                LocalReply::response_too_large()
            }
        };
        self.orders.local_reply.get_or_insert(reply);
    }

    /// Records a local reply's status as it enters the chain, so that formats in filters see it;
    /// the router does so for a response from upstream.
    pub(crate) fn note_status(&mut self) {
        self.info.response_code = self.response.headers.status();
    }

    /// Asks for the stream's turn at `at` at the latest: said anew in each turn.
    pub fn wake_at(&mut self, at: Instant) {
        self.wake_at = Some(self.wake_at.map_or(at, |other| other.min(at)));
    }

    pub(crate) fn side_mut(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }
}
