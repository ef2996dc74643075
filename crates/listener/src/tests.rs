//! Listeners on real sockets, on loopback.

use crate::*;
use nuncio_base::Buffer;
use nuncio_base::address::Address;
use nuncio_base::runtime_flags::{FlagValue, RuntimeFlags};
use nuncio_net::*;
use nuncio_observe::access_log::{AccessLogger, AccessLoggerSpec};
use nuncio_observe::{AccessLogSpec, FormatCx};
use nuncio_stats::Store;
use nuncio_worker::{Worker, WorkerHandle, WorkerThread, run_main};
use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// Answers each read with the chain's name, the addresses' ports gone, and the data.
struct Say;

impl NetworkFilter for Say {
    fn on_data(&mut self, cx: &mut ConnCx<'_>, data: &mut Buffer, _end: bool) -> FilterStatus {
        let info = Rc::clone(cx.info());
        let ip = |address: &Address| match address {
            Address::Ip(address) => address.ip().to_string(),
            other => other.to_string(),
        };
        let (local, remote) = (ip(&info.local_address), ip(&info.remote_address));
        let drain = if info.requested_server_name.is_some() {
            "+"
        } else {
            ""
        };
        let head = format!("{}{drain} {local} {remote} ", info.filter_chain_name());
        cx.out().push(head.into());
        cx.out().append(data);
        FilterStatus::StopIteration
    }
}

struct SayFactory;

impl NetworkFilterFactory for SayFactory {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        Rc::new(Self)
    }
}

impl LocalNetworkFilterFactory for SayFactory {
    fn create(&self, _connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(Say)
    }
}

fn chain(name: &str, criteria: FilterChainMatch) -> Arc<FilterChainSpec> {
    Arc::new(FilterChainSpec {
        name: name.into(),
        metadata: None,
        criteria,
        transport_socket: None,
        transport_socket_connect_timeout: None,
        filters: vec![Arc::new(SayFactory)],
        draining: Arc::default(),
    })
}

fn chains(
    chains: &[Arc<FilterChainSpec>],
    default: Option<&Arc<FilterChainSpec>>,
) -> Arc<FilterChains> {
    Arc::new(FilterChains::new(chains.to_vec(), default.cloned()).unwrap())
}

fn by_server_name(name: &str) -> FilterChainMatch {
    FilterChainMatch {
        server_names: vec![name.to_owned()],
        ..FilterChainMatch::default()
    }
}

fn spec(address: &str) -> ListenerSpec {
    let address = match address.parse() {
        Ok(ip) => Address::Ip(ip),
        Err(_) => Address::Pipe(address.into()),
    };
    let any = chain("any", FilterChainMatch::default());
    let mut spec = ListenerSpec::new(
        "l",
        vec![ListenAddress::new(address)],
        chains(&[], Some(&any)),
    );
    spec.stat_prefix = "x".to_owned();
    spec
}

fn context(workers: Vec<WorkerHandle>, max_connections: Option<u64>) -> ListenerContext {
    let drain_settings = DrainSettings {
        time: Duration::from_secs(600),
        strategy: DrainStrategy::Gradual,
    };
    ListenerContext {
        store: Store::default(),
        workers,
        connections: Arc::new(GlobalConnections::new(max_connections)),
        drain: Arc::new(ServerDrain::new(drain_settings)),
        drain_settings,
    }
}

/// Binds a listener and starts it on all workers; where it listens.
async fn start(listener: &Arc<Listener>, context: &ListenerContext) -> (ListenSockets, Address) {
    let sockets = ListenSockets::bind(listener.spec(), context.workers.len()).unwrap();
    sockets.listen(listener.spec()).unwrap();
    for (index, worker) in context.workers.iter().enumerate() {
        let own = sockets.of_worker(index).unwrap();
        let started = Listener::start_all(worker, vec![(Arc::clone(listener), own)]);
        assert!(started.await.iter().all(Result::is_ok));
    }
    let address = sockets.local_addresses().next().unwrap().clone();
    (sockets, address)
}

async fn connect(address: &Address) -> TcpStream {
    TcpStream::connect(address.ip().unwrap()).await.unwrap()
}

/// What a connection answers; empty where it was closed.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), text: &str) -> String {
    let mut answer = [0; 256];
    // A connection that was closed is found out when reading.
    let _ = stream.write_all(text.as_bytes()).await;
    match stream.read(&mut answer).await {
        Ok(length) => String::from_utf8_lossy(&answer[..length]).into_owned(),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => String::new(),
        Err(error) => panic!("{error}"),
    }
}

