//! A subscription to a control plane that is asked over HTTP, again and again (Envoy's
//! `HttpSubscriptionImpl`; "REST endpoints" in its "xDS REST and gRPC protocol").

use crate::config_source::RestSource;
use crate::own_states::OwnStates;
use crate::rejection::Rejection;
use crate::resource::ResourceType;
use crate::response::{self, FileError};
use crate::stats::SubscriptionStats;
use crate::subscriptions::{SubscriptionCallbacks, Subscriptions, Update, UpdateFailure};
use nuncio_base::log::{Level, logger};
use nuncio_base::time::{millis, wall};
use nuncio_base::{Buffer, HeaderMap, log, names};
use nuncio_proto::envoy::service::discovery::v3::DiscoveryRequest;
use nuncio_proto::{Message, json, load};
use nuncio_router::{AsyncClient, AsyncFailure, AsyncRequest, AsyncResponse};
use nuncio_worker::Worker;
use nuncio_worker::timer::sleep_until;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

/// How long an answer may be, in bytes: as a message over gRPC.
const MAX_RESPONSE: usize = 64 << 20;

/// Where resources of a type are asked for.
const fn path(kind: ResourceType) -> &'static str {
    match kind {
        ResourceType::Cluster => "/v3/discovery:clusters",
        ResourceType::Endpoint => "/v3/discovery:endpoints",
        ResourceType::ExtensionConfig => "/v3/discovery:extension_configs",
        ResourceType::Listener => "/v3/discovery:listeners",
        ResourceType::Route => "/v3/discovery:routes",
        ResourceType::Runtime => "/v3/discovery:runtime",
        ResourceType::ScopedRoute => "/v3/discovery:scoped-routes",
        ResourceType::Secret => "/v3/discovery:secrets",
        // They come one by one only, which REST is not.
        ResourceType::VirtualHost => "/",
    }
}

/// A control plane that is asked from the start until this is dropped.
pub struct RestSubscription {
    owner: Rc<Subscriptions>,
    source: Arc<RestSource>,
    kind: ResourceType,
    name: Option<String>,
    states: OwnStates,
    stats: SubscriptionStats,
    callbacks: Weak<dyn SubscriptionCallbacks>,
    timeout: Duration,
    started: Cell<bool>,
    /// Something came that could be read, if only to be refused.
    answered: Cell<bool>,
    /// What was accepted last.
    version: RefCell<String>,
}

impl RestSubscription {
    /// A subscription to one resource or all; the first answer may take `timeout`, zero for any
    /// time.
    pub fn new(
        owner: &Rc<Subscriptions>,
        (source, timeout): (&Arc<RestSource>, Duration),
        (kind, name): (ResourceType, Option<&str>),
        stats: SubscriptionStats,
        callbacks: Weak<dyn SubscriptionCallbacks>,
    ) -> Rc<Self> {
        Rc::new(Self {
            owner: Rc::clone(owner),
            source: Arc::clone(source),
            kind,
            name: name.map(str::to_owned),
            states: OwnStates::new(owner, kind, name),
            stats,
            callbacks,
            timeout,
            started: Cell::new(false),
            answered: Cell::new(false),
            version: RefCell::default(),
        })
    }

    /// Begins to ask.
    pub fn start(self: &Rc<Self>) {
        let env = self.owner.env();
        let Some(main) = env.as_ref().and_then(|env| env.main()) else {
            return;
        };
        if self.started.replace(true) {
            return;
        }
        self.states.begin();
        self.limit_first_fetch(main);
        let client = AsyncClient::new(main, Arc::clone(&self.source.cluster));
        let (worker, weak) = (Rc::clone(main), Rc::downgrade(self));
        main.spawn(async move {
            while let Some(own) = weak.upgrade() {
                own.stats.update_attempt.inc();
                let answer = client.send(own.request());
                drop(own);
                let answer = answer.await;
                let Some(own) = weak.upgrade() else {
                    return;
                };
                own.on_answer(answer);
                let delay = millis(own.source.refresh_delay).max(1);
                let chance = worker.with_random(|random| random.below(delay));
                drop(own);
                worker.tick();
                let wait = Duration::from_millis(delay.saturating_add(chance));
                sleep_until(&worker, worker.now() + wait).await;
            }
        });
    }

