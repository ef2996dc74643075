//! Proxied connections on real sockets.

use super::*;
use crate::testing::{Served, parse, read_all, read_some, serve, wait_until};
use nuncio_base::random::Random;
use nuncio_observe::FormatCx;
use nuncio_observe::access_log::{AccessLogSpec, AccessLogger, AccessLoggerSpec};
use nuncio_stats::Store;
use nuncio_upstream::lb::weighted::{Pick, WeightedBalancer};
use nuncio_upstream::{
    ClusterInfo, ClusterManager, ClusterSpec, Host, HostSet, HostSpec, LbSpec, LoadBalancer,
    PrioritySet,
};
use nuncio_worker::Worker;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Takes hosts in turn.
#[derive(Debug)]
struct InTurn;

impl Pick for InTurn {
    fn pick(&self, hosts: &[Arc<Host>], turn: u64, _random: &mut Random) -> usize {
        turn as usize % hosts.len()
    }
}

impl LbSpec for InTurn {
    fn name(&self) -> &'static str {
        "test.in_turn"
    }

    fn localize(&self, _worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        Box::new(WeightedBalancer::new(
            Box::new(InTurn),
            Default::default(),
            0,
        ))
    }
}

/// Log lines: flags, cluster, upstream address, attempts, bytes received and sent, type, reason.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl AccessLoggerSpec for Lines {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn AccessLogger> {
        Rc::new(self.clone())
    }
}

impl AccessLogger for Lines {
    fn log(&self, cx: &FormatCx<'_>) {
        let info = cx.info;
        let flags: Vec<_> = info.flags.iter().map(|flag| flag.short()).collect();
        let upstream = info.upstream.as_deref();
        let line = format!(
            "{} {} {} {} {} {} {} {}",
            flags.join(","),
            upstream.map_or("none", |upstream| match &upstream.cluster {
                None => "-",
                Some(cluster) => &*cluster.observability_name,
            }),
            upstream.is_some_and(|upstream| upstream.address.is_some()),
            info.attempt_count,
            info.bytes_received,
            info.bytes_sent,
            cx.log_type.as_str(),
            info.connection.local_close_reason.get().unwrap_or("-"),
        );
        self.0.lock().unwrap().push(line);
    }
}

impl Lines {
    /// The lines, once there are so many.
    fn wait(&self, count: usize) -> Vec<String> {
        wait_until("log lines", || self.0.lock().unwrap().len() >= count);
        self.0.lock().unwrap().clone()
    }
}

/// Installs cluster `c` with these hosts.
fn cluster(
    worker: &Rc<Worker>,
    store: &Store,
    hosts: &[SocketAddr],
    change: impl FnOnce(&mut ClusterSpec),
) {
    let mut spec = ClusterSpec::new("c", Arc::new(InTurn));
    spec.connect_timeout = Duration::from_secs(5);
    change(&mut spec);
    let hosts = hosts.iter().map(|a| Host::new(HostSpec::new((*a).into())));
    let set = HostSet::new(0, hosts.collect(), &Default::default(), Default::default());
    let hosts = Arc::new(PrioritySet::new(vec![set.into()], 50));
    ClusterManager::of(worker).set(ClusterInfo::new(spec, &store.root()), hosts);
}

/// A proxy to cluster `c`, and what it logs.
fn proxy(hosts: &[SocketAddr], change: impl FnOnce(&mut TcpProxySpec)) -> (Served, Lines) {
    proxy_to(hosts, |_| {}, change)
}

fn proxy_to(
    hosts: &[SocketAddr],
    change_cluster: impl FnOnce(&mut ClusterSpec) + Send + 'static,
    change: impl FnOnce(&mut TcpProxySpec),
) -> (Served, Lines) {
    let (store, lines) = (Store::default(), Lines::default());
    let mut spec = TcpProxySpec::new("t", ClusterChoice::One("c".into()), &store.root());
    spec.access_logs = vec![AccessLogSpec {
        filter: None,
        logger: Arc::new(lines.clone()),
    }];
    change(&mut spec);
    let (own, hosts) = (store.clone(), hosts.to_vec());
    let factory = Arc::new(TcpProxyFactory::new(spec));
    let served = serve(store, factory, 1 << 20, move |worker| {
        cluster(worker, &own, &hosts, change_cluster);
    });
    (served, lines)
}