/// Waits until a stat has a value.
async fn wait_for(what: &str, expected: u64, value: impl Fn(&str) -> Option<u64>) {
    for _ in 0..500 {
        if value(what) == Some(expected) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(value(what), Some(expected), "{what}");
}

fn on_main<F: Future<Output = ()>>(test: impl FnOnce(Rc<Worker>) -> F) {
    run_main(test).unwrap();
}

#[test]
fn connections_are_served_and_counted() {
    on_main(|worker| async move {
        let context = context(vec![worker.handle().clone()], None);
        let listener = Listener::new(spec("127.0.0.1:0"), &context, true);
        let (_sockets, address) = start(&listener, &context).await;
        let mut first = connect(&address).await;
        let mut second = connect(&address).await;
        assert_eq!(ask(&mut first, "hi").await, "any 127.0.0.1 127.0.0.1 hi");
        assert_eq!(ask(&mut second, "ho").await, "any 127.0.0.1 127.0.0.1 ho");
        let store = &context.store;
        for name in ["listener.x.", "listener.x.main_thread."] {
            let name = format!("{name}downstream_cx_active");
            assert_eq!(store.gauge_value(&name), Some(2), "{name}");
        }
        assert_eq!(listener.open_connections(), 2);
        drop(first);
        wait_for("listener.x.downstream_cx_destroy", 1, |name| {
            store.counter_value(name)
        })
        .await;
        assert_eq!(
            store.gauge_value("listener.x.downstream_cx_active"),
            Some(1)
        );
        assert_eq!(
            store.counter_value("listener.x.downstream_cx_total"),
            Some(2)
        );
        assert_eq!(context.connections.open(), 1);
        listener.remove();
        assert_eq!(ask(&mut second, "").await, "");
        wait_for("listener.x.downstream_cx_active", 0, |name| {
            store.gauge_value(name)
        })
        .await;
        assert_eq!(listener.open_connections(), 0);
    });
}

#[test]
fn limits_turn_connections_away() {
    let runtime = |key: &str| {
        let layer = [(key.to_owned(), FlagValue::Number(1.0))];
        Arc::new(RuntimeFlags::merged([&layer[..]]))
    };
    let listener_key = runtime("envoy.resource_limits.listener.l.connection_limit");
    let global_key = runtime("overload.global_downstream_max_connections");
    for (flags, max, ignore, expected) in [
        (listener_key, None, false, Some("downstream_cx_overflow")),
        (
            global_key,
            None,
            false,
            Some("downstream_global_cx_overflow"),
        ),
        (
            Arc::default(),
            Some(1),
            false,
            Some("downstream_global_cx_overflow"),
        ),
        (Arc::default(), Some(1), true, None),
    ] {
        on_main(|worker| async move {
            worker.set_flags(flags);
            let context = context(vec![worker.handle().clone()], max);
            let mut spec = spec("127.0.0.1:0");
            spec.ignore_global_conn_limit = ignore;
            let listener = Listener::new(spec, &context, true);
            let (_sockets, address) = start(&listener, &context).await;
            let mut first = connect(&address).await;
            assert_ne!(ask(&mut first, "a").await, "");
            let mut second = connect(&address).await;
            let answer = ask(&mut second, "b").await;
            assert_eq!(answer.is_empty(), expected.is_some(), "{expected:?}");
            if let Some(stat) = expected {
                let stat = format!("listener.x.{stat}");
                assert_eq!(context.store.counter_value(&stat), Some(1), "{stat}");
            }
            drop(first);
            wait_for("", u64::from(expected.is_none()), |_| {
                Some(listener.open_connections())
            })
            .await;
            let mut third = connect(&address).await;
            assert_ne!(ask(&mut third, "c").await, "");
        });
    }
}

#[test]
fn exact_balance_spreads_connections_evenly() {
    let threads: Vec<_> = (0..2).map(|i| WorkerThread::start(i).unwrap()).collect();
    let workers: Vec<_> = threads.iter().map(|t| t.handle().clone()).collect();
    on_main(|_| async move {
        let context = context(workers, None);
        let mut spec = spec("127.0.0.1:0");
        spec.connection_balance = ConnectionBalance::Exact;
        let listener = Listener::new(spec, &context, true);
        let (_sockets, address) = start(&listener, &context).await;
        let mut streams = Vec::new();
        for _ in 0..6 {
            let mut stream = connect(&address).await;
            assert_ne!(ask(&mut stream, "a").await, "");
            streams.push(stream);
        }
        for worker in 0..2 {
            let name = format!("listener.x.worker_{worker}.downstream_cx_active");
            assert_eq!(context.store.gauge_value(&name), Some(3), "{name}");
        }
    });
}

#[test]
fn many_workers_share_one_address() {
    let threads: Vec<_> = (0..3).map(|i| WorkerThread::start(i).unwrap()).collect();
    for reuse_port in [true, false] {
        let workers: Vec<_> = threads.iter().map(|t| t.handle().clone()).collect();
        on_main(|_| async move {
            let context = context(workers, None);
            let mut spec = spec("127.0.0.1:0");
            spec.reuse_port = reuse_port;
            let listener = Listener::new(spec, &context, true);
            let (sockets, address) = start(&listener, &context).await;
            for _ in 0..12 {
                let mut stream = connect(&address).await;
                assert_ne!(ask(&mut stream, "a").await, "");
            }
            // Once nobody has the sockets, connections are refused.
            listener.stop_accepting();
            drop(sockets);
            let refused = async || {
                let connected = TcpStream::connect(address.ip().unwrap()).await;
                connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
            };
            for _ in 0..100 {
                if refused().await {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            panic!("still listens, reuse_port {reuse_port}");
        });
    }
}

#[test]
fn an_update_in_place_keeps_connections_on_chains_that_stay() {
    on_main(|worker| async move {
        let context = context(vec![worker.handle().clone()], None);
        let stays = chain("stays", by_server_name("a"));
        let goes = chain("goes", FilterChainMatch::default());
        let mut first = spec("127.0.0.1:0");
        first.filter_chains = chains(std::slice::from_ref(&stays), Some(&goes));
        first.listener_filters = vec![Arc::new(Named)];
        let listener = Listener::new(first.clone(), &context, true);
        let (_sockets, address) = start(&listener, &context).await;
        let mut on_stays = connect(&address).await;
        assert!(ask(&mut on_stays, "a").await.starts_with("stays+"));
        let mut on_goes = connect(&address).await;
        assert!(ask(&mut on_goes, "b").await.starts_with("goes"));

        let comes = chain("comes", FilterChainMatch::default());
        let updated = listener.with_filter_chains(ListenerSpec {
            filter_chains: chains(std::slice::from_ref(&stays), Some(&comes)),
            ..first
        });
        updated.update_in_place();
        goes.draining.store(true, Relaxed);
        let mut on_comes = connect(&address).await;
        assert!(ask(&mut on_comes, "b").await.starts_with("comes"));
        for stream in [&mut on_stays, &mut on_goes] {
            assert_ne!(ask(stream, "c").await, "");
        }
        updated.close_chains(&[goes]);
        assert_eq!(ask(&mut on_goes, "").await, "");
        assert!(ask(&mut on_stays, "d").await.starts_with("stays"));
        assert_eq!(updated.open_connections(), 2);
    });
}

/// Names the server by the first byte that the client sends: `a` is `a`, `!` is an error, `-`
/// is refused, and anything else has no name.
struct Named;

impl ListenerFilterFactory for Named {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalListenerFilterFactory> {
        Rc::new(Self)
    }
}

impl LocalListenerFilterFactory for Named {
    fn create(&self) -> Box<dyn ListenerFilter> {
        Box::new(Self)
    }
}

impl ListenerFilter for Named {
    fn inspect<'a>(
        &'a mut self,
        candidate: &'a mut Candidate,
    ) -> Pin<Box<dyn Future<Output = ListenerFilterStatus> + 'a>> {
        Box::pin(async move {
            let Socket::Tcp(socket) = &candidate.socket else {
                return ListenerFilterStatus::Continue;
            };
            let mut first = [0];
            match socket.stream().peek(&mut first).await {
                Ok(1) if first == *b"a" => candidate.info.requested_server_name = Some("a".into()),
                Ok(1) if first == *b"!" => return ListenerFilterStatus::ReadError,
                Ok(1) if first == *b"-" => return ListenerFilterStatus::Reject,
                Ok(1) => {}
                _ => return ListenerFilterStatus::RemoteClose,
            }
            ListenerFilterStatus::Continue
        })
    }
}

#[test]
fn listener_filters_look_first_and_have_a_time() {
    on_main(|worker| async move {
        let context = context(vec![worker.handle().clone()], None);
        for go_on in [false, true] {
            let mut spec = spec("127.0.0.1:0");
            spec.stat_prefix = format!("go_on_{go_on}");
            spec.filter_chains = chains(&[chain("a", by_server_name("a"))], None);
            spec.listener_filters = vec![Arc::new(Named)];
            spec.listener_filters_timeout = Some(Duration::from_millis(50));
            spec.continue_on_listener_filters_timeout = go_on;
            let listener = Listener::new(spec, &context, true);
            let (_sockets, address) = start(&listener, &context).await;
            let stat = |name: &str| {
                let name = format!("listener.go_on_{go_on}.{name}");
                context.store.counter_value(&name)
            };
            for (text, expected) in [("a", "a+"), ("b", ""), ("!", ""), ("-", ""), ("", "")] {
                let mut stream = connect(&address).await;
                let answer = ask(&mut stream, text).await;
                assert!(answer.starts_with(expected), "{text}: {answer}");
            }
            drop(connect(&address).await);
            let unmatched = if go_on { 2 } else { 1 };
            for (name, expected) in [
                ("downstream_listener_filter_remote_close", 1),
                ("downstream_listener_filter_error", 1),
                ("downstream_pre_cx_timeout", 1),
                ("no_filter_chain_match", unmatched),
                ("downstream_cx_total", 1),
            ] {
                wait_for(name, expected, stat).await;
            }
        }
    });
}

#[test]
fn addresses_are_the_connections_own() {
    on_main(|worker| async move {
        let context = context(vec![worker.handle().clone()], None);
        for (listen, compat, to, expected) in [
            ("0.0.0.0:0", false, "127.0.0.1", "any 127.0.0.1 127.0.0.1 "),
            ("[::]:0", true, "127.0.0.1", "any 127.0.0.1 127.0.0.1 "),
            ("[::]:0", true, "::1", "any ::1 ::1 "),
            ("[::1]:0", false, "::1", "any ::1 ::1 "),
        ] {
            let mut spec = spec(listen);
            spec.addresses[0].ipv4_compat = compat;
            let listener = Listener::new(spec, &context, true);
            let (_sockets, address) = start(&listener, &context).await;
            let port = address.ip().unwrap().port();
            let mut stream = TcpStream::connect((to, port)).await.unwrap();
            assert_eq!(ask(&mut stream, "x").await, format!("{expected}x"));
        }
    });
}

#[test]
fn unix_sockets_replace_what_was_there_and_have_a_mode() {
    let path = std::env::temp_dir().join(format!("nuncio-listener-{}", std::process::id()));
    let path = path.to_str().unwrap().to_owned();
    std::fs::write(&path, "left behind").unwrap();
    let own = path.clone();
    on_main(|worker| async move {
        let path = own;
        let context = context(vec![worker.handle().clone()], None);
        let mut spec = spec(&path);
        spec.addresses[0].mode = Some(0o600);
        let listener = Listener::new(spec, &context, true);
        let (_sockets, _) = start(&listener, &context).await;
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let answer = ask(&mut stream, "x").await;
        assert_eq!(answer, format!("any {path} {path} x"));
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(&path).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
    });
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_taken_address_is_refused_in_envoys_words() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = ListenSockets::bind(&spec(&address), 2).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot bind '{address}': Address already in use")
    );
}

