//! The filter on one stream.

use super::session::{Named, SessionState};
use crate::stats_of::StatsOf;
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, HeadersStatus, Hooks, HttpFilter, LocalReply};
use nuncio_stats::{Group, stat_group};
use nuncio_stream_info::{OverrideHost, ResponseFlag};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

stat_group! {
    /// `stateful_session.<stat_prefix>.*`
    pub struct StatefulSessionStats {
        counters { failed_closed, failed_open, no_session, routed }
    }
}

/// How sessions are kept, for the filter or a route.
pub struct StatefulSessionPolicy {
    /// How clients remember their hosts; `None`: there are no sessions.
    pub state: Option<SessionState>,
    /// Whether only the named host will do.
    pub strict: bool,
    /// What is answered where it must do and there is none.
    pub status_not_found: u16,
    /// What is counted, if anything.
    pub stats: Option<Group<StatefulSessionStats>>,
}

/// What a route says: its own policy, or that there are no sessions.
pub struct PerRoute(pub Option<Arc<StatefulSessionPolicy>>);

/// The filter's configuration.
pub struct StatefulSessionSpec(pub Arc<StatefulSessionPolicy>);

impl HttpFilterSpec for StatefulSessionSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(LocalStatefulSession {
            policy: Arc::clone(&self.0),
            stats: StatsOf::default(),
        })))
    }
}

struct LocalStatefulSession {
    policy: Arc<StatefulSessionPolicy>,
    stats: StatsOf<StatefulSessionPolicy, StatefulSessionStats>,
}

impl LocalStatefulSession {
    /// What a policy counts on this worker, if anything.
    fn stats_of(&self, policy: &Arc<StatefulSessionPolicy>) -> Option<StatefulSessionStats> {
        let stats = policy.stats.as_ref()?;
        Some(self.stats.get(policy, || stats.local()))
    }
}

impl HttpFilterFactory for LocalStatefulSession {
    type Filter = StatefulSessionFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS.and(Hooks::RESPONSE_HEADERS)
    }

    fn create(self: &Rc<Self>) -> StatefulSessionFilter {
        StatefulSessionFilter {
            local: Rc::clone(self),
            session: None,
        }
    }
}

/// A request's session.
struct Session {
    policy: Arc<StatefulSessionPolicy>,
    /// The host that the client named.
    address: Option<String>,
}

/// The filter.
pub struct StatefulSessionFilter {
    local: Rc<LocalStatefulSession>,
    session: Option<Session>,
}

impl Session {
    fn count(&self, cx: &mut Cx<'_>, local: &LocalStatefulSession, host: Option<&str>) {
        let stats = local.stats_of(&self.policy);
        let (Some(stats), Some(wanted)) = (stats, &self.address) else {
            return;
        };
        let no_host = cx.info().flags.has(ResponseFlag::NoHealthyUpstream);
        match host {
            Some(host) if host == wanted => stats.routed().inc(),
            Some(_) => stats.failed_open().inc(),
            None if no_host && self.policy.strict => stats.failed_closed().inc(),
            None => {}
        }
    }
}

impl HttpFilter for StatefulSessionFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let policy = match cx.route_spec::<PerRoute>() {
            None => Arc::clone(&self.local.policy),
            Some(of_route) => match &of_route.0 {
                Some(policy) => Arc::clone(policy),
                None => return HeadersStatus::Continue,
            },
        };
        let now = cx.worker().wall();
        let state = policy.state.as_ref();
        let state = state.filter(|state| state.covers(cx.request_headers_ref()));
        let Some(state) = state else {
            if let Some(stats) = self.local.stats_of(&policy) {
                stats.no_session().inc();
            }
            return HeadersStatus::Continue;
        };
        let address = match state.named(cx.request_headers(), now) {
            Named::Nothing => None,
            Named::Address(address) => Some(address),
            Named::Unsendable(header) => {
                cx.local_reply(LocalReply::invalid_value(header.as_str()));
                return HeadersStatus::StopIteration;
            }
        };
        if let Some(address) = &address {
            cx.state().override_host = Some(Box::new(OverrideHost {
                address: address.as_str().into(),
                strict: policy.strict,
                status_not_found: policy.status_not_found,
            }));
        }
        self.session = Some(Session { policy, address });
        HeadersStatus::Continue
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let Some(session) = &self.session else {
            return HeadersStatus::Continue;
        };
        let upstream = cx.info().upstream.as_ref();
        let host = upstream.and_then(|upstream| upstream.address.as_ref());
        let host = host.map(ToString::to_string);
        session.count(cx, &self.local, host.as_deref());
        let now = cx.worker().wall();
        let state = session.policy.state.as_ref();
        if let (Some(state), Some(host), Some(headers)) = (state, host, cx.response_headers()) {
            state.tell(headers, &host, session.address.as_deref(), now);
        }
        HeadersStatus::Continue
    }
}