/// An upstream that does `serve` with each connection, one after the other.
fn upstream(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap());
        }
    });
    address
}

/// Answers `re:` and what it reads, until the end.
fn answers(mut stream: TcpStream) {
    let mut read = [0; 1000];
    while let Ok(length @ 1..) = stream.read(&mut read) {
        stream
            .write_all(&[b"re:", &read[..length]].concat())
            .unwrap();
    }
}

fn refusing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Closes by a TCP reset.
fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

#[test]
fn bytes_pass_both_ways_and_are_counted() {
    let (served, lines) = proxy(&[upstream(answers)], |_| {});
    let mut client = served.connect();
    for text in ["hello", "world"] {
        client.write_all(text.as_bytes()).unwrap();
        assert_eq!(read_some(&mut client), format!("re:{text}").as_bytes());
    }
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut client), b"");
    assert_eq!(lines.wait(1), [" c true 1 10 16 TcpConnectionEnd -"]);
    for (name, expected) in [
        ("tcp.t.downstream_cx_total", 1),
        ("tcp.t.downstream_cx_rx_bytes_total", 10),
        ("tcp.t.downstream_cx_tx_bytes_total", 16),
        ("cluster.c.upstream_cx_total", 1),
        ("cluster.c.upstream_cx_tx_bytes_total", 10),
        ("cluster.c.upstream_cx_rx_bytes_total", 16),
        ("cluster.c.upstream_cx_destroy_remote", 1),
    ] {
        assert_eq!(served.counter(name), expected, "{name}");
    }
}

#[test]
fn either_side_may_end_its_direction_first() {
    // The client ends, and is answered still.
    let counts = upstream(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        write!(stream, "{} bytes", all.len()).unwrap();
    });
    let (served, _) = proxy(&[counts], |_| {});
    let mut client = served.connect();
    client.write_all(&[1; 300_000]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut client), b"300000 bytes");

    // The upstream ends, and still hears.
    let (sender, heard) = std::sync::mpsc::channel();
    let ends = upstream(move |mut stream| {
        stream.write_all(b"ready").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        sender.send(all).unwrap();
    });
    let (served, _) = proxy(&[ends], |_| {});
    let mut client = served.connect();
    assert_eq!(read_all(&mut client), b"ready");
    client.write_all(b"still heard").unwrap();
    drop(client);
    let heard = heard.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(heard, b"still heard");
    served.wait_for("listener.l.downstream_cx_destroy", 1);
}

/// Bytes that show when some are missing or moved; the period is no multiple of any buffer's size.
fn pattern(length: usize, seed: u8) -> Vec<u8> {
    let byte = |n: usize| ((n / 7 + n % 251) as u8).wrapping_add(seed);
    let period: Vec<u8> = (0..64_007).map(byte).collect();
    let mut bytes = period.repeat(length / period.len() + 1);
    bytes.truncate(length);
    bytes
}

fn write_in_background(stream: &TcpStream, bytes: Vec<u8>) -> JoinHandle<()> {
    let mut writer = stream.try_clone().unwrap();
    thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    })
}

#[test]
fn bulk_arrives_whole_in_both_directions_at_once() {
    const UP: usize = 30_000_000;
    const DOWN: usize = 20_000_000;
    let (sender, heard) = std::sync::mpsc::channel();
    let bulk = upstream(move |mut stream| {
        let writing = write_in_background(&stream, pattern(DOWN, 1));
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        writing.join().unwrap();
        sender.send(all == pattern(UP, 2)).unwrap();
    });
    let (served, lines) = proxy(&[bulk], |_| {});
    for round in 1..=2 {
        let mut client = served.connect();
        let writing = write_in_background(&client, pattern(UP, 2));
        assert!(read_all(&mut client) == pattern(DOWN, 1));
        writing.join().unwrap();
        assert!(heard.recv_timeout(Duration::from_secs(10)).unwrap());
        let line = format!(" c true 1 {UP} {DOWN} TcpConnectionEnd -");
        assert_eq!(lines.wait(round)[round - 1], line);
    }
}

