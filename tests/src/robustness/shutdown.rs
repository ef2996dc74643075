//! The end: at once on SIGTERM, with everything written; after a drain, without a lost request.

use crate::harness::{Config, Connection, Proxy, Reply, Upstream, direct, route, wait_for};
use rustix::process::Signal;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How soon a proxy has to be gone.
const AT_ONCE: Duration = Duration::from_secs(2);

fn ends_well(proxy: &mut Proxy) {
    let status = proxy.wait(AT_ONCE);
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
}

#[test]
fn sigterm_ends_it_at_once_with_the_log_written() {
    let slow = Upstream::http(|_| Reply::ok("late").after(Duration::from_secs(60)));
    let mut proxy = Config::http(&[direct("/direct", 200, "x"), route("/", "slow")])
        .cluster("slow", &[slow.address()])
        .access_log("%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS%")
        .start_with(&["--file-flush-interval-msec", "60000"]);
    let mut connection = proxy.connect();
    for _ in 0..100 {
        assert_eq!(connection.get("/direct").status, 200);
    }
    // One that will not be answered any more.
    connection.send("GET /slow HTTP/1.1\r\nhost: a.test\r\n\r\n");
    proxy.wait_stat("cluster.slow.upstream_rq_active", 1);
    proxy.signal(Signal::TERM);
    ends_well(&mut proxy);
    let log = proxy.file("access.log");
    assert_eq!(log.matches("/direct 200 -\n").count(), 100, "{log:.300}");
    assert_eq!(connection.read_to_end(), b"");
    assert!(
        proxy.log().contains("caught ENVOY_SIGTERM"),
        "{}",
        proxy.log()
    );
    assert!(proxy.log().contains("exiting"), "{}", proxy.log());
}

#[test]
fn sigint_ends_it_too() {
    let mut proxy = Config::http(&[direct("/", 200, "x")]).start();
    proxy.signal(Signal::INT);
    ends_well(&mut proxy);
}

#[test]
fn sigusr1_opens_the_logs_anew() {
    let proxy = Config::http(&[direct("/", 200, "x")])
        .access_log("%RESPONSE_CODE%")
        .start();
    assert_eq!(proxy.get("/").status, 200);
    proxy.access_log(1);
    std::fs::rename(proxy.path("access.log"), proxy.path("old.log")).unwrap();
    proxy.signal(Signal::USR1);
    wait_for("the new log", || {
        proxy.path("access.log").exists().then_some(())
    });
    assert_eq!(proxy.get("/").status, 200);
    assert_eq!(proxy.access_log(1), ["200"]);
    assert_eq!(proxy.file("old.log"), "200\n");
}

/// What clients saw: answers, and requests that were sent in vain.
#[derive(Default, Debug)]
struct Seen {
    answered: u64,
    lost: u64,
    told_to_close: u64,
}

impl Seen {
    /// Sends requests on one connection until either side has enough of it; whether the client
    /// should go elsewhere.
    fn use_connection(&mut self, listener: SocketAddr) -> bool {
        let Ok(mut connection) = Connection::try_open(listener) else {
            return true;
        };
        for number in 0..REQUESTS {
            match connection.try_get("/") {
                Ok(response) => {
                    assert_eq!(response.status, 200);
                    self.answered += 1;
                    if response.header("connection") == Some("close") {
                        self.told_to_close += 1;
                        return true;
                    }
                }
                // A listener that goes resets what was not accepted yet: safe to repeat.
                Err(_) if number == 0 => return true,
                Err(_) => {
                    self.lost += 1;
                    return true;
                }
            }
        }
        false
    }
}

/// How many requests a client sends on a connection.
const REQUESTS: u32 = 20;

/// Clients that go to the first of two proxies until it sends them away, then to the second.
struct Clients {
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Seen>>,
}

