//! The filter on one stream.

use super::check::{self, CheckBody, gathered, request_cluster};
use super::settings::{BodySettings, ExtAuthzRouteSpec, ExtAuthzSpec, HttpService, Service};
use super::shadow::CheckResult;
use super::stats::ExtAuthzStats;
use super::verdict::{Consent, Denial, ResponseField, Verdict, request_name};
use super::{query, wire};
use crate::cluster_counters::ClusterCounters;
use nuncio_base::header_name::MessageKind;
use nuncio_base::metadata::Value;
use nuncio_base::{Buffer, names};
use nuncio_codec::End;
use nuncio_grpc::GrpcClient;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::format_cx::with_headers;
use nuncio_http::{
    Cx, DataStatus, Direction, HeadersStatus, Hooks, HttpFilter, LocalReply, TrailersStatus,
};
use nuncio_route::mutation::Scratch;
use nuncio_router::{AsyncClient, AsyncRequest};
use nuncio_stream_info::ResponseFlag;
use nuncio_upstream::{ClusterManager, LocalCluster};
use nuncio_worker::Worker;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// The namespace of the dynamic metadata that services set.
const NAMESPACE: &str = "envoy.filters.http.ext_authz";

/// How large a service's answer may be, in bytes.
const MOST_RESPONSE_BYTES: usize = 1 << 20;

/// The filter's configuration, shared by the workers.
pub struct SharedSpec(pub Arc<ExtAuthzSpec>);

/// The filter on one worker.
pub struct ExtAuthzLocal {
    pub(super) spec: Arc<ExtAuthzSpec>,
    pub(super) stats: ExtAuthzStats,
    cluster_stats: ClusterCounters,
    clusters: Rc<ClusterManager>,
}

impl HttpFilterSpec for SharedSpec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        let clusters = ClusterManager::of(worker);
        Rc::new(Local(Rc::new(ExtAuthzLocal {
            stats: self.0.stats.local(),
            cluster_stats: ClusterCounters::new(worker, "ext_authz", &self.0.stat_prefix),
            clusters,
            spec: Arc::clone(&self.0),
        })))
    }
}

impl HttpFilterFactory for ExtAuthzLocal {
    type Filter = ExtAuthzFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST.and(Hooks::RESPONSE_HEADERS)
    }

    fn create(self: &Rc<Self>) -> ExtAuthzFilter {
        ExtAuthzFilter {
            local: Rc::clone(self),
            state: State::Passing,
            call: None,
            response: Vec::new(),
        }
    }
}

/// Where the check of a request stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// There is none, or it is over.
    Passing,
    /// The body is gathered for it.
    Gathering(BodySettings),
    /// The service is asked.
    Calling,
}

/// A check that is under way.
struct Call {
    /// The cluster that the request itself goes to, which is charged with the outcome.
    cluster: Option<Rc<LocalCluster>>,
    started: Instant,
}

/// The filter.
pub struct ExtAuthzFilter {
    pub(super) local: Rc<ExtAuthzLocal>,
    state: State,
    call: Option<Box<Call>>,
    /// Headers that a consent adds to the response.
    response: Vec<ResponseField>,
}

impl ExtAuthzFilter {
    /// Whether this request is to be checked.
    fn is_enabled(&self, cx: &mut Cx<'_>) -> bool {
        let spec = &self.local.spec;
        let drawn = spec.enabled.as_ref().is_none_or(|share| {
            let share = share.current(&cx.worker().flags());
            share.holds(cx.worker().random())
        });
        let metadata = spec.enabled_metadata.as_ref();
        drawn && metadata.is_none_or(|matcher| matcher.matches(&cx.info().metadata))
    }

    /// What becomes of a request that is not checked.
    fn on_disabled(&mut self, cx: &mut Cx<'_>) -> HeadersStatus {
        let spec = &self.local.spec;
        self.local.stats.disabled().inc();
        let deny = spec.deny_at_disable.as_ref().is_some_and(|(deny, key)| {
            let flags = cx.worker().flags();
            flags.boolean(key, *deny)
        });
        if !deny {
            return HeadersStatus::Continue;
        }
        if spec.shadow {
            self.note_unchecked(cx, spec.error_reply());
            return HeadersStatus::Continue;
        }
        cx.local_reply(spec.error_reply());
        HeadersStatus::StopIteration
    }