#[test]
fn messages_after_bulk_pass_too() {
    // A header that says how much is wanted, and so many bytes.
    let serves = upstream(|mut stream| {
        let mut wanted = [0; 4];
        while stream.read_exact(&mut wanted).is_ok() {
            let length = u32::from_be_bytes(wanted) as usize;
            stream.write_all(&pattern(length, 3)).unwrap();
        }
    });
    let (served, _) = proxy(&[serves], |_| {});
    let mut client = served.connect();
    let small = std::iter::repeat_n(10, 20);
    let sizes = [10, 3_000_000, 10, 400_000, 1]
        .into_iter()
        .chain(small)
        .chain([2_000_000, 5]);
    for size in sizes {
        client.write_all(&(size as u32).to_be_bytes()).unwrap();
        let mut answer = vec![0; size];
        client.read_exact(&mut answer).unwrap();
        assert!(answer == pattern(size, 3), "{size}");
    }
}

#[test]
fn a_client_that_reads_slowly_holds_up_the_upstream() {
    const SIZE: usize = 40_000_000;
    let (sender, written) = std::sync::mpsc::channel();
    let bulk = upstream(move |mut stream| {
        stream.write_all(&pattern(SIZE, 4)).unwrap();
        sender.send(()).unwrap();
    });
    let (served, _) = proxy(&[bulk], |_| {});
    let mut client = served.connect();
    assert!(written.recv_timeout(Duration::from_millis(300)).is_err());
    let mut all = vec![0; SIZE];
    client.read_exact(&mut all).unwrap();
    assert!(all == pattern(SIZE, 4));
    let stat = "cluster.c.upstream_flow_control_paused_reading_total";
    assert!(served.counter(stat) > 0);
}

#[test]
fn without_an_upstream_the_client_is_closed_and_the_log_says_why() {
    let dead = refusing();
    type Change = fn(&mut TcpProxySpec);
    let attempts: Change = |spec| spec.max_connect_attempts = 3;
    let other: Change = |spec| spec.cluster = ClusterChoice::One("nosuch".into());
    let none: Change = |_| {};
    for (hosts, change, max_connections, line) in [
        (
            vec![dead],
            none,
            1024,
            "UF,URX c true 1 0 0 TcpConnectionEnd tcp_initializion_failure:0",
        ),
        (
            vec![dead],
            attempts,
            1024,
            "UF,URX c true 3 0 0 TcpConnectionEnd tcp_initializion_failure:0",
        ),
        (
            vec![],
            none,
            1024,
            "UH c false 0 0 0 TcpConnectionEnd tcp_initializion_failure:1",
        ),
        (
            vec![dead],
            none,
            0,
            "UO c false 0 0 0 TcpConnectionEnd tcp_initializion_failure:2",
        ),
        (
            vec![dead],
            other,
            1024,
            "NC - false 0 0 0 TcpConnectionEnd tcp_initializion_failure:3",
        ),
    ] {
        let limit = move |spec: &mut ClusterSpec| {
            Arc::make_mut(&mut spec.thresholds)[0].max_connections = max_connections;
        };
        let (served, lines) = proxy_to(&hosts, limit, change);
        assert_eq!(read_all(&mut served.connect()), b"");
        assert_eq!(lines.wait(1), [line]);
        let name = line.split(' ').next().unwrap();
        let (stat, count) = match name {
            "UH" => ("cluster.c.upstream_cx_none_healthy", 1),
            "UO" => ("cluster.c.upstream_cx_overflow", 1),
            "NC" => ("tcp.t.downstream_cx_no_route", 1),
            _ => ("cluster.c.upstream_cx_connect_attempts_exceeded", 1),
        };
        assert_eq!(served.counter(stat), count, "{stat}");
    }
}

#[test]
fn another_host_is_tried_where_attempts_are_left() {
    let (served, lines) = proxy(&[refusing(), upstream(answers)], |spec| {
        spec.max_connect_attempts = 2;
    });
    let mut client = served.connect();
    client.write_all(b"a").unwrap();
    assert_eq!(read_some(&mut client), b"re:a");
    drop(client);
    let line = &lines.wait(1)[0];
    assert!(line.contains(" c true "), "{line}");
}

