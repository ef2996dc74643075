//! Subscriptions over a gRPC stream: one type each, or all of them over one (ADS). The stream is
//! opened again for as long as anybody subscribes.

mod backoff;
mod driver;
mod expiry;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod interest;
mod ttl;
mod type_state;
mod watch;

use crate::config_source::ApiSource;
use crate::rejection::Rejection;
use crate::resource::{Resource, ResourceType};
use crate::response::{self, LoadedResponse, StreamResponse};
use crate::source_states::SourceStates;
use crate::subscriptions::{Subscriptions, Update, UpdateFailure};
use backoff::Backoff;
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_base::time;
use nuncio_base::token_bucket::TokenBucket;
use nuncio_grpc::Status;
use nuncio_stats::{Scope, SharedCounter, SharedGauge, SharedTextReadout};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use type_state::{Share, TypeState};
pub use watch::Watch;
use watch::WatchState;

/// `control_plane.`
struct ControlPlaneStats {
    connected_state: SharedGauge,
    identifier: SharedTextReadout,
    pending_requests: SharedGauge,
    rate_limit_enforced: SharedCounter,
}

impl ControlPlaneStats {
    fn new(scope: &Scope) -> Self {
        let scope = scope.scope("control_plane");
        let (connected_state, pending_requests) = (
            scope.gauge("connected_state"),
            scope.gauge("pending_requests"),
        );
        connected_state.set(0);
        pending_requests.set(0);
        Self {
            connected_state,
            identifier: scope.text_readout("identifier"),
            pending_requests,
            rate_limit_enforced: scope.counter("rate_limit_enforced"),
        }
    }
}

/// A response that somebody refused.
struct Refused {
    reason: String,
    /// What was accepted of it all the same.
    accepted: Vec<Resource>,
}

/// How many requests the limit holds back before responses wait, which are answered by more.
const MOST_HELD: usize = 32;

/// How much may wait to be read by the control plane before it is told more, in bytes.
const UNSENT: usize = 1 << 20;

/// How long until it is seen whether it has read that.
const UNSENT_RETRY: Duration = Duration::from_millis(50);

/// The subscriptions of one stream.
pub struct GrpcMux {
    owner: Rc<Subscriptions>,
    source: Arc<ApiSource>,
    /// The method's name, for the log and the path.
    method: &'static str,
    service: &'static str,
    types: RefCell<BTreeMap<ResourceType, TypeState>>,
    states: RefCell<BTreeMap<ResourceType, Rc<SourceStates>>>,
    stats: ControlPlaneStats,
    backoff: RefCell<Backoff>,
    runs: Cell<bool>,
    told_node: Cell<bool>,
    limit: Option<TokenBucket>,
    /// Requests that the limit holds back.
    held: RefCell<VecDeque<Vec<u8>>>,
    /// Woken when there is something new to send.
    waker: RefCell<Option<Waker>>,
    /// Whether somebody waits for resources' time to come, and who is woken when it is another.
    watches_expiry: Cell<bool>,
    expiry_waker: RefCell<Option<Waker>>,
}

impl GrpcMux {
    /// A stream that is opened with the first subscription. `kind` is what it is for, where it is
    /// not for all types; `scope` is where its stats are.
    pub fn new(
        owner: &Rc<Subscriptions>,
        source: &Arc<ApiSource>,
        kind: Option<ResourceType>,
        scope: &Scope,
    ) -> Rc<Self> {
        let (service, method) = driver::method(kind, source.delta);
        Rc::new(Self {
            owner: Rc::clone(owner),
            source: Arc::clone(source),
            method,
            service,
            types: RefCell::default(),
            states: RefCell::default(),
            stats: ControlPlaneStats::new(scope),
            backoff: RefCell::default(),
            runs: Cell::new(false),
            told_node: Cell::new(false),
            limit: source.rate_limit.map(|limit| {
                TokenBucket::new(limit.max_tokens, 1, limit.interval, time::monotonic())
            }),
            held: RefCell::default(),
            waker: RefCell::default(),
            watches_expiry: Cell::new(false),
            expiry_waker: RefCell::default(),
        })
    }