    /// Asks the service. `last` is the piece of body that came last and is not buffered yet.
    fn check(&mut self, cx: &mut Cx<'_>, last: Option<&Buffer>) {
        let body = match self.state {
            State::Gathering(settings) => {
                let (body, partial) = gathered(cx, last, settings.max_bytes);
                Some((body, settings, partial))
            }
            State::Passing | State::Calling => None,
        };
        self.state = State::Calling;
        let of_route = cx.route_spec::<ExtAuthzRouteSpec>();
        let of_route = of_route.as_deref().and_then(|spec| match spec {
            ExtAuthzRouteSpec::Check(settings) => Some(settings),
            ExtAuthzRouteSpec::Disabled(_) => None,
        });
        let cluster = request_cluster(cx, &self.local.clusters);
        let service = of_route.and_then(|settings| settings.service.as_ref());
        let Some(service) = service.or(self.local.spec.service.as_ref()) else {
            return self.on_error(cx, cluster.as_deref());
        };
        let worker = Rc::clone(cx.worker());
        self.call = Some(Box::new(Call {
            cluster,
            started: worker.now(),
        }));
        match service {
            Service::Http(service) => {
                let body = body.map(|(body, _, partial)| (body, partial));
                let request = self.request(cx, service, body);
                let client = AsyncClient::new(&worker, Arc::clone(&service.cluster));
                let (answer, service) = (client.send(request), Arc::clone(service));
                let verdict = async move {
                    match answer.await {
                        Ok(response) => Verdict::of(&service.answer, &response),
                        Err(_) => Verdict::Error,
                    }
                };
                cx.call(verdict, Self::on_verdict);
            }
            Service::Grpc(service) => {
                let nothing = BTreeMap::new();
                let extensions = of_route.map(|settings| &*settings.context_extensions);
                let (headers, info) = cx.request_and_info();
                let message = wire::request(
                    &self.local.spec,
                    wire::Subject {
                        headers,
                        info,
                        id: worker.random(),
                        body,
                        context_extensions: extensions.unwrap_or(&nothing),
                    },
                );
                let answer = GrpcClient::new(&worker, service).unary(wire::CHECK, &message);
                let verdict = async move {
                    let answer = answer.await;
                    answer.map_or(Verdict::Error, |answer| wire::verdict(&answer))
                };
                cx.call(verdict, Self::on_verdict);
            }
        }
    }

    fn request(
        &self,
        cx: &mut Cx<'_>,
        service: &HttpService,
        body: Option<(Buffer, bool)>,
    ) -> AsyncRequest {
        let worker = Rc::clone(cx.worker());
        let (request, info) = cx.request_and_info();
        let size = body.as_ref().map(|(body, partial)| CheckBody {
            len: body.len(),
            partial: *partial,
        });
        let mut headers = check::head(&self.local.spec, service, request, size);
        let mut scratch = Scratch::default();
        let add = &service.headers_to_add;
        add.apply(&mut headers, &mut scratch, |formatter, _, out| {
            with_headers(&worker, info, Some(request), None, |cx| {
                formatter.append(cx, out);
            });
        });
        AsyncRequest {
            headers,
            body: body.map(|(body, _)| body).unwrap_or_default(),
            timeout: service.timeout,
            envoy_headers: true,
            max_response_bytes: MOST_RESPONSE_BYTES,
        }
    }

    fn on_verdict(&mut self, cx: &mut Cx<'_>, verdict: Verdict) {
        let Some(call) = self.call.take() else {
            return;
        };
        self.state = State::Passing;
        match verdict {
            Verdict::Ok(consent) => self.on_ok(cx, consent, &call),
            Verdict::Denied(denial) => self.on_denied(cx, denial, &call),
            Verdict::Error => self.on_error(cx, call.cluster.as_deref()),
        }
    }

    fn on_ok(&mut self, cx: &mut Cx<'_>, consent: Consent, call: &Call) {
        self.local.stats.ok().inc();
        self.count(call.cluster.as_deref(), "ok");
        let mut metadata = consent.metadata;
        if !metadata.is_empty() {
            let waited = cx.worker().now().saturating_duration_since(call.started);
            let millis = nuncio_base::time::millis(waited) as f64;
            metadata.insert("ext_authz_duration".to_owned(), Value::Number(millis));
        }
        self.set_metadata(cx, metadata);
        let headers = cx.request_headers();
        let path = headers.get_str(names::PATH).unwrap_or_default();
        let path = query::changed(path, &consent.query_set, &consent.query_remove);
        if let Some(path) = &path {
            headers.set(names::PATH, path.as_bytes());
        }
        let changes = path.is_some()
            || !(consent.set.is_empty() && consent.append.is_empty() && consent.remove.is_empty());
        for (name, value) in &consent.set {
            headers.replace(&request_name(name), value);
        }
        for (name, value) in &consent.append {
            headers.receive(&request_name(name), value.as_slice(), MessageKind::Request);
        }
        for name in &consent.remove {
            headers.remove(name);
        }
        if changes && self.local.spec.clear_route_cache {
            cx.clear_route();
        }
        self.response = consent.response;
        self.note_consent(cx);
        cx.resume_request();
    }

