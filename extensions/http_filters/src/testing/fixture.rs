//! Real chains for tests: filters and routes from their configuration as text, a peer in place of
//! the router, and a script of what comes from both sides.

use nuncio_base::address::Address;
use nuncio_base::metadata::Metadata;
use nuncio_base::runtime_flags::{FlagValue, RuntimeFlags};
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::{End, ResetReason};
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::server_env::NodeInfo;
use nuncio_extension::{HttpFilterExtension, HttpFilterFactory, ParseCx, Registry, ServerEnv};
use nuncio_http::chain::{FilterStream, LocalChain, Out};
use nuncio_http::config::StreamConfig;
use nuncio_http::factory::{
    FilterEntry, HttpFilterFactory as StreamFactory, HttpFilterSpec, Local, LocalFilter,
};
use nuncio_http::{Cx, DataStatus, HeadersStatus, Hooks, HttpFilter, TrailersStatus};
use nuncio_proto::any::type_name;
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::{Format, Name, Options, load, reflect};
use nuncio_route::RouteTable;
use nuncio_stats::{StatsConfig, Store};
use nuncio_stream_info::{ConnectionInfo, Protocol, StreamInfo, Timings};
use nuncio_upstream::lb::LbCx;
use nuncio_upstream::{
    Choice, ClusterInfo, ClusterManager, ClusterSpec, Host, HostSet, HostSpec, LbRequest, LbSpec,
    LoadBalancer, PrioritySet,
};
use nuncio_worker::{Held, Worker, run_main};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;

static REGISTRY: Registry = Registry {
    access_loggers: &[],
    downstream_sockets: &[],
    health_check_sinks: &[],
    http_filters: &[
        &crate::AdmissionControl,
        &crate::ApiKeyAuth,
        &crate::BandwidthLimit,
        &crate::BasicAuth,
        &crate::BodySizeLimit,
        &crate::Buffer,
        &crate::CdnLoop,
        &crate::Compressor,
        &crate::ConnectGrpcBridge,
        &crate::Cors,
        &crate::Csrf,
        &crate::Decompressor,
        &crate::ExtAuthz,
        &crate::Fault,
        &crate::GrpcHttp1Bridge,
        &crate::GrpcHttp1ReverseBridge,
        &crate::GrpcStats,
        &crate::GrpcWeb,
        &crate::HeaderMutation,
        &crate::HeaderToMetadata,
        &crate::LocalRateLimit,
        &crate::RateLimit,
        &crate::Rbac,
        &crate::SetFilterState,
        &crate::SetMetadata,
        &crate::StatefulSession,
    ],
    listener_filters: &[],
    load_balancers: &[],
    network_filters: &[],
    upstream_sockets: &[],
};

/// A request through filters, and what its peer answers.
pub(crate) struct Script {
    filters: Vec<(String, Any, bool)>,
    routes: String,
    request: HeaderMap,
    body: Vec<&'static str>,
    trailers: Option<HeaderMap>,
    /// The request is not complete when the body is.
    open: bool,
    peer: Answer,
    flags: Vec<(String, FlagValue)>,
    services: Vec<(&'static str, u16)>,
}

#[derive(Clone)]
struct Answer {
    headers: HeaderMap,
    body: Vec<&'static str>,
    trailers: Option<HeaderMap>,
}

/// What came of a script.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What the peer got: headers, `[body]`, trailers; empty if it got nothing.
    pub upstream: String,
    /// What left the chain downstream, likewise.
    pub downstream: String,
    /// The pieces of the response's body.
    pub pieces: Vec<usize>,
    /// Response code details.
    pub details: String,
    /// Response flags by their short names.
    pub flags: String,
    /// How long it took.
    pub took: std::time::Duration,
    store: Store,
    /// Stats are there for as long as what counts them.
    _chain: Counting,
    /// Dynamic metadata.
    pub metadata: Metadata,
    /// The route's name.
    pub route: String,
}

struct Counting(#[allow(dead_code, reason = "held for its drop")] Rc<LocalChain>);

impl std::fmt::Debug for Counting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counting")
    }
}

impl Outcome {
    /// A counter's or gauge's value; 0 for one that is not there.
    pub fn stat(&self, name: &str) -> u64 {
        let counter = self.store.counter_value(name);
        counter.or(self.store.gauge_value(name)).unwrap_or(0)
    }
}

pub(crate) fn map(fields: &[(&str, &str)]) -> HeaderMap {
    fields.iter().copied().collect()
}

