//! The end: at once on SIGTERM, with everything written; after a drain, without a lost request.

use crate::harness::{Config, Connection, Proxy, Reply, Upstream, direct, route};
use rustix::process::Signal;
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
    crate::harness::wait_for("the new log", || {
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

/// A client that goes on until it can't connect or is told to end.
fn client(proxy: &Proxy, end: &Arc<AtomicBool>) -> JoinHandle<Seen> {
    let (listener, end) = (proxy.listener("main"), Arc::clone(end));
    thread::spawn(move || {
        let mut seen = Seen::default();
        while !end.load(Ordering::Relaxed) {
            let Ok(mut connection) = Connection::try_open(listener) else {
                break;
            };
            let mut first = true;
            loop {
                match connection.try_get("/") {
                    Ok(response) if response.header("connection") == Some("close") => {
                        seen.told_to_close += 1;
                        break;
                    }
                    Ok(response) => {
                        assert_eq!(response.status, 200);
                        seen.answered += 1;
                    }
                    // A listener that goes resets what was not accepted yet: safe to repeat.
                    Err(_) if first => break,
                    Err(_) => {
                        seen.lost += 1;
                        break;
                    }
                }
                first = false;
                if end.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
        seen
    })
}

#[test]
fn nothing_is_lost_in_a_drain() {
    let upstream = Upstream::http(|_| Reply::ok("x").after(Duration::from_millis(5)));
    let mut proxy = Config::http(&[route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start_with(&["--drain-time-s", "1", "--drain-strategy", "immediate"]);
    let listener = proxy.listener("main");
    let end = Arc::new(AtomicBool::new(false));
    let clients: Vec<JoinHandle<Seen>> = (0..8).map(|_| client(&proxy, &end)).collect();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(proxy.admin_post("/drain_listeners?graceful").text(), "OK\n");
    thread::sleep(Duration::from_millis(1500));
    end.store(true, Ordering::Relaxed);
    let seen: Vec<Seen> = clients
        .into_iter()
        .map(|client| client.join().unwrap())
        .collect();
    for client in &seen {
        assert_eq!(client.lost, 0, "{seen:?}");
        assert!(client.answered > 0 && client.told_to_close > 0, "{seen:?}");
    }
    // Nobody is accepted any more.
    assert!(Connection::try_open(listener).is_err());
    proxy.signal(Signal::TERM);
    ends_well(&mut proxy);
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
