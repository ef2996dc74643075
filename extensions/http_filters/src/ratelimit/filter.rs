//! The filter on one stream.

use super::wire::{self, Answer, Headers, Verdict};
use crate::cluster_counters::ClusterCounters;
use crate::rate_limits::{self, VhRateLimits};
use nuncio_base::runtime_flags::RuntimeFraction;
use nuncio_base::{HeaderMap, HeaderName, names};
use nuncio_codec::End;
use nuncio_grpc::{GrpcClient, GrpcService};
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::format_cx::with_headers;
use nuncio_http::{Cx, DataStatus, HeadersStatus, Hooks, HttpFilter, LocalReply, TrailersStatus};
use nuncio_route::mutation::Scratch;
use nuncio_route::rate_limit::Descriptor;
use nuncio_route::{HeaderMutations, RateLimit};
use nuncio_stream_info::ResponseFlag;
use nuncio_upstream::LocalCluster;
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// What a gRPC client is told where that is wanted.
const RESOURCE_EXHAUSTED: u32 = 8;

/// Which requests are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestType {
    /// Those from inside.
    Internal,
    /// Those from outside.
    External,
    /// All.
    Both,
}

/// The filter's configuration.
#[derive(Debug)]
pub struct RateLimitSpec {
    /// The service's name for what is limited here.
    pub domain: String,
    /// Of routes' rate limits, those of this stage.
    pub stage: u32,
    /// Which requests are counted.
    pub request_type: RequestType,
    /// Who is asked.
    pub service: Arc<GrpcService>,
    /// The filter's own rate limits, instead of routes'.
    pub rate_limits: Vec<RateLimit>,
    /// The share of requests that are asked for.
    pub enabled: RuntimeFraction,
    /// The share of those for which the answer matters.
    pub enforced: RuntimeFraction,
    /// Whether requests are refused where the service fails.
    pub failure_mode_deny: bool,
    /// For what share of requests, instead.
    pub failure_mode_deny_share: Option<RuntimeFraction>,
    /// Whether a gRPC client is told that resources are exhausted.
    pub resource_exhausted: bool,
    /// Whether responses tell of limits (`x-ratelimit-limit` and its like).
    pub rate_limit_headers: bool,
    /// Whether refusals have `x-envoy-ratelimited`.
    pub rate_limited_header: bool,
    /// Whether refusals say when to try again.
    pub retry_after: bool,
    /// The status of refusals.
    pub status: u16,
    /// The status of refusals because the service fails.
    pub status_on_error: u16,
    /// What refusals get.
    pub response_headers: HeaderMutations,
    /// The filter's own part of its stats' names.
    pub stat_prefix: String,
    /// Where the service's dynamic metadata go.
    pub metadata_namespace: String,
}

/// The filter's configuration at a route.
#[derive(Debug)]
pub struct RateLimitRouteSpec {
    /// Whether the virtual host's rate limits count.
    pub virtual_host: VhRateLimits,
    /// Rate limits instead of all others.
    pub rate_limits: Vec<RateLimit>,
    /// The domain instead of the filter's.
    pub domain: Option<String>,
}

/// The configuration, shared by the workers.
pub struct Shared(pub Arc<RateLimitSpec>);

impl HttpFilterSpec for Shared {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(RateLimitLocal {
            counters: ClusterCounters::new(worker, "ratelimit", &self.0.stat_prefix),
            spec: Arc::clone(&self.0),
        })))
    }
}

/// The filter on one worker.
pub struct RateLimitLocal {
    spec: Arc<RateLimitSpec>,
    counters: ClusterCounters,
}

impl HttpFilterFactory for RateLimitLocal {
    type Filter = RateLimitFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST.and(Hooks::RESPONSE_HEADERS)
    }

    fn create(self: &Rc<Self>) -> RateLimitFilter {
        RateLimitFilter {
            local: Rc::clone(self),
            calling: false,
            response: Vec::new(),
        }
    }
}