fn text(map: &HeaderMap) -> String {
    let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let fields = map
        .iter()
        .map(|(name, value)| format!("{}={}", show(name), show(value)));
    fields.collect::<Vec<_>>().join(" ")
}

/// A config of the type named, as YAML.
pub(crate) fn any(type_name: &str, yaml: &str) -> Result<Any, String> {
    let message = reflect::message(type_name).expect("Envoy has this message");
    let options = Options::default();
    let loaded = load::text("test.yaml", yaml, Format::Yaml, message, &options);
    Ok(Any {
        type_url: format!("type.googleapis.com/{type_name}"),
        value: loaded.map_err(|errors| errors.to_string())?.bytes,
    })
}

/// The errors of a filter's configuration, each with its path; empty if there is none.
pub(crate) fn errors<E: HttpFilterExtension>(extension: &E, yaml: &str) -> String {
    errors_of(yaml, &E::Proto::full_name(), |config, cx| {
        let filter = filter_cx();
        HttpFilterFactory::parse(extension, config, &filter, cx).is_err()
    })
}

/// The errors of a filter's configuration at a route, likewise.
pub(crate) fn route_errors<E: HttpFilterExtension>(extension: &E, yaml: &str) -> String {
    errors_of(yaml, &E::RouteProto::full_name(), |config, cx| {
        HttpFilterFactory::parse_route(extension, config, cx).is_err()
    })
}

