//! The filter.

use super::wire::{self, Verdict};
use nuncio_base::Buffer;
use nuncio_base::metadata::Value;
use nuncio_base::time::millis;
use nuncio_grpc::{GrpcClient, GrpcService};
use nuncio_matching::MetadataMatcher;
use nuncio_net::{
    Close, ConnCx, FilterStatus, LocalNetworkFilterFactory, NetworkFilter, NetworkFilterFactory,
    NewConnection,
};
use nuncio_stats::{Group, stat_group};
use nuncio_stream_info::{ResponseFlag, TurnedAway};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// Under what name the service's metadata are.
const NAME: &str = "envoy.filters.network.ext_authz";

/// `%DOWNSTREAM_LOCAL_CLOSE_REASON%`.
const CLOSED: &str = "ext_authz_close";

const DENIED: TurnedAway = TurnedAway {
    flag: ResponseFlag::UnauthorizedExternalService,
    details: Some("ext_authz_denied"),
};
const FAILED: TurnedAway = TurnedAway {
    flag: ResponseFlag::UnauthorizedExternalService,
    details: Some("ext_authz_error"),
};

stat_group! {
    /// `ext_authz.<stat_prefix>.*`
    pub struct ExtAuthzStats {
        counters { cx_closed, denied, disabled, error, failure_mode_allowed, ok, total }
        gauges { active }
    }
}

/// What the filter is configured with.
pub struct ExtAuthzSpec {
    /// Who is asked.
    pub service: Arc<GrpcService>,
    /// Whether connections pass where the service fails.
    pub failure_mode_allow: bool,
    /// Whether the service gets the peer's certificate.
    pub include_peer_certificate: bool,
    /// Whether the service gets the name that the peer asked for.
    pub include_tls_session: bool,
    /// The metadata that the service gets.
    pub metadata_namespaces: Vec<String>,
    /// Of which connections it is asked; `None`: of all.
    pub enabled: Option<MetadataMatcher>,
    /// The stats.
    pub stats: Group<ExtAuthzStats>,
}

/// Makes filters that ask a service.
pub struct ExtAuthzFactory(pub(super) Arc<ExtAuthzSpec>);

impl NetworkFilterFactory for ExtAuthzFactory {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        Rc::new(LocalFactory(Rc::new(LocalExtAuthz {
            worker: Rc::clone(worker),
            client: GrpcClient::new(worker, &self.0.service),
            stats: self.0.stats.local(),
            spec: Arc::clone(&self.0),
        })))
    }
}

struct LocalExtAuthz {
    worker: Rc<Worker>,
    client: GrpcClient,
    stats: ExtAuthzStats,
    spec: Arc<ExtAuthzSpec>,
}

struct LocalFactory(Rc<LocalExtAuthz>);

impl LocalNetworkFilterFactory for LocalFactory {
    fn create(&self, _connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(Checked {
            local: Rc::clone(&self.0),
            state: State::New,
            asked: self.0.worker.now(),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Calling,
    Passed,
    Refused,
}

/// The filter of one connection.
struct Checked {
    local: Rc<LocalExtAuthz>,
    state: State,
    /// When the service was asked.
    asked: Instant,
}

impl Checked {
    fn ask(&mut self, cx: &mut ConnCx<'_>) {
        let LocalExtAuthz {
            worker,
            client,
            stats,
            spec,
        } = &*self.local;
        self.asked = worker.now();
        self.state = State::Calling;
        stats.active().inc();
        stats.total().inc();
        let question = wire::request(spec, cx.info());
        let answer = client.unary(wire::CHECK, &question);
        let verdict = async move {
            let answer = answer.await;
            answer.map_or((Verdict::Error, None), |answer| wire::verdict(&answer))
        };
        cx.call(verdict, Self::on_verdict);
    }

    fn on_verdict(&mut self, cx: &mut ConnCx<'_>, (verdict, metadata): (Verdict, Option<Value>)) {
        let LocalExtAuthz {
            worker,
            stats,
            spec,
            ..
        } = &*self.local;
        stats.active().dec();
        let mut known = cx.info().metadata.borrow_mut();
        if let Some(metadata) = metadata {
            known.merge(NAME, &metadata);
        }
        if verdict == Verdict::Ok {
            let took = worker.now().saturating_duration_since(self.asked);
            let took = Value::Number(millis(took) as f64);
            let field = ("ext_authz_duration".to_owned(), took);
            known.merge(NAME, &Value::Struct(Arc::new([field].into())));
        }
        drop(known);
        let refusal = match verdict {
            Verdict::Ok => {
                stats.ok().inc();
                None
            }
            Verdict::Denied => {
                stats.denied().inc();
                Some(&DENIED)
            }
            Verdict::Error => {
                stats.error().inc();
                if spec.failure_mode_allow {
                    stats.failure_mode_allowed().inc();
                }
                Some(&FAILED).filter(|_| !spec.failure_mode_allow)
            }
        };
        let Some(refusal) = refusal else {
            self.state = State::Passed;
            return cx.continue_reading();
        };
        self.state = State::Refused;
        stats.cx_closed().inc();
        let info = cx.info();
        info.turned_away.set(Some(refusal));
        info.local_close_reason.set(Some(CLOSED));
        cx.close(Close::NoFlush);
    }
}

impl NetworkFilter for Checked {
    fn on_data(&mut self, cx: &mut ConnCx<'_>, _: &mut Buffer, _: bool) -> FilterStatus {
        if self.state == State::New {
            let enabled = self.local.spec.enabled.as_ref();
            if enabled.is_none_or(|enabled| enabled.matches(&cx.info().metadata.borrow())) {
                self.ask(cx);
            } else {
                // Other filters may set the metadata later: each time it is looked at anew.
                self.local.stats.disabled().inc();
                return FilterStatus::Continue;
            }
        }
        match self.state {
            State::Passed => FilterStatus::Continue,
            State::New | State::Calling | State::Refused => FilterStatus::StopIteration,
        }
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        if self.state == State::Calling {
            self.local.stats.active().dec();
        }
    }
}