    fn on_denied(&mut self, cx: &mut Cx<'_>, denial: Denial, call: &Call) {
        let spec = &self.local.spec;
        self.local.stats.denied().inc();
        self.count(call.cluster.as_deref(), "denied");
        if spec.charge_cluster
            && let Some(cluster) = &call.cluster
        {
            cluster.count_response(denial.status, true, false);
        }
        self.set_metadata(cx, denial.metadata);
        let mut body = denial.body;
        if spec.max_denied_body > 0 {
            body.truncate(spec.max_denied_body);
        }
        let mut reply = LocalReply::new(denial.status, body, "ext_authz_denied")
            .flag(ResponseFlag::UnauthorizedExternalService);
        reply.headers = denial.headers;
        self.refuse(cx, reply, CheckResult::Denied);
    }

    fn on_error(&mut self, cx: &mut Cx<'_>, cluster: Option<&LocalCluster>) {
        let spec = &self.local.spec;
        self.state = State::Passing;
        self.local.stats.error().inc();
        self.count(cluster, "error");
        if !spec.failure_mode_allow || spec.shadow {
            return self.refuse(cx, spec.error_reply(), CheckResult::Error);
        }
        self.local.stats.failure_mode_allowed().inc();
        self.count(cluster, "failure_mode_allowed");
        if spec.failure_mode_allow_header_add {
            cx.request_headers()
                .append("x-envoy-auth-failure-mode-allowed", b"true");
        }
        cx.resume_request();
    }

    fn count(&self, cluster: Option<&LocalCluster>, outcome: &'static str) {
        if let Some(cluster) = cluster {
            self.local.cluster_stats.count(cluster, outcome);
        }
    }

    fn set_metadata(&self, cx: &mut Cx<'_>, fields: BTreeMap<String, Value>) {
        if fields.is_empty() {
            return;
        }
        if self.local.spec.ingest_metadata {
            let fields = Value::Struct(Arc::new(fields));
            cx.info().metadata.merge(NAMESPACE, &fields);
        } else {
            self.local.stats.ignored_dynamic_metadata().inc();
        }
    }

    /// How much of the request's body this request's check gets.
    fn body_settings(&self, route: Option<&ExtAuthzRouteSpec>) -> Option<BodySettings> {
        match route {
            Some(ExtAuthzRouteSpec::Check(settings)) => {
                settings.body.unwrap_or(self.local.spec.body)
            }
            Some(ExtAuthzRouteSpec::Disabled(_)) | None => self.local.spec.body,
        }
    }
}

impl HttpFilter for ExtAuthzFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        let route = cx.route_spec::<ExtAuthzRouteSpec>();
        if let Some(ExtAuthzRouteSpec::Disabled(true)) = route.as_deref() {
            return HeadersStatus::Continue;
        }
        if !self.is_enabled(cx) {
            return self.on_disabled(cx);
        }
        // What follows an upgrade's head is no body.
        let has_body = !end.is_end() && !cx.request_headers().contains(names::UPGRADE);
        if let Some(body) = self.body_settings(route.as_deref())
            && has_body
        {
            self.state = State::Gathering(body);
            if !body.allow_partial {
                cx.set_buffer_limit(body.max_bytes);
            }
            return HeadersStatus::StopIteration;
        }
        self.check(cx, None);
        HeadersStatus::StopAllIterationAndWatermark
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        match self.state {
            State::Passing => DataStatus::Continue,
            State::Calling => DataStatus::StopIterationAndWatermark,
            State::Gathering(body) => {
                let len = cx.buffered(Direction::Request).len() + data.len();
                let is_full = body.allow_partial && len >= body.max_bytes;
                if !end.is_end() && !is_full {
                    return DataStatus::StopIterationAndBuffer;
                }
                self.check(cx, Some(data));
                DataStatus::StopIterationAndWatermark
            }
        }
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        match self.state {
            State::Passing => TrailersStatus::Continue,
            State::Calling => TrailersStatus::StopIteration,
            State::Gathering(_) => {
                self.check(cx, None);
                TrailersStatus::StopIteration
            }
        }
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        if let Some(headers) = cx.response_headers() {
            for field in &self.response {
                field.apply(headers);
            }
        }
        HeadersStatus::Continue
    }
}