#[test]
fn deadlines_end_connections() {
    let cases: [(fn(&mut TcpProxySpec), &str, &str); 2] = [
        (
            |spec| spec.idle_timeout = Some(Duration::from_millis(200)),
            " c true 1 1 4 TcpConnectionEnd tcp_session_idle_timeout",
            "tcp.t.idle_timeout",
        ),
        (
            |spec| spec.max_downstream_connection_duration = Some(Duration::from_millis(200)),
            "DT c true 1 1 4 TcpConnectionEnd max_connection_duration_reached",
            "tcp.t.max_downstream_connection_duration",
        ),
    ];
    for (change, line, stat) in cases {
        let (served, lines) = proxy(&[upstream(answers)], change);
        let mut client = served.connect();
        client.write_all(b"x").unwrap();
        assert_eq!(read_all(&mut client), b"re:x");
        assert_eq!(lines.wait(1), [line]);
        assert_eq!(served.counter(stat), 1, "{stat}");
    }
}

#[test]
fn logs_are_written_as_often_as_they_are_asked_for() {
    let (served, lines) = proxy(&[upstream(answers)], |spec| {
        spec.flush_access_log_on_start = true;
        spec.flush_access_log_on_connected = true;
        spec.access_log_flush_interval = Some(Duration::from_millis(100));
    });
    let mut client = served.connect();
    client.write_all(b"x").unwrap();
    assert_eq!(read_some(&mut client), b"re:x");
    lines.wait(4);
    drop(client);
    wait_until("the end", || {
        lines
            .0
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains("TcpConnectionEnd"))
    });
    let lines = lines.0.lock().unwrap();
    assert_eq!(lines[0], " - false 0 0 0 TcpConnectionStart -");
    for line in [
        " c true 1 0 0 TcpUpstreamConnected -",
        " c true 1 1 4 TcpPeriodic -",
        " c true 1 1 4 TcpConnectionEnd -",
    ] {
        assert!(
            lines.iter().any(|logged| logged == line),
            "{line}: {lines:?}"
        );
    }
}

#[test]
fn a_reset_upstream_resets_the_client() {
    let (served, lines) = proxy(
        &[upstream(|mut stream| {
            let _ = stream.read(&mut [0; 10]);
            reset(stream);
        })],
        |_| {},
    );
    let mut client = served.connect();
    client.write_all(b"rst").unwrap();
    let error = client.read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(lines.wait(1), ["UR c true 1 3 0 TcpConnectionEnd -"]);
}

#[test]
fn what_a_client_sent_before_it_reset_reaches_the_upstream() {
    const SIZE: usize = 20_000_000;
    // The upstream writes, by which the proxy finds out that the client is gone, and then reads.
    for answer in [10, 4_000_000] {
        let (sender, heard) = std::sync::mpsc::channel();
        let (reset_done, wait) = std::sync::mpsc::channel::<()>();
        let wait = Mutex::new(wait);
        let late = upstream(move |mut stream| {
            let _ = wait.lock().unwrap().recv();
            let writing = write_in_background(&stream, pattern(answer, 6));
            thread::sleep(Duration::from_millis(200));
            let mut all = Vec::new();
            let _ = stream.read_to_end(&mut all);
            drop(writing);
            sender.send(all).unwrap();
        });
        let (served, _) = proxy(&[late], |_| {});
        let mut client = served.connect();
        let timeout = Some(Duration::from_millis(200));
        client.set_write_timeout(timeout).unwrap();
        // As much as fits everywhere on the way.
        let _ = client.write_all(&pattern(SIZE, 5));
        reset(client);
        reset_done.send(()).unwrap();
        let heard = heard.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(heard.len() > 100_000 && pattern(SIZE, 5).starts_with(&heard));
        let received = served.counter("tcp.t.downstream_cx_rx_bytes_total");
        assert_eq!(heard.len() as u64, received);
        served.wait_for("tcp.t.upstream_flush_total", 1);
        assert_eq!(
            served.store.gauge_value("tcp.t.upstream_flush_active"),
            Some(0)
        );
    }
}

#[test]
fn a_draining_listener_closes_what_asks_for_it() {
    let (served, _) = proxy(&[upstream(answers)], |spec| spec.check_drain_close = true);
    let mut client = served.connect();
    client.write_all(b"a").unwrap();
    assert_eq!(read_some(&mut client), b"re:a");
    served.drain.set_health_check_failed(true);
    client.write_all(b"b").unwrap();
    read_all(&mut client);
    served.wait_for("tcp.t.downstream_cx_drain_close", 1);
}