/// Keeps what the access logs tell: flags, details, chain, and whether the end is known.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl AccessLoggerSpec for Lines {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn AccessLogger> {
        Rc::new(self.clone())
    }
}

impl AccessLogger for Lines {
    fn log(&self, cx: &FormatCx<'_>) {
        let flags: Vec<_> = cx.info.flags.iter().map(|flag| flag.short()).collect();
        self.0.lock().unwrap().push(format!(
            "{} {} {} {} {}",
            flags.join(","),
            cx.info.response_code_details.as_deref().unwrap_or("-"),
            cx.info.connection.filter_chain_name(),
            cx.info.timings.end.is_some(),
            cx.log_type.as_str()
        ));
    }
}

#[test]
fn the_listener_logs_every_connection() {
    on_main(|worker| async move {
        let context = context(vec![worker.handle().clone()], None);
        let lines = Lines::default();
        let mut spec = spec("127.0.0.1:0");
        spec.filter_chains = chains(&[chain("a", by_server_name("a"))], None);
        spec.listener_filters = vec![Arc::new(Named)];
        spec.access_logs = vec![AccessLogSpec {
            filter: None,
            logger: Arc::new(lines.clone()),
        }];
        let listener = Listener::new(spec, &context, true);
        let (_sockets, address) = start(&listener, &context).await;
        for text in ["a", "b"] {
            ask(&mut connect(&address).await, text).await;
        }
        let count = |_: &str| Some(lines.0.lock().unwrap().len() as u64);
        wait_for("lines", 2, count).await;
        let mut lines = lines.0.lock().unwrap().clone();
        lines.sort();
        assert_eq!(
            lines,
            [" - a true NotSet", "NR filter_chain_not_found  true NotSet"]
        );
    });
}