    /// A subscription begins.
    fn begin(&self, watch: &Rc<WatchState>) {
        let mut types = self.types.borrow_mut();
        let kind = watch.kind();
        let new = || TypeState::new(kind, self.source.delta);
        types.entry(kind).or_insert_with(new).begin(watch);
        drop(types);
        self.wake();
    }

    /// A subscription has ended.
    fn end(&self, watch: &Rc<WatchState>) {
        if let Some(state) = self.types.borrow_mut().get_mut(&watch.kind()) {
            state.end(watch);
            if watch.name().is_none() {
                self.states(watch.kind()).retain(|name| state.wants(name));
            }
        }
        self.wake();
    }

    /// How far the resources of a type are.
    fn states(&self, kind: ResourceType) -> Rc<SourceStates> {
        let mut states = self.states.borrow_mut();
        let new = || self.owner.states().of_source(kind);
        Rc::clone(states.entry(kind).or_insert_with(new))
    }

    /// Whether resources come one by one.
    pub fn is_delta(&self) -> bool {
        self.source.delta
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// What was accepted last of what others have asked for before.
    fn known(&self, watch: &WatchState) -> Option<Vec<Resource>> {
        let types = self.types.borrow();
        types.get(&watch.kind())?.known(watch)
    }

    /// Whether no more responses are to be taken now.
    fn is_behind(&self, unsent: usize) -> bool {
        unsent > UNSENT || self.held.borrow().len() >= MOST_HELD
    }

    /// The messages that are due; none while `unsent` bytes of others are too many.
    fn requests(&self, unsent: usize, now: Instant) -> Vec<Vec<u8>> {
        if unsent > UNSENT {
            return Vec::new();
        }
        let mut requests = self.held.borrow_mut();
        let mut types = self.types.borrow_mut();
        let new = requests.len() < MOST_HELD;
        for state in types.values_mut().filter(|_| new) {
            let node = || {
                let every = !self.source.delta && !self.source.node_on_first_message_only;
                let due = every || !self.told_node.replace(true);
                due.then(|| self.owner.node())
            };
            state.forget();
            requests.extend(state.interest.next_request(node));
        }
        let Some(limit) = &self.limit else {
            return requests.drain(..).collect();
        };
        let mut allowed = Vec::new();
        while !requests.is_empty() && limit.take(1, now) {
            allowed.extend(requests.pop_front());
        }
        if !requests.is_empty() {
            self.stats.rate_limit_enforced.inc();
        }
        self.stats.pending_requests.set(requests.len() as u64);
        allowed
    }

    /// When a request may go that is held back.
    fn next_allowed(&self, unsent: usize, now: Instant) -> Option<Instant> {
        if unsent > UNSENT {
            return Some(now + UNSENT_RETRY);
        }
        let limit = self.limit.as_ref()?;
        (!self.held.borrow().is_empty()).then(|| now + limit.next_token(now))
    }

    fn on_open(&self) {
        self.told_node.set(false);
        self.held.borrow_mut().clear();
        for state in self.types.borrow_mut().values_mut() {
            state.on_open();
        }
    }

    /// Takes a message, unless it can't be read: then the stream is to end with the status.
    fn on_message(&self, message: &[u8]) -> Result<(), Status> {
        let response = response::decode(message, self.source.delta).map_err(|error| {
            log!(
                logger::CONFIG,
                Level::Warning,
                "a response that can't be read: {error}"
            );
            Status::new(Status::INTERNAL, "")
        })?;
        self.backoff.borrow_mut().reset();
        self.on_response(&response);
        Ok(())
    }

    fn on_response(&self, response: &StreamResponse) {
        if let Some(identifier) = &response.control_plane {
            self.stats.identifier.set(identifier);
        }
        let kind = ResourceType::of_url(&response.type_url);
        let kind = kind.filter(|kind| self.types.borrow().contains_key(kind));
        let Some(kind) = kind else {
            log!(
                logger::CONFIG,
                Level::Warning,
                "Ignoring the message for type URL {} as it has no current subscribers.",
                response.type_url
            );
            return;
        };
        let outcome = self.take(kind, response);
        let mut types = self.types.borrow_mut();
        let Some(state) = types.get_mut(&kind) else {
            return;
        };
        match outcome {
            Ok(loaded) => state.accept(response, loaded, time::monotonic()),
            Err(Refused { reason, accepted }) => {
                log!(
                    logger::CONFIG,
                    Level::Warning,
                    "gRPC config for {} rejected: {reason}",
                    response.type_url
                );
                state.interest.refuse(&response.nonce, &reason);
                state.keep(accepted, &[]);
            }
        }
    }

    /// Hands a response to those whom it concerns. It is refused if anybody refuses.
    fn take(
        &self,
        kind: ResourceType,
        response: &StreamResponse,
    ) -> Result<LoadedResponse, Refused> {
        let outcome = match response.load(kind, &self.owner.options()) {
            Ok(loaded) if loaded.is_heartbeat() => return Ok(loaded),
            Ok(loaded) => {
                self.owner.warn(&loaded.warnings);
                self.offer(kind, response, loaded)
            }
            Err(rejection) => {
                let (named, types) = (response.named(kind), self.types.borrow());
                let wanted = |name: &str| types.get(&kind).is_some_and(|it| it.wants(name));
                self.states(kind)
                    .refuse(&named, &rejection, wanted, time::wall());
                Err(Refused {
                    reason: rejection.reason,
                    accepted: Vec::new(),
                })
            }
        };
        if let Err(Refused { reason, .. }) = &outcome {
            let failure = UpdateFailure::Rejected(reason.clone());
            let types = self.types.borrow();
            let watches = types.get(&kind).map_or_else(Vec::new, TypeState::live);
            drop(types);
            watches.iter().for_each(|watch| watch.failed(&failure));
        }
        outcome
    }

    /// One that refuses does not keep the others from what is theirs: a control plane that brings
    /// resources one by one would not send it again.
    fn offer(
        &self,
        kind: ResourceType,
        response: &StreamResponse,
        loaded: LoadedResponse,
    ) -> Result<LoadedResponse, Refused> {
        let removed = response.removed.as_deref().unwrap_or_default();
        let types = self.types.borrow();
        let state = types.get(&kind);
        let concerned = state.map(|state| state.concerned(&loaded.resources, removed));
        drop(types);
        let heartbeats = loaded.heartbeats > 0;
        let mut first = None;
        let mut good = vec![true; loaded.resources.len()];
        for (watch, share) in concerned.unwrap_or_default() {
            let update = response.share(&loaded.resources, share, heartbeats);
            if let Err(Rejection { reason, .. }) = watch.offer(&update) {
                first.get_or_insert(reason);
                match share {
                    Share::Resource(at) => good[at] = false,
                    Share::All => good.fill(false),
                    Share::Removed(_) => {}
                }
            }
        }
        let Some(reason) = first else {
            return Ok(loaded);
        };
        let resources = loaded.resources.into_iter().zip(good);
        let accepted = resources.filter_map(|(resource, good)| good.then_some(resource));
        Err(Refused {
            reason,
            accepted: accepted.collect(),
        })
    }

    fn on_close(&self) {
        self.stats.connected_state.set(0);
        let types = self.types.borrow();
        let watches: Vec<_> = types.values().flat_map(TypeState::live).collect();
        drop(types);
        for watch in watches {
            watch.failed(&UpdateFailure::Connection);
        }
    }
}

impl Drop for GrpcMux {
    fn drop(&mut self) {
        // Whoever drives the stream sees that it is gone, as does who watches the time.
        self.wake();
        if let Some(waker) = self.expiry_waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

impl StreamResponse {
    /// What concerns a subscription. Where some resources only say that they stay, those that say
    /// nothing stay too.
    fn share<'a>(
        &'a self,
        resources: &'a [Resource],
        share: Share,
        heartbeats: bool,
    ) -> Update<'a> {
        let removed = self.removed.as_deref();
        let removed = removed.or(heartbeats.then_some(&[]));
        let (resources, removed) = match share {
            Share::All => (resources, removed),
            Share::Resource(at) => (&resources[at..=at], removed.map(|_| &[][..])),
            Share::Removed(at) => (&[][..], removed.map(|removed| &removed[at..=at])),
        };
        Update {
            resources,
            removed,
            version: &self.version,
        }
    }
}