#[test]
fn clusters_are_chosen_by_weight() {
    let of = |name: &str, weight| WeightedCluster {
        name: name.into(),
        weight,
        metadata_match: None,
    };
    let choice = ClusterChoice::Weighted(vec![of("a", 1), of("b", 3)]);
    let chosen: String = (0..8)
        .map(|random| choice.choose(random).0.to_string())
        .collect();
    assert_eq!(chosen, "abbbabbb");
    assert_eq!(&**ClusterChoice::One("x".into()).choose(9).0, "x");
}

#[test]
fn configurations_are_converted() {
    let shown = |yaml: &str| {
        let factory = parse(&TcpProxy, &format!("stat_prefix: t\n{yaml}")).unwrap();
        let spec = factory.spec();
        let millis = |duration: Option<Duration>| duration.map(|d| d.as_millis());
        (
            format!("{:?}", spec.cluster),
            [
                millis(spec.idle_timeout),
                millis(spec.max_downstream_connection_duration),
                millis(spec.access_log_flush_interval),
            ],
            spec.max_connect_attempts,
            [
                spec.check_drain_close,
                spec.flush_access_log_on_start,
                spec.flush_access_log_on_connected,
            ],
        )
    };
    assert_eq!(
        shown("cluster: c"),
        (
            "One(\"c\")".to_owned(),
            [Some(3_600_000), None, None],
            1,
            [false; 3]
        )
    );
    let all = "weighted_clusters: {clusters: [{name: a, weight: 1}, {name: b, weight: 3}]}
idle_timeout: 0s
max_connect_attempts: 4
max_downstream_connection_duration: 2s
max_downstream_connection_duration_jitter_percentage: {value: 50}
check_drain_close: true
on_demand: {timeout: 1s}
access_log_options: {access_log_flush_interval: 1s, flush_access_log_on_start: true, \
flush_access_log_on_connected: true}";
    let clusters = "Weighted([WeightedCluster { name: \"a\", weight: 1, metadata_match: None }, \
                    WeightedCluster { name: \"b\", weight: 3, metadata_match: None }])";
    assert_eq!(
        shown(&all.replace("\\\n", "")),
        (
            clusters.to_owned(),
            [None, Some(2000), Some(1000)],
            4,
            [true; 3]
        )
    );
    let old = "cluster: c\naccess_log_flush_interval: 2s\nflush_access_log_on_connected: true";
    assert_eq!(shown(old).1[2], Some(2000));
    assert_eq!(shown(old).3, [false, false, true]);
}

#[test]
fn what_is_wrong_or_not_built_is_refused_by_its_name() {
    for (yaml, part) in [
        ("", "cluster_specifier"),
        (
            "{cluster: c, on_demand: {odcds_config: {ads: {}}}}",
            "odcds_config",
        ),
        (
            "{cluster: c, backoff_options: {base_interval: 1s, max_interval: 0.5s}}",
            "max_interval must be greater than or equal to the base_interval",
        ),
        (
            "{cluster: c, proxy_protocol_tlvs: [{type: 1}]}",
            "Invalid TLV configuration: one of 'value' or 'format_string' must be set.",
        ),
        (
            "{cluster: c, max_early_data_bytes: 1}",
            "max_early_data_bytes",
        ),
        (
            "{cluster: c, upstream_connect_mode: ON_DOWNSTREAM_DATA}",
            "max_early_data_bytes must be set when upstream_connect_mode is not IMMEDIATE",
        ),
        (
            "{cluster: c, upstream_connect_mode: ON_DOWNSTREAM_DATA, max_early_data_bytes: 1}",
            "upstream_connect_mode",
        ),
        (
            "{cluster: c, access_log_options: {}, access_log_flush_interval: 1s}",
            "Only one of access_log_flush_interval or access_log_options can be specified.",
        ),
        (
            "{cluster: c, max_connect_attempts: 0}",
            "MaxConnectAttempts",
        ),
    ] {
        let yaml = yaml
            .strip_prefix('{')
            .map_or(yaml.to_owned(), |rest| format!(", {rest}"));
        let yaml = match yaml.strip_prefix(", ") {
            Some(rest) => format!("{{stat_prefix: t, {rest}"),
            None => format!("stat_prefix: t\n{yaml}"),
        };
        let error = parse(&TcpProxy, &yaml).err().unwrap_or_default();
        assert!(error.contains(part), "{yaml}: {error}");
    }
}