fn errors_of(
    yaml: &str,
    type_name: &str,
    parse: impl FnOnce(&Any, &mut ParseCx) -> bool,
) -> String {
    let config = match any(type_name, yaml) {
        Ok(config) => config,
        Err(errors) => return errors,
    };
    let mut cx = parse_cx();
    let failed = parse(&config, &mut cx);
    let (errors, _) = cx.finish();
    assert_eq!(
        failed,
        !errors.is_empty(),
        "errors are recorded: {errors:?}"
    );
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// To parse something by itself.
pub(crate) fn parse_cx() -> ParseCx {
    ParseCx::new(env(&Store::default()))
}

fn env(store: &Store) -> Rc<ServerEnv> {
    ServerEnv::new(
        &REGISTRY,
        Store::clone(store),
        Vec::new(),
        NodeInfo::default(),
        true,
    )
}

fn filter_cx() -> HttpFilterCx {
    HttpFilterCx::new("http.test.".to_owned(), false)
}

impl Script {
    /// `GET /` to `cluster c`, answered 200 without a body.
    pub fn new() -> Self {
        Self {
            filters: Vec::new(),
            routes: "routes: [{match: {prefix: /}, route: {cluster: c}}]".to_owned(),
            request: map(&[
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "host.test"),
                (":path", "/"),
            ]),
            body: Vec::new(),
            trailers: None,
            open: false,
            peer: Answer {
                headers: map(&[(":status", "200")]),
                body: Vec::new(),
                trailers: None,
            },
            flags: Vec::new(),
            services: Vec::new(),
        }
    }

    /// Adds a filter, named as Envoy names it.
    pub fn filter<E: HttpFilterExtension>(self, _: &E, yaml: &str) -> Self {
        self.named_filter::<E>(E::NAME, yaml, false)
    }

    /// Adds a filter under a name of its own.
    pub fn named_filter<E: HttpFilterExtension>(
        mut self,
        name: &str,
        yaml: &str,
        disabled: bool,
    ) -> Self {
        let config = any(&E::Proto::full_name(), yaml).unwrap();
        self.filters.push((name.to_owned(), config, disabled));
        self
    }

    /// A virtual host's fields but its name and domains, as YAML.
    pub fn routes(mut self, yaml: &str) -> Self {
        self.routes = yaml.to_owned();
        self
    }

    /// Adds or replaces request headers.
    pub fn request(mut self, fields: &[(&str, &str)]) -> Self {
        for (name, value) in fields {
            if name.starts_with(':') {
                self.request.set(*name, value.as_bytes());
            } else {
                self.request.append(*name, value.as_bytes());
            }
        }
        self
    }

    /// Adds a request header whose value may be no text.
    pub fn request_bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.request.append(name, value);
        self
    }

    /// The request's body in pieces, the last of which ends it unless trailers do.
    pub fn body(mut self, pieces: &[&'static str]) -> Self {
        self.body = pieces.to_vec();
        self
    }

    /// The request's trailers.
    pub fn trailers(mut self, fields: &[(&str, &str)]) -> Self {
        self.trailers = Some(map(fields));
        self
    }

    /// The request does not end.
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// What the peer answers.
    pub fn answer(mut self, fields: &[(&str, &str)], body: &[&'static str]) -> Self {
        self.peer.headers = map(fields);
        self.peer.body = body.to_vec();
        self
    }

    /// The trailers of the peer's answer.
    pub fn answer_trailers(mut self, fields: &[(&str, &str)]) -> Self {
        self.peer.trailers = Some(map(fields));
        self
    }

    /// Sets a runtime flag.
    pub fn flag(mut self, key: &str, value: FlagValue) -> Self {
        self.flags.push((key.to_owned(), value));
        self
    }

    /// Adds a cluster of one host, by its port on loopback.
    pub fn cluster(mut self, name: &'static str, port: u16) -> Self {
        self.services.push((name, port));
        self
    }

    /// Runs it.
    pub fn run(self) -> Outcome {
        run_main(|worker| async move { self.run_on(worker).await }).unwrap()
    }

    async fn run_on(self, worker: Rc<Worker>) -> Outcome {
        let store = Store::new(StatsConfig::default());
        worker.set_flags(Arc::new(RuntimeFlags::merged([&self.flags[..]])));
        let clusters = ClusterManager::of(&worker);
        for (name, port) in &self.services {
            add_cluster(&clusters, &store, name, *port);
        }
        let seen = Arc::new(Mutex::new(String::new()));
        let (chain, table) = self.configure(&worker, &store, &seen);
        let address = Address::Ip(([127, 0, 0, 1], 1).into());
        let time = (worker.now(), worker.wall());
        let connection = ConnectionInfo::new(1, address.clone(), address, time);
        let timings = Timings::new(worker.wall(), worker.now());
        let mut info = StreamInfo::new(Rc::new(connection), timings);
        info.protocol = Some(Protocol::Http11);
        let config = Rc::new(StreamConfig {
            buffer_limit: 1 << 20,
            stats: None,
            local_reply: None,
        });
        let mut stream = FilterStream::new(&chain, &config, info);
        stream.state.route.begin(Held::from(table), 0);
        stream.state.request.headers = self.request.clone();
        let started = worker.now();
        self.send(&mut stream);
        let mut sent = Sent::default();
        poll_fn(|task| {
            worker.tick();
            while stream.poll(task) {}
            sent.take(&mut stream);
            match stream.is_over() || self.open {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        let info = &stream.state.info;
        let flags: Vec<_> = info.flags.iter().map(|flag| flag.short()).collect();
        let outcome = Outcome {
            upstream: seen.lock().unwrap().trim().to_owned(),
            downstream: sent.text.trim().to_owned(),
            pieces: sent.pieces,
            details: info
                .response_code_details
                .clone()
                .unwrap_or_default()
                .into_owned(),
            flags: flags.join(","),
            took: worker.now() - started,
            metadata: info.metadata.clone(),
            route: info.route_name().unwrap_or_default().to_owned(),
            store,
            _chain: Counting(Rc::clone(&chain)),
        };
        stream.finish();
        outcome
    }

    fn configure(
        &self,
        worker: &Rc<Worker>,
        store: &Store,
        seen: &Arc<Mutex<String>>,
    ) -> (Rc<LocalChain>, Arc<RouteTable>) {
        let mut cx = ParseCx::new(env(store));
        let mut filters = Vec::new();
        let types = self
            .filters
            .iter()
            .map(|(_, config, _)| type_name(config).to_owned());
        let filter_cx = HttpFilterCx {
            chain: types.collect(),
            ..filter_cx()
        };
        for (name, config, disabled) in &self.filters {
            let factory = REGISTRY.http_filter(config).expect("it is in the registry");
            let spec = factory.parse(config, &filter_cx, &mut cx);
            filters.push(FilterEntry {
                name: name.as_str().into(),
                spec: spec.unwrap_or_else(|_| panic!("the config is good: {:?}", cx.path())),
                disabled: *disabled,
            });
        }
        filters.push(FilterEntry {
            name: "peer".into(),
            spec: Arc::new(Peer {
                answer: self.peer.clone(),
                seen: Arc::clone(seen),
                answered: false,
            }),
            disabled: false,
        });
        let routes = format!(
            "virtual_hosts: [{{name: v, domains: ['*'], {}}}]",
            self.routes
        );
        let config = any("envoy.config.route.v3.RouteConfiguration", &routes).unwrap();
        let config = cx.unpack(&config).unwrap();
        let table = nuncio_config::route::route_table(&mut cx, config).map(Arc::new);
        let (errors, _) = cx.finish();
        assert!(errors.is_empty(), "{errors:?}");
        let chain = LocalChain::new(&nuncio_http::factory::ChainSpec { filters }, worker);
        (chain, table.unwrap())
    }

    fn send(&self, stream: &mut FilterStream) {
        let ends = !self.open && self.trailers.is_none();
        stream.request_headers(End::when(ends && self.body.is_empty()));
        for piece in &self.body {
            stream.request_data((*piece).into(), End::No);
        }
        // The connection manager shows the end by itself too.
        if ends && !self.body.is_empty() && !stream.state.request_aborted {
            stream.request_data(Buffer::new(), End::Stream);
        }
        if let Some(trailers) = &self.trailers {
            stream.request_trailers(trailers.clone());
        }
    }
}

/// Chooses the one host.
#[derive(Debug)]
struct OneHost;

impl LoadBalancer for OneHost {
    fn choose(&mut self, hosts: &PrioritySet, _: &dyn LbRequest, _: &mut LbCx<'_>) -> Choice {
        Choice::Host(Arc::clone(&hosts.sets()[0].hosts()[0]))
    }
}

impl LbSpec for OneHost {
    fn name(&self) -> &'static str {
        "test.one_host"
    }

    fn localize(&self, _worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        Box::new(Self)
    }
}

fn add_cluster(clusters: &ClusterManager, store: &Store, name: &str, port: u16) {
    let spec = ClusterSpec::new(name, Arc::new(OneHost));
    let address = Address::Ip(([127, 0, 0, 1], port).into());
    let host = Host::new(HostSpec::new(address));
    let set = HostSet::new(0, vec![host], &Default::default(), Default::default());
    let hosts = PrioritySet::new(vec![set.into()], 50);
    clusters.set(ClusterInfo::new(spec, &store.root()), Arc::new(hosts));
}

/// What left the chain.
#[derive(Default)]
struct Sent {
    text: String,
    pieces: Vec<usize>,
}

impl Sent {
    fn take(&mut self, stream: &mut FilterStream) {
        while let Some(out) = stream.state.out.pop_front() {
            let piece = match out {
                Out::Headers(_) => text(&stream.state.response.headers),
                Out::Data(data, _) => {
                    self.pieces.push(data.len());
                    body_text(&data)
                }
                Out::Trailers => text(stream.state.response.trailers.as_ref().unwrap()),
                Out::Informational(headers) => format!("1xx {}", text(&headers)),
                Out::Reset(reason) => format!("reset {reason:?}"),
            };
            self.text.push_str(&piece);
            self.text.push(' ');
        }
    }
}

fn body_text(data: &Buffer) -> String {
    format!("[{}]", String::from_utf8_lossy(&data.to_bytes()))
}

/// The end of the chain: notes what comes and answers when all of it is there.
#[derive(Clone)]
struct Peer {
    answer: Answer,
    seen: Arc<Mutex<String>>,
    answered: bool,
}

impl Peer {
    fn note(&self, text: &str) {
        let mut seen = self.seen.lock().unwrap();
        seen.push_str(text);
        seen.push(' ');
    }

    fn respond(&mut self, cx: &mut Cx<'_>) {
        if std::mem::replace(&mut self.answered, true) {
            return cx.reset(ResetReason::LocalReset);
        }
        let Answer {
            headers,
            body,
            trailers,
        } = self.answer.clone();
        // As the router does.
        let status = headers
            .get_str(":status")
            .and_then(|status| status.parse().ok());
        cx.info().response_code = status;
        cx.respond_headers(headers, End::when(body.is_empty() && trailers.is_none()));
        let pieces = body.len();
        for (index, piece) in body.into_iter().enumerate() {
            let last = index + 1 == pieces && trailers.is_none();
            cx.respond_data(piece.into(), End::when(last));
        }
        if let Some(trailers) = trailers {
            cx.respond_trailers(trailers);
        }
    }
}

impl HttpFilterSpec for Peer {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(self.clone())))
    }
}

impl StreamFactory for Peer {
    type Filter = Self;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST
    }

    fn create(self: &Rc<Self>) -> Self {
        (**self).clone()
    }
}

impl HttpFilter for Peer {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        // As the router does.
        cx.lookup_route();
        self.note(&text(cx.request_headers()));
        if end.is_end() {
            self.respond(cx);
        }
        HeadersStatus::StopIteration
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        if !data.is_empty() {
            self.note(&body_text(data));
        }
        if end.is_end() {
            self.respond(cx);
        }
        DataStatus::StopIterationNoBuffer
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        let trailers = cx.request_trailers().map(|trailers| text(trailers));
        self.note(&trailers.unwrap_or_default());
        self.respond(cx);
        TrailersStatus::StopIteration
    }
}
