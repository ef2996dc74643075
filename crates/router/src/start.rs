//! From the request's head to an attempt: route, cluster, host, connection.

use crate::attempt::Attempt;
use crate::headers;
use crate::reply;
use crate::retry::RetryState;
use crate::router::Router;
use crate::timeouts::{TimeoutInputs, Timeouts};
use nuncio_base::{HeaderMap, names};
use nuncio_codec::End;
use nuncio_http::local_reply::is_grpc;
use nuncio_http::{Cx, LocalReply};
use nuncio_route::{Action, Lookup, RetryOn, RouteAction};
use nuncio_stream_info::ResponseFlag;
use nuncio_upstream::{Choice, Host, LbRequest, Priority};
use std::sync::Arc;

struct HostRequest<'a> {
    headers: &'a HeaderMap,
    tried: &'a [u64],
    attempts: u32,
}

impl LbRequest for HostRequest<'_> {
    fn headers(&self) -> Option<&HeaderMap> {
        Some(self.headers)
    }

    fn refuses(&self, host: &Host) -> bool {
        self.tried.contains(&host.id())
    }

    fn host_selection_retries(&self) -> u32 {
        self.attempts
    }
}

pub(crate) const fn priority_of(action: &RouteAction) -> Priority {
    match action.priority {
        nuncio_route::Priority::Default => Priority::Default,
        nuncio_route::Priority::High => Priority::High,
    }
}

impl Router {
    /// Finds out what is to become of the request, and begins it.
    pub(crate) fn route_request(&mut self, cx: &mut Cx<'_>) {
        let lookup = cx.lookup_route();
        let state = cx.state();
        let Some(table) = state.route.table().cloned() else {
            return self.answer(cx, reply::no_route());
        };
        let id = match lookup {
            Lookup::Route(id) => id,
            Lookup::SslRedirect { .. } => return self.redirect_to_tls(cx),
            Lookup::NoRoute { .. } | Lookup::NoVirtualHost => {
                self.local.stats.no_route().inc();
                return self.answer(cx, reply::no_route());
            }
        };
        let selected = table.selected(id);
        match &selected.route.action {
            Action::Route(action) => self.begin(cx, selected, action),
            Action::Redirect(redirect) => {
                self.local.stats.rq_redirect().inc();
                let reply = headers::redirect(cx, selected, redirect);
                self.answer(cx, reply);
            }
            Action::DirectResponse(direct) => {
                self.local.stats.rq_direct_response().inc();
                let reply = headers::direct_response(cx, selected, direct);
                self.answer(cx, reply);
            }
            Action::NonForwarding => {
                self.local.stats.no_cluster().inc();
                self.answer(cx, reply::no_cluster(503));
            }
        }
    }

    fn redirect_to_tls(&mut self, cx: &mut Cx<'_>) {
        self.local.stats.rq_redirect().inc();
        let mut location = Vec::new();
        nuncio_route::redirect::append_ssl_redirect(cx.request_headers(), &mut location);
        let reply = LocalReply::new(301, "", "direct_response").header(names::LOCATION, location);
        self.answer(cx, reply);
    }

    /// Answers the request from here; nothing is sent upstream any more.
    pub(crate) fn answer(&mut self, cx: &mut Cx<'_>, reply: LocalReply) {
        self.done = true;
        cx.local_reply(reply);
    }

    /// The first of the headers to be checked strictly that Envoy could not read.
    fn unreadable_header(&self, headers: &HeaderMap) -> Option<LocalReply> {
        self.local.strict_check_headers.iter().find_map(|name| {
            let value = headers.get(name.as_str())?;
            let text = std::str::from_utf8(value).unwrap_or_default();
            let readable = match name.as_str() {
                "x-envoy-retry-on" => RetryOn::parse(text).1,
                "x-envoy-retry-grpc-on" => RetryOn::parse_grpc(text).1,
                _ => text.parse::<u64>().is_ok(),
            };
            let value = String::from_utf8_lossy(value);
            let body = format!("invalid header '{name}' with value '{value}'");
            let details = format!("request_headers_failed_strict_check{{{name}}}");
            let reply = || {
                LocalReply::new(400, body, details).flag(ResponseFlag::InvalidEnvoyRequestHeaders)
            };
            (!readable).then(reply)
        })
    }

    fn begin(
        &mut self,
        cx: &mut Cx<'_>,
        selected: nuncio_route::Selected<'_>,
        action: &RouteAction,
    ) {
        let name = selected
            .cluster_name(cx.request_headers())
            .unwrap_or_default();
        let cluster = std::str::from_utf8(name)
            .ok()
            .and_then(|name| self.local.clusters.get(name));
        let Some(cluster) = cluster else {
            self.local.stats.no_cluster().inc();
            return self.answer(
                cx,
                reply::no_cluster(action.cluster_not_found_response_code),
            );
        };
        if let Some(reply) = self.unreadable_header(cx.request_headers()) {
            return self.answer(cx, reply);
        }
        let worker = std::rc::Rc::clone(cx.worker());
        let local = std::rc::Rc::clone(&self.local);
        let (request, info) = cx.request_and_info();
        let upstream = info.upstream_mut();
        upstream.cluster = Arc::clone(&cluster.spec().observability_name);
        upstream.cluster_raw = Arc::clone(cluster.name());
        info.cluster_metadata = cluster.spec().metadata.clone();
        self.is_internal = request.get(names::X_ENVOY_INTERNAL) == Some(b"true");
        self.is_grpc = is_grpc(request.get(names::CONTENT_TYPE));
        let alternative = request.get(names::X_ENVOY_UPSTREAM_RQ_TIMEOUT_ALT_RESPONSE);
        self.timeout_status = if alternative.is_some() { 204 } else { 504 };
        request.remove(names::X_ENVOY_UPSTREAM_RQ_TIMEOUT_ALT_RESPONSE);
        self.timeouts = Timeouts::of(
            action,
            request,
            TimeoutInputs {
                is_grpc: self.is_grpc,
                hedge_on_per_try_timeout: false,
                respect_expected: local.respect_expected_timeout,
                suppress_headers: local.suppress_envoy_headers,
            },
        );
        local.scratch.with(|scratch| {
            headers::finalize_request(
                request,
                info,
                &worker,
                selected,
                !local.suppress_envoy_headers,
                scratch,
            );
        });
        self.retry = RetryState::of(action, request).map(Box::new);
        self.replay = self.retry.is_some().then(Box::default);
        self.cluster = Some(cluster);
        self.start_attempt(cx);
    }