/// The filter.
pub struct RateLimitFilter {
    local: Rc<RateLimitLocal>,
    /// Whether the service is being asked.
    calling: bool,
    /// What the service adds to the response.
    response: Headers,
}

fn holds(share: &RuntimeFraction, worker: &Worker) -> bool {
    share.current(&worker.flags()).holds(worker.random())
}

impl RateLimitFilter {
    fn is_asked_for(&self, cx: &mut Cx<'_>) -> bool {
        let spec = &self.local.spec;
        if !holds(&spec.enabled, cx.worker()) {
            return false;
        }
        let is_internal = || cx.request_headers_ref().get("x-envoy-internal") == Some(b"true");
        match spec.request_type {
            RequestType::Both => true,
            RequestType::Internal => is_internal(),
            RequestType::External => !is_internal(),
        }
    }

    fn descriptors(&self, cx: &mut Cx<'_>, route: Option<&RateLimitRouteSpec>) -> Vec<Descriptor> {
        let spec = &self.local.spec;
        match route {
            Some(route) if !route.rate_limits.is_empty() => {
                rate_limits::of_request(cx, &route.rate_limits, 0, route.virtual_host)
            }
            _ => {
                let stage = if spec.rate_limits.is_empty() {
                    spec.stage
                } else {
                    0
                };
                let virtual_host = route.map_or(VhRateLimits::Override, |one| one.virtual_host);
                rate_limits::of_request(cx, &spec.rate_limits, stage, virtual_host)
            }
        }
    }

    fn on_verdict(&mut self, cx: &mut Cx<'_>, verdict: Verdict) {
        self.calling = false;
        let cluster = self.cluster(cx);
        match verdict {
            Verdict::Error => self.on_error(cx, cluster.as_deref()),
            Verdict::Ok(answer) => {
                self.count(cluster.as_deref(), "ok");
                self.pass(cx, answer);
            }
            Verdict::OverLimit(answer) => {
                self.count(cluster.as_deref(), "over_limit");
                if let Some(cluster) = &cluster {
                    cluster.count_response(self.local.spec.status, true, false);
                }
                match holds(&self.local.spec.enforced, cx.worker()) {
                    true => self.refuse(cx, answer),
                    false => self.pass(cx, answer),
                }
            }
        }
    }

    /// Lets the request go on.
    fn pass(&mut self, cx: &mut Cx<'_>, mut answer: Answer) {
        self.note(cx, &mut answer);
        for (name, value) in &answer.request_headers {
            cx.request_headers().append(name, value);
        }
        self.response = answer.response_headers;
        cx.resume_request();
    }

    fn refuse(&mut self, cx: &mut Cx<'_>, mut answer: Answer) {
        let reset = answer.limit.as_ref().map(|limit| limit.reset);
        self.note(cx, &mut answer);
        let spec = Arc::clone(&self.local.spec);
        let mut reply = LocalReply::new(spec.status, answer.body, "request_rate_limited")
            .flag(ResponseFlag::RateLimited);
        reply.grpc_status = spec.resource_exhausted.then_some(RESOURCE_EXHAUSTED);
        let added = added(&spec.response_headers, cx);
        for (name, value) in added.iter() {
            let name = HeaderName::new(&String::from_utf8_lossy(name));
            reply = reply.header(name, value);
        }
        for (name, value) in answer.response_headers {
            reply = reply.header(name, value);
        }
        if spec.rate_limited_header {
            reply = reply.header(HeaderName::new("x-envoy-ratelimited"), "true");
        }
        if spec.retry_after
            && let Some(reset) = reset
        {
            reply = reply.header(names::RETRY_AFTER, reset.to_string());
        }
        cx.local_reply(reply);
    }

