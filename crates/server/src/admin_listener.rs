//! The admin's own listener on the main thread: an HTTP connection manager whose last filter
//! answers by the admin's handlers.

// Envoy still reads its deprecated fields; so does this.
#![allow(deprecated)]

use crate::admin_server::ServerView;
use crate::server::Server;
use nuncio_admin::{Admin, AdminBody, AdminRequest};
use nuncio_base::address::Address;
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::End;
use nuncio_config::bootstrap::Bootstrap;
use nuncio_config::{access_log, address, matching, socket_option};
use nuncio_extension::{ParseCx, Parsed, ServerEnv};
use nuncio_http::conn_manager::{
    CodecType, EscapedSlashes, ForwardClientCert, HcmLocal, HcmSpec, HttpConnectionManager,
    LogSettings, ManagerStats, RequestIds, ServerHeader, StripPort, Timeouts, XffSettings,
};
use nuncio_http::factory::{
    ChainSpec, FilterEntry, HttpFilterFactory, HttpFilterSpec, Local, LocalFilter,
};
use nuncio_http::filter::{DataStatus, HeadersStatus, Hooks, HttpFilter, TrailersStatus};
use nuncio_http::route_source::RouteSource;
use nuncio_http::{Cx, LocalReply};
use nuncio_listener::{
    FilterChainSpec, FilterChains, ListenAddress, ListenSockets, Listener, ListenerContext,
    ListenerSpec,
};
use nuncio_matching::StringMatcher;
use nuncio_net::factory::{LocalNetworkFilterFactory, NetworkFilterFactory, NewConnection};
use nuncio_net::{NetworkFilter, ServerDrain};
use nuncio_observe::AccessLogSpec;
use nuncio_proto::Loaded;
use nuncio_proto::envoy::config::bootstrap::v3 as proto;
use nuncio_route::{RouteTable, RouteTableConfig};
use nuncio_worker::{Published, Worker};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A request's body may be this long: forms of `/runtime_modify` are far shorter.
const BODY_BYTES: usize = 1024 * 1024;

/// The admin as configured.
struct AdminConfig {
    address: ListenAddress,
    access_logs: Vec<AccessLogSpec>,
    allow_paths: Vec<StringMatcher>,
    ignore_global_conn_limit: bool,
}

fn convert(cx: &mut ParseCx, proto: proto::Admin) -> Parsed<Option<AdminConfig>> {
    let Some(listens) = proto.address else {
        return Ok(None);
    };
    // `profile_path` says where `/cpuprofiler` would write; that is refused when it is asked for.
    let parsed = cx.field("address", |cx| address::address(cx, listens))?;
    let mut listen = ListenAddress::new(parsed.address);
    (listen.ipv4_compat, listen.mode) = (parsed.ipv4_compat, parsed.mode);
    let options = socket_option::stream_options(cx, "socket_options", proto.socket_options)?;
    listen
        .options
        .prebind
        .extend(options.into_iter().map(|converted| converted.option));
    let mut access_logs = access_log::access_logs(cx, "access_log", proto.access_log)?;
    access_logs.extend(access_log::access_log_path(
        cx,
        "access_log_path",
        proto.access_log_path,
    )?);
    Ok(Some(AdminConfig {
        address: listen,
        access_logs,
        allow_paths: cx.list("allow_paths", proto.allow_paths, matching::string_matcher)?,
        ignore_global_conn_limit: proto.ignore_global_conn_limit,
    }))
}

fn config(
    env: &Rc<ServerEnv>,
    loaded: &Loaded,
    parsed: &Bootstrap,
) -> Result<Option<AdminConfig>, String> {
    let Some(admin) = parsed.admin.clone() else {
        return Ok(None);
    };
    let mut cx = ParseCx::new(Rc::clone(env));
    match cx.field("admin", |cx| convert(cx, admin)) {
        Ok(config) if cx.is_clean() => Ok(config),
        Ok(_) | Err(_) => Err(loaded.locate(cx.finish().0).to_string()),
    }
}

/// Parses the admin's configuration, and opens nothing.
///
/// # Errors
/// What is wrong with it.
pub fn check(env: &Rc<ServerEnv>, loaded: &Loaded, parsed: &Bootstrap) -> Result<(), String> {
    config(env, loaded, parsed).map(|_| ())
}