    /// Chooses a host and asks for a connection to it.
    pub(crate) fn start_attempt(&mut self, cx: &mut Cx<'_>) {
        let Some(cluster) = self.cluster.clone() else {
            return;
        };
        let priority = cx
            .state()
            .route
            .action()
            .map_or(Priority::Default, priority_of);
        let include_count = {
            let selected = cx.state().route.selected();
            selected.is_some_and(|selected| selected.virtual_host.include_request_attempt_count)
        };
        let info = cx.info();
        info.attempt_count += 1;
        let count = info.attempt_count;
        if include_count {
            let mut digits = itoa::Buffer::new();
            let text = digits.format(count);
            cx.request_headers()
                .set(names::X_ENVOY_ATTEMPT_COUNT, text.as_bytes());
        }
        let refusing = self
            .retry
            .as_ref()
            .is_some_and(|retry| retry.refuses_tried_hosts());
        let attempts = self.retry.as_ref().map_or(1, |retry| retry.host_attempts());
        let request = HostRequest {
            headers: cx.request_headers(),
            tried: if refusing { &self.tried } else { &[] },
            attempts,
        };
        match cluster.choose(&request) {
            Choice::Host(host) => {
                let request = cluster.http_stream(&host, priority);
                let info = cx.info();
                info.upstream_mut().address = Some(host.address());
                info.upstream_mut().host_name = Arc::clone(host.hostname());
                info.host_metadata = host.metadata().cloned();
                if self.retry.is_some() {
                    self.tried.push(host.id());
                }
                let now = cx.worker().now();
                self.attempt = Some(Attempt::new(request, host, now));
                self.resend_body();
            }
            Choice::Pending(host) => {
                cx.call(host, Self::on_host_found);
            }
            Choice::NoHost => self.answer(cx, reply::no_healthy_upstream()),
        }
    }

    fn on_host_found(&mut self, cx: &mut Cx<'_>, host: Option<Arc<Host>>) {
        let (Some(cluster), Some(host)) = (self.cluster.clone(), host) else {
            return self.answer(cx, reply::no_healthy_upstream());
        };
        let priority = cx
            .state()
            .route
            .action()
            .map_or(Priority::Default, priority_of);
        let now = cx.worker().now();
        let request = cluster.http_stream(&host, priority);
        cx.info().upstream_mut().address = Some(host.address());
        self.attempt = Some(Attempt::new(request, host, now));
        self.resend_body();
    }

    /// Gives a new attempt what came of the request before it.
    fn resend_body(&mut self) {
        let (Some(attempt), Some(replay)) = (&mut self.attempt, &self.replay) else {
            return;
        };
        let trailers = replay.trailers.as_ref();
        if !replay.body.is_empty() {
            let end = self.request_ended && trailers.is_none();
            attempt.send_data(replay.body.clone(), End::when(end));
        }
        if let Some(trailers) = trailers {
            attempt.send_trailers(trailers);
        }
    }

    /// The connection is there: the head goes out.
    pub(crate) fn send_request(&mut self, cx: &mut Cx<'_>) {
        let now = cx.worker().now();
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        let state = cx.state();
        if let Some(stream) = attempt.stream() {
            let connection = stream.info();
            let upstream = state.info.upstream_mut();
            upstream.local_address = connection.local_address.clone();
            upstream.connection_id = Some(connection.connection_id);
            upstream.protocol = Some(connection.protocol);
            upstream.pool_ready = Some(now.saturating_duration_since(attempt.started));
        }
        state.info.timings.first_upstream_tx.get_or_insert(now);
        if let Some(nuncio_route::rewrite::HostRewrite::Auto) =
            state.route.action().map(|action| &action.host_rewrite)
            && !attempt.host.hostname().is_empty()
        {
            let append = state
                .route
                .action()
                .is_some_and(|a| a.append_x_forwarded_host);
            let host = attempt.host.hostname().as_bytes();
            nuncio_route::rewrite::update_authority(
                &mut state.request.headers,
                host,
                append,
                !self.local.suppress_envoy_headers,
            );
        }
        let waits = self.request_ended && !attempt.has_waiting();
        attempt.send_headers(&state.request.headers, End::when(waits));
        if attempt.request_ended {
            state.info.timings.last_upstream_tx = Some(now);
        }
    }

    /// Ends what is under way upstream.
    pub(crate) fn abandon(&mut self, cx: &mut Cx<'_>) {
        self.done = true;
        if let Some(mut attempt) = self.attempt.take() {
            attempt.end();
        }
        self.retry_permit = None;
        if std::mem::take(&mut self.holds_request) {
            cx.push_back(nuncio_http::Direction::Request, false);
        }
    }

    /// Records a flag on the stream.
    pub(crate) fn flag(cx: &mut Cx<'_>, flag: Option<ResponseFlag>) {
        if let Some(flag) = flag {
            cx.info().set_flag(flag);
        }
    }
}