impl Clients {
    fn start(proxies: [&Proxy; 2]) -> Self {
        let end = Arc::<AtomicBool>::default();
        let listeners = proxies.map(|proxy| proxy.listener("main"));
        let client = |_| {
            let end = Arc::clone(&end);
            thread::spawn(move || {
                let mut seen = Seen::default();
                let mut at = 0;
                while !end.load(Ordering::Relaxed) {
                    at |= usize::from(seen.use_connection(listeners[at]));
                }
                assert_eq!(at, 1, "never sent away: {seen:?}");
                seen
            })
        };
        let threads = (0..8).map(client).collect();
        Self { end, threads }
    }

    fn end(self) -> Vec<Seen> {
        self.end.store(true, Ordering::Relaxed);
        let threads = self.threads.into_iter();
        threads.map(|client| client.join().unwrap()).collect()
    }
}

/// Drains one of two proxies under traffic and ends it as soon as it is idle.
fn drain(path: &str) -> (Proxy, Vec<Seen>) {
    let upstream = Upstream::http(|_| Reply::ok("x").after(Duration::from_millis(5)));
    let config = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .access_log("%RESPONSE_CODE% %RESPONSE_FLAGS%");
    let arguments = ["--drain-time-s", "1", "--drain-strategy", "immediate"];
    let mut first = config.start_with(&arguments);
    let second = config.start();
    let clients = Clients::start([&first, &second]);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(first.admin_post(path).text(), "OK\n");
    first.wait_stat("http.http.downstream_cx_active", 0);
    assert_eq!(first.stat("http.http.downstream_rq_active"), 0);
    first.signal(Signal::TERM);
    ends_well(&mut first);
    thread::sleep(Duration::from_millis(50));
    let seen = clients.end();
    for client in &seen {
        assert_eq!(client.lost, 0, "{path}: {seen:?}");
        assert!(client.answered > 0, "{path}: {seen:?}");
    }
    // Whatever was answered is in the logs, and nothing else.
    let answered: u64 = seen.iter().map(|client| client.answered).sum();
    let lines = usize::try_from(answered).unwrap() - first.file("access.log").lines().count();
    for log in [
        first.file("access.log"),
        second.access_log(lines).join("\n"),
    ] {
        assert!(
            log.lines().all(|line| line == "200 -"),
            "{path}: {log:.500}"
        );
    }
    (first, seen)
}

#[test]
fn nothing_is_lost_in_a_graceful_drain() {
    let (_, seen) = drain("/drain_listeners?graceful");
    assert!(
        seen.iter().any(|client| client.told_to_close > 0),
        "{seen:?}"
    );
}

#[test]
fn nothing_is_lost_when_health_checks_are_failed_first() {
    let (_, seen) = drain("/healthcheck/fail");
    assert!(
        seen.iter().all(|client| client.told_to_close > 0),
        "{seen:?}"
    );
}

#[test]
fn nothing_is_lost_when_listeners_are_stopped_at_once() {
    let (first, _) = drain("/drain_listeners");
    assert!(first.log().contains("exiting"), "{}", first.log());
}

#[test]
fn a_graceful_drain_ends_with_nobody_accepted() {
    let proxy = Config::http(&[direct("/", 200, "x")]).start_with(&[
        "--drain-time-s",
        "1",
        "--drain-strategy",
        "immediate",
    ]);
    let listener = proxy.listener("main");
    proxy.admin_post("/drain_listeners?graceful");
    // Who comes in the meantime is served.
    let response = Connection::open(listener).get("/");
    assert_eq!(response.header("connection"), Some("close"));
    wait_for("the end of the listener", || {
        Connection::try_open(listener).is_err().then_some(())
    });
}

#[test]
fn failing_health_checks_drains_and_a_passing_one_ends_that() {
    let proxy =
        Config::http(&[direct("/", 200, "x")]).start_with(&["--drain-strategy", "immediate"]);
    let mut connection = proxy.connect();
    assert_eq!(connection.get("/").header("connection"), None);
    proxy.admin_post("/healthcheck/fail");
    let mut draining = proxy.connect();
    assert_eq!(draining.get("/").header("connection"), Some("close"));
    assert_eq!(draining.read_to_end(), b"");
    proxy.admin_post("/healthcheck/ok");
    assert_eq!(connection.get("/").header("connection"), None);
}