/// Starts the admin, where there is one.
///
/// # Errors
/// What is wrong with its configuration, or that its address can't be had.
pub async fn start(
    server: &Rc<Server>,
    context: &ListenerContext,
    loaded: &Loaded,
    parsed: &Bootstrap,
) -> Result<(), String> {
    let Some(config) = config(&server.env, loaded, parsed)? else {
        log!(
            logger::MAIN,
            Level::Warning,
            "No admin address given, so no admin HTTP server started."
        );
        return Ok(());
    };
    let admin = Admin::new(Rc::new(ServerView::new(server)), config.allow_paths);
    server.worker.services().add(Rc::new(admin));
    let chain = FilterChainSpec {
        name: "".into(),
        metadata: None,
        criteria: Default::default(),
        transport_socket: None,
        transport_socket_connect_timeout: None,
        filters: vec![Arc::new(AdminManager(manager(server, config.access_logs)?))],
        draining: Arc::default(),
    };
    let chains = FilterChains::new(vec![Arc::new(chain)], None);
    let chains = chains.map_err(|error| error.to_string())?;
    let spec = ListenerSpec {
        stat_prefix: "admin".to_owned(),
        ignore_global_conn_limit: config.ignore_global_conn_limit,
        reuse_port: false,
        ..ListenerSpec::new("admin", vec![config.address], Arc::new(chains))
    };
    let context = ListenerContext {
        workers: vec![server.worker.handle().clone()],
        connections: server.admin_connections.clone(),
        // Whoever asks the server to drain goes on asking the admin.
        drain: Arc::new(ServerDrain::new(context.drain_settings)),
        ..context.clone()
    };
    let sockets = ListenSockets::bind(&spec, 1).map_err(|error| error.to_string())?;
    sockets.listen(&spec).map_err(|error| error.to_string())?;
    let local = sockets.local_addresses().next().cloned();
    let listener = Listener::new(spec, &context, false);
    let of_main = sockets.of_worker(0).map_err(|error| error.to_string())?;
    let batch = vec![(Arc::clone(&listener), of_main)];
    for result in Listener::start_all(server.worker.handle(), batch).await {
        result.map_err(|error| format!("cannot start the admin: {error}"))?;
    }
    if let Some(local) = local {
        log!(logger::MAIN, Level::Info, "admin address: {local}");
        write_address(&server.options.admin_address_path, &local);
    }
    *server.admin_listener.borrow_mut() = Some((listener, sockets));
    Ok(())
}

/// `--admin-address-path`: for scripts that let the system choose the port.
fn write_address(path: &str, address: &Address) {
    if !path.is_empty()
        && let Err(error) = std::fs::write(path, address.to_string())
    {
        log!(
            logger::MAIN,
            Level::Critical,
            "cannot open admin address output file {path} for writing: {error}"
        );
    }
}

fn manager(server: &Server, access_logs: Vec<AccessLogSpec>) -> Result<Arc<HcmSpec>, String> {
    let scope = server.env.store.scope("http.admin");
    let listener_scope = server.env.store.scope("listener.admin.http.admin");
    let table = RouteTable::new(RouteTableConfig::default()).map_err(|error| error.to_string())?;
    let entry = FilterEntry {
        name: "admin".into(),
        spec: Arc::new(AdminFilterSpec),
        disabled: false,
    };
    Ok(Arc::new(HcmSpec {
        stat_prefix: "admin".to_owned(),
        codec: CodecType::Auto,
        h1: Arc::default(),
        h2: Arc::default(),
        chain: ChainSpec {
            filters: vec![entry],
        },
        routes: RouteSource::Table(Published::new(Arc::new(table), Vec::new())),
        logs: LogSettings {
            logs: access_logs,
            ..Default::default()
        },
        early_mutations: Default::default(),
        local_reply: None,
        server_name: "envoy".to_owned(),
        server_header: ServerHeader::Overwrite,
        via: String::new(),
        request_ids: RequestIds {
            generate: false,
            preserve_external: false,
            always_set_in_response: false,
            pack_trace_reason: true,
        },
        xff: XffSettings {
            use_remote_address: true,
            trusted_hops: 0,
            skip_append: false,
        },
        internal_addresses: Default::default(),
        original_ip: Vec::new(),
        host_ip: std::net::Ipv4Addr::LOCALHOST.into(),
        forward_proto: None,
        user_agent: None,
        forward_client_cert: ForwardClientCert::Sanitize,
        proxy_status: None,
        tracing: None,
        stream_error_on_invalid_message: false,
        safe_max_connection_duration: false,
        append_local_overload: false,
        strip_port: StripPort::No,
        strip_trailing_dot: false,
        normalize_path: true,
        merge_slashes: true,
        escaped_slashes: EscapedSlashes::Keep,
        append_forwarded_port: false,
        scheme_override: None,
        proxy_100_continue: false,
        upgrades: Vec::new(),
        timeouts: timeouts(),
        max_requests_per_connection: 0,
        buffer_limit: BODY_BYTES,
        stats: ManagerStats {
            http: scope.group(),
            tracing: None,
            http1: server.env.store.scope("http1").group(),
            http2: server.env.store.scope("http2"),
            listener: listener_scope.group(),
        },
    }))
}

