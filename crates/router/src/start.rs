//! From the request's head to an attempt: route, cluster, host, connection.

use crate::attempt::Attempt;
use crate::headers;
use crate::host_request::{HostRequest, ask_pool, priority_of};
use crate::local::describe_cluster;
use crate::reply;
use crate::retry::RetryState;
use crate::router::Router;
use crate::timeouts::{self, TimeoutInputs, Timeouts};
use crate::upstream_stream::UpstreamStream;
use nuncio_base::{HeaderMap, names};
use nuncio_codec::End;
use nuncio_http::local_reply::is_grpc;
use nuncio_http::{Cx, LocalReply};
use nuncio_route::{Action, Lookup, RetryOn, RouteAction, Selected};
use nuncio_stream_info::ResponseFlag;
use nuncio_upstream::outlier::OutlierResult;
use nuncio_upstream::{Choice, Host, LocalCluster, Priority};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

impl Router {
    /// Finds out what is to become of the request, and begins it.
    pub(crate) fn route_request(&mut self, cx: &mut Cx<'_>) {
        let id = match cx.lookup_route() {
            Lookup::Route(id) => id,
            Lookup::SslRedirect { .. } => return self.redirect_to_tls(cx),
            Lookup::NoRoute { .. } | Lookup::NoVirtualHost => {
                self.local.stats.no_route().inc();
                return self.answer(cx, reply::no_route());
            }
        };
        let Some(table) = cx.state().route.table().cloned() else {
            return self.answer(cx, reply::no_route());
        };
        let selected = table.selected(id);
        match &selected.route.action {
            Action::Route(action) => self.begin(cx, selected, action),
            Action::Redirect(redirect) => {
                // Envoy's counter of redirects stands still.
                self.local.stats.rq_direct_response().inc();
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
        self.local.stats.rq_direct_response().inc();
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

    /// Answers with what came of the attempts, and says how many there were where the virtual host
    /// wants that.
    pub(crate) fn answer_with_attempts(&mut self, cx: &mut Cx<'_>, mut reply: LocalReply) {
        let attempts = cx.info().attempt_count;
        let selected = cx.state().route.selected();
        if attempts > 0
            && selected.is_some_and(|s| s.virtual_host.include_attempt_count_in_response)
        {
            reply = reply.header(names::X_ENVOY_ATTEMPT_COUNT, attempts.to_string());
        }
        self.answer(cx, reply);
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

    fn begin(&mut self, cx: &mut Cx<'_>, selected: Selected<'_>, action: &RouteAction) {
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
        let share = cluster.info().maintenance();
        if share > 0 && cx.worker().random() % 100 < u64::from(share) {
            return self.maintain(cx, &cluster);
        }
        let (request, info) = cx.request_and_info();
        describe_cluster(&cluster, info);
        self.is_internal = request.get(names::X_ENVOY_INTERNAL) == Some(b"true");
        self.is_grpc = is_grpc(request.get(names::CONTENT_TYPE));
        self.begin_counts(cx, &cluster);
        self.limit_times(cx, action, &cluster);
        self.finalize_request(cx, selected);
        let request = cx.request_headers();
        if let Some(name) = headers::missing(request) {
            return self.answer(cx, reply::missing_header(name));
        }
        self.retry = RetryState::of(action, request).map(Box::new);
        let keeps = self.retry.is_some() || action.internal_redirect.is_some();
        self.replay = keeps.then(Box::default);
        if let Some(limit) = selected.route.request_body_buffer_limit {
            cx.set_buffer_limit(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        self.cluster = Some(cluster);
        self.start_attempt(cx);
        if !action.mirror_policies.is_empty() {
            self.begin_mirrors(cx, action, self.request_ended);
        }
    }

    /// The cluster is in maintenance mode: the request does not get to a host.
    fn maintain(&mut self, cx: &mut Cx<'_>, cluster: &Rc<LocalCluster>) {
        describe_cluster(cluster, cx.info());
        self.begin_counts(cx, cluster);
        cluster.stats().upstream_rq_maintenance_mode().inc();
        cluster.info().dropped.inc();
        self.cluster = Some(Rc::clone(cluster));
        self.count_code(503, false);
        self.answer(cx, reply::maintenance());
    }

    /// Reads and tells how long the request may take.
    fn limit_times(&mut self, cx: &mut Cx<'_>, action: &RouteAction, cluster: &LocalCluster) {
        let now = cx.worker().now();
        let request = cx.request_headers();
        let inputs = TimeoutInputs {
            is_grpc: self.is_grpc,
            respect_expected: self.local.respect_expected_timeout,
            suppress_headers: self.local.suppress_envoy_headers,
        };
        self.timeouts = Timeouts::of(action, request, inputs);
        let of_header = timeouts::stream_duration(request);
        let limit = of_header.or(cluster.spec().http.max_stream_duration);
        self.stream_due = limit
            .filter(|limit| !limit.is_zero())
            .map(|limit| now + limit);
        if request.contains(names::X_ENVOY_UPSTREAM_RQ_TIMEOUT_ALT_RESPONSE) {
            self.timeout_status = 204;
            request.remove(names::X_ENVOY_UPSTREAM_RQ_TIMEOUT_ALT_RESPONSE);
        }
    }

    fn finalize_request(&self, cx: &mut Cx<'_>, selected: Selected<'_>) {
        let worker = Rc::clone(cx.worker());
        let keep_original = !self.local.suppress_envoy_headers;
        let (request, info) = cx.request_and_info();
        self.local.scratch.with(|scratch| {
            headers::finalize_request(request, info, &worker, selected, keep_original, scratch);
        });
    }

    pub(crate) fn no_host(&mut self, cx: &mut Cx<'_>, status: u16) {
        self.count_code(status, false);
        self.answer_with_attempts(cx, reply::no_healthy_upstream(status));
    }

    /// Tells upstream which attempt this is, and how much time is left for it.
    fn tell_attempt(&mut self, cx: &mut Cx<'_>) {
        let now = cx.worker().now();
        let state = cx.state();
        state.info.attempt_count += 1;
        let (Some(host), Some(action)) = (
            state.route.selected().map(|selected| selected.virtual_host),
            state.route.action(),
        ) else {
            return;
        };
        let headers = &mut state.request.headers;
        if host.include_request_attempt_count {
            let mut digits = itoa::Buffer::new();
            let text = digits.format(state.info.attempt_count);
            headers.set(names::X_ENVOY_ATTEMPT_COUNT, text.as_bytes());
        }
        if !self.is_retry {
            return;
        }
        if host.include_is_timeout_retry_header {
            let text: &[u8] = if self.is_timeout_retry {
                b"true"
            } else {
                b"false"
            };
            headers.set(names::X_ENVOY_IS_TIMEOUT_RETRY, text);
        }
        let elapsed = self
            .request_ended_at
            .map_or(Duration::ZERO, |from| now.saturating_duration_since(from));
        let inputs = TimeoutInputs {
            is_grpc: self.is_grpc,
            respect_expected: self.local.respect_expected_timeout,
            suppress_headers: self.local.suppress_envoy_headers,
        };
        self.timeouts
            .tell_upstream(action, headers, inputs, elapsed);
    }

    /// Chooses a host and asks for a connection to it.
    pub(crate) fn start_attempt(&mut self, cx: &mut Cx<'_>) {
        let Some(cluster) = self.cluster.clone() else {
            return;
        };
        self.tell_attempt(cx);
        if cx.state().override_host.is_some() && self.start_overridden(cx, &cluster) {
            return;
        }
        let retry = self.retry.as_deref().filter(|_| self.is_retry);
        let state = cx.state();
        let action = state.route.action();
        let request = HostRequest {
            headers: &state.request.headers,
            route: &state.route,
            retry: retry.map(RetryState::policy),
            tried: &self.tried,
            priorities: &self.priorities,
            info: &state.info,
            hash_policies: action.map_or(&[], |action| &action.hash_policies),
            set_cookies: RefCell::default(),
            notes: RefCell::default(),
        };
        let choice = cluster.choose(&request);
        self.set_cookies.append(&mut request.set_cookies.take());
        let notes = request.notes.take();
        if !notes.is_empty() {
            Self::take_notes(cx, &notes);
        }
        match choice {
            Choice::Host(host) => self.try_host(cx, &cluster, host),
            Choice::Pending(host) => {
                cx.call(host, Self::on_host_found);
            }
            Choice::NoHost => self.no_host(cx, 503),
        }
    }

    fn on_host_found(&mut self, cx: &mut Cx<'_>, host: Option<Arc<Host>>) {
        let (Some(cluster), Some(host)) = (self.cluster.clone(), host) else {
            return self.no_host(cx, 503);
        };
        self.try_host(cx, &cluster, host);
    }

    pub(crate) fn try_host(&mut self, cx: &mut Cx<'_>, cluster: &LocalCluster, host: Arc<Host>) {
        let state = cx.state();
        let action = state.route.action();
        let priority = action.map_or(Priority::Default, priority_of);
        let request = ask_pool(cluster, &host, priority, state);
        if request.is_refused() {
            return self.no_host(cx, 503);
        }
        let info = cx.info();
        if self.is_retry {
            info.forget_attempt();
        }
        let upstream = info.upstream_mut();
        upstream.address = Some(host.address());
        upstream.host_name = Some(Arc::clone(host.hostname()));
        info.host_metadata = host.metadata().cloned();
        if self.retry.is_some() {
            self.tried.push(host.id());
            self.priorities.get_mut().attempted(host.id());
        }
        let now = cx.worker().now();
        let mut attempt = Attempt::new(request, host, now);
        attempt.record = self.begin_record(cx);
        self.attempt = Some(attempt);
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
        if let Some(monitor) = attempt.host.monitor() {
            monitor.on_result(OutlierResult::Connected, cx.worker());
        }
        let state = cx.state();
        if let Some(stream) = attempt.stream() {
            let upstream = state.info.upstream_mut();
            stream.describe(upstream);
            upstream.pool_ready = Some(now.saturating_duration_since(attempt.started));
        }
        attempt.per_try_from = self.request_ended.then_some(now);
        state.info.timings.first_upstream_tx = Some(now);
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
        self.log_connected(cx);
        self.add_upstream_filters(cx);
        let (Some(attempt), state) = (&mut self.attempt, cx.state()) else {
            return;
        };
        let waits = self.request_ended && !attempt.has_waiting();
        attempt.send_headers(&state.request.headers, End::when(waits));
        if let Some(changed) = attempt.stream().and_then(UpstreamStream::request_headers) {
            state.request.headers.clone_from(changed);
        }
        if attempt.request_ended {
            state.info.timings.last_upstream_tx = Some(now);
        }
        self.count_route(|stats| stats.upstream_rq_total().inc());
    }

    /// Ends what is under way upstream.
    pub(crate) fn abandon(&mut self, cx: &mut Cx<'_>) {
        self.done = true;
        self.end_attempt(cx);
        self.mirrors.clear();
        self.retry_permit = None;
        if std::mem::take(&mut self.holds_request) {
            cx.push_back(nuncio_http::Direction::Request, false);
        }
    }
}