    /// Keeps what comes with either verdict: dynamic metadata, what the response tells of limits.
    fn note(&self, cx: &mut Cx<'_>, answer: &mut Answer) {
        let spec = &self.local.spec;
        if let Some(metadata) = answer.metadata.take() {
            cx.info()
                .metadata
                .merge(&spec.metadata_namespace, &metadata);
        }
        if let Some(told) = answer.limit.take().filter(|_| spec.rate_limit_headers) {
            for (name, value) in [
                ("x-ratelimit-limit", told.limit),
                ("x-ratelimit-remaining", told.remaining.to_string()),
                ("x-ratelimit-reset", told.reset.to_string()),
            ] {
                let field = (HeaderName::new(name), value.into_bytes());
                answer.response_headers.push(field);
            }
        }
    }

    fn on_error(&mut self, cx: &mut Cx<'_>, cluster: Option<&LocalCluster>) {
        let spec = &self.local.spec;
        self.count(cluster, "error");
        let deny = match &spec.failure_mode_deny_share {
            Some(share) => holds(share, cx.worker()),
            None => spec.failure_mode_deny,
        };
        if !deny {
            self.count(cluster, "failure_mode_allowed");
            return cx.resume_request();
        }
        let reply = LocalReply::new(spec.status_on_error, "", "rate_limiter_error");
        cx.local_reply(reply.flag(ResponseFlag::RateLimitServiceError));
    }

    fn count(&self, cluster: Option<&LocalCluster>, counter: &'static str) {
        if let Some(cluster) = cluster {
            self.local.counters.count(cluster, counter);
        }
    }

    /// The cluster that the request goes to.
    fn cluster(&self, cx: &mut Cx<'_>) -> Option<Rc<LocalCluster>> {
        cx.lookup_route();
        let state = cx.state();
        let selected = state.route.selected()?;
        let name = selected.cluster_name(&state.request.headers)?;
        let name = std::str::from_utf8(name).ok()?;
        self.local.counters.clusters().get(name)
    }
}

/// The headers that a list of changes adds to none.
fn added(mutations: &HeaderMutations, cx: &mut Cx<'_>) -> HeaderMap {
    let worker = Rc::clone(cx.worker());
    let state = cx.state();
    let mut headers = HeaderMap::new();
    mutations.apply(
        &mut headers,
        &mut Scratch::default(),
        |formatter, _, out| {
            let request = Some(&state.request.headers);
            with_headers(&worker, &state.info, request, None, |cx| {
                formatter.append(cx, out);
            });
        },
    );
    headers
}

impl HttpFilter for RateLimitFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        if !self.is_asked_for(cx) {
            return HeadersStatus::Continue;
        }
        let route = cx.route_spec::<RateLimitRouteSpec>();
        let descriptors = self.descriptors(cx, route.as_deref());
        if descriptors.is_empty() {
            return HeadersStatus::Continue;
        }
        let spec = &self.local.spec;
        let domain = route.as_ref().and_then(|route| route.domain.as_ref());
        let message = wire::request(domain.unwrap_or(&spec.domain), descriptors);
        let client = GrpcClient::new(cx.worker(), &spec.service);
        let answer = client.unary(wire::SHOULD_RATE_LIMIT, &message);
        self.calling = true;
        let verdict = async move {
            let answer = answer.await;
            answer.map_or(Verdict::Error, |answer| wire::verdict(&answer))
        };
        cx.call(verdict, Self::on_verdict);
        HeadersStatus::StopAllIterationAndWatermark
    }

    fn request_data(&mut self, _: &mut Cx<'_>, _: &mut nuncio_base::Buffer, _: End) -> DataStatus {
        match self.calling {
            true => DataStatus::StopIterationAndWatermark,
            false => DataStatus::Continue,
        }
    }

    fn request_trailers(&mut self, _: &mut Cx<'_>) -> TrailersStatus {
        match self.calling {
            true => TrailersStatus::StopIteration,
            false => TrailersStatus::Continue,
        }
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        if let Some(headers) = cx.response_headers() {
            for (name, value) in &self.response {
                headers.append(name, value);
            }
        }
        HeadersStatus::Continue
    }
}