/// The admin waits for its clients.
const fn timeouts() -> Timeouts {
    Timeouts {
        idle: None,
        stream_idle: None,
        stream_flush: None,
        request: None,
        request_headers: None,
        max_connection_duration: None,
        max_connection_duration_jitter: 0.0,
        max_stream_duration: None,
        drain_jitter: 0.0,
        drain: Duration::from_millis(100),
        delayed_close: Duration::from_secs(1),
    }
}

/// The admin's connection manager as a network filter.
struct AdminManager(Arc<HcmSpec>);

impl NetworkFilterFactory for AdminManager {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        Rc::new(LocalManager(HcmLocal::new(&self.0, worker)))
    }
}

struct LocalManager(Rc<HcmLocal>);

impl LocalNetworkFilterFactory for LocalManager {
    fn create(&self, connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(HttpConnectionManager::new(&self.0, connection))
    }
}

/// The filter that ends the admin's chain.
struct AdminFilterSpec;

impl HttpFilterSpec for AdminFilterSpec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(AdminLocal {
            admin: worker.services().get(),
        })))
    }
}

struct AdminLocal {
    admin: Option<Rc<Admin>>,
}

impl HttpFilterFactory for AdminLocal {
    type Filter = AdminFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST.and(Hooks::POLL)
    }

    fn create(self: &Rc<Self>) -> AdminFilter {
        AdminFilter {
            admin: self.admin.clone(),
            body: Vec::new(),
            rest: None,
        }
    }
}

struct AdminFilter {
    admin: Option<Rc<Admin>>,
    body: Vec<u8>,
    rest: Option<AdminBody>,
}

impl AdminFilter {
    fn answer(&mut self, cx: &mut Cx<'_>) {
        let Some(admin) = &self.admin else {
            return cx.local_reply(LocalReply::new(503, "", "admin_not_ready"));
        };
        let text = |name| {
            let value = cx.request_headers_ref().get(name).unwrap_or_default();
            String::from_utf8_lossy(value)
        };
        let (method, path) = (text(names::METHOD), text(names::PATH));
        let answer = admin.handle(&AdminRequest {
            method: &method,
            path_and_query: &path,
            content_type: &text(names::CONTENT_TYPE),
            body: &self.body,
        });
        let mut headers = HeaderMap::new();
        headers.append(names::STATUS, answer.status.to_string().as_bytes());
        for (name, value) in answer.headers() {
            headers.append(name, value.as_bytes());
        }
        cx.info().response_code_details = Some("admin_filter_response".into());
        cx.respond_headers(headers, End::No);
        self.rest = Some(answer.body);
    }
}

impl HttpFilter for AdminFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        if end.is_end() {
            self.answer(cx);
        }
        HeadersStatus::StopIteration
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        if self.body.len() + data.len() > BODY_BYTES {
            cx.local_reply(LocalReply::request_too_large());
            return DataStatus::StopIterationNoBuffer;
        }
        data.slices()
            .for_each(|slice| self.body.extend_from_slice(slice));
        if end.is_end() {
            self.answer(cx);
        }
        DataStatus::StopIterationNoBuffer
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        self.answer(cx);
        TrailersStatus::StopIteration
    }

    fn poll(&mut self, cx: &mut Cx<'_>, task: &mut std::task::Context<'_>) {
        let Some(rest) = &mut self.rest else { return };
        if cx.response_paused() {
            return;
        }
        match rest.next() {
            // A pause: others get their turn.
            Some(piece) if piece.is_empty() => task.waker().wake_by_ref(),
            Some(piece) => cx.respond_data(piece.into(), End::No),
            None => {
                self.rest = None;
                cx.respond_data(Buffer::new(), End::Stream);
            }
        }
    }
}