    fn limit_first_fetch(self: &Rc<Self>, main: &Rc<Worker>) {
        if self.timeout.is_zero() {
            return;
        }
        let weak = Rc::downgrade(self);
        let (worker, until) = (Rc::clone(main), main.now() + self.timeout);
        main.spawn(async move {
            sleep_until(&worker, until).await;
            let Some(own) = weak.upgrade().filter(|own| !own.answered.get()) else {
                return;
            };
            let path = path(own.kind);
            log!(
                logger::CONFIG,
                Level::Warning,
                "REST config: initial fetch timeout for {path}"
            );
            own.stats.init_fetch_timeout.inc();
            own.fail(&UpdateFailure::TimedOut);
        });
    }

    fn request(&self) -> AsyncRequest {
        let request = DiscoveryRequest {
            version_info: self.version.borrow().clone(),
            node: Some(self.owner.node()),
            resource_names: self.name.iter().cloned().collect(),
            type_url: self.kind.type_url(),
            ..Default::default()
        };
        let options = json::Options {
            compact: true,
            ..Default::default()
        };
        let message = load::message_of::<DiscoveryRequest>();
        let body = message.map_or_else(String::new, |message| {
            json::print(&request.encode_to_vec(), message, &options)
        });
        let mut headers = HeaderMap::from_iter([
            (":method", "POST"),
            (":path", path(self.kind)),
            (":authority", &self.source.cluster),
            (":scheme", "http"),
        ]);
        headers.append(names::CONTENT_TYPE, b"application/json");
        headers.append(names::CONTENT_LENGTH, body.len().to_string().as_bytes());
        AsyncRequest {
            headers,
            body: Buffer::from(body.into_bytes()),
            timeout: Some(self.source.request_timeout),
            envoy_headers: true,
            max_response_bytes: MAX_RESPONSE,
        }
    }

    fn on_answer(&self, answer: Result<AsyncResponse, AsyncFailure>) {
        let path = path(self.kind);
        match answer {
            // What there is is the newest.
            Ok(AsyncResponse { status: 304, .. }) => {}
            Ok(AsyncResponse {
                status: 200, body, ..
            }) => {
                self.answered.set(true);
                if let Err(Rejection { reason, .. }) = self.on_response(body.to_bytes().into()) {
                    log!(
                        logger::CONFIG,
                        Level::Warning,
                        "REST config for {path} rejected: {reason}"
                    );
                    self.stats.update_rejected.inc();
                    self.fail(&UpdateFailure::Rejected(reason));
                }
            }
            // It is asked again, until the first fetch takes too long.
            Ok(_) | Err(_) => {
                log!(
                    logger::CONFIG,
                    Level::Warning,
                    "REST update for {path} failed"
                );
                self.stats.update_failure.inc();
            }
        }
    }

    fn on_response(&self, body: Vec<u8>) -> Result<(), Rejection> {
        let response = response::read_json(body, self.kind, &self.owner.options());
        let response = response.map_err(|error| match error {
            FileError::Unreadable(reason) => reason.into(),
            FileError::Refused(refused) => {
                self.states.refuse(&refused);
                refused.rejection
            }
        })?;
        self.owner.warn(&response.warnings);
        let Some(callbacks) = self.callbacks.upgrade() else {
            return Ok(());
        };
        let update = Update {
            resources: &response.resources,
            removed: None,
            version: &response.version,
        };
        let outcome = callbacks.on_update(&update);
        self.states.note(&update, &outcome);
        outcome?;
        self.stats.accepted(&response.version, wall());
        *self.version.borrow_mut() = response.version;
        Ok(())
    }

    fn fail(&self, failure: &UpdateFailure) {
        if let Some(callbacks) = self.callbacks.upgrade() {
            callbacks.on_failure(failure);
        }
    }
}
