//! DNS clusters against a name server on loopback.

use super::*;
use crate::cluster::{ClusterInfo, ClusterSpec};
use crate::discovery::Endpoint;
use crate::discovery::members::MembersObserver;
use crate::lb::{LbSpec, LoadBalancer};
use crate::priority::{HostsChange, PrioritySet};
use nuncio_stats::Store;
use nuncio_worker::{Worker, run_main};
use std::cell::Cell;
use std::net::Ipv4Addr;
use tokio::net::UdpSocket;

#[derive(Debug)]
struct NoLb;
impl LbSpec for NoLb {
    fn name(&self) -> &'static str {
        "test.none"
    }
    fn localize(&self, _worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        unreachable!("nobody chooses here")
    }
}

/// What the server answers for A queries: addresses, or an error code.
type Answer = Rc<RefCell<Result<Vec<[u8; 4]>, u8>>>;

/// A name server: any name has the addresses of `answer`, and none of IPv6.
async fn serve(socket: UdpSocket, answer: Answer, queries: Rc<Cell<u32>>) {
    let mut query = [0; 512];
    while let Ok((length, peer)) = socket.recv_from(&mut query).await {
        queries.set(queries.get() + 1);
        let name_end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
        let is_a = query[name_end + 1] == 1;
        let answer = answer.borrow().clone();
        let (code, addresses) = match answer {
            Ok(addresses) => (0, if is_a { addresses } else { Vec::new() }),
            Err(code) => (code, Vec::new()),
        };
        assert!(length >= name_end + 4);
        let mut out = query[..name_end + 4].to_vec();
        out[2..12].copy_from_slice(&[
            0x81,
            0x80 | code,
            0,
            1,
            0,
            addresses.len() as u8,
            0,
            0,
            0,
            0,
        ]);
        for address in addresses {
            out.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            out.extend(address);
        }
        socket.send_to(&out, peer).await.unwrap();
    }
}

#[derive(Clone, Default)]
struct Seen {
    ready: Rc<Cell<bool>>,
    removed: Rc<Cell<usize>>,
}

impl MembersObserver for Seen {
    fn on_change(&self, _hosts: &Arc<PrioritySet>, change: HostsChange) {
        self.removed.set(self.removed.get() + change.removed.len());
    }
    fn on_ready(&self) {
        self.ready.set(true);
    }
    fn on_host_failure(&self, _host: &Arc<Host>) {}
    fn on_outlier(&self, _event: &crate::outlier::OutlierEvent) {}
}

struct Fixture {
    answer: Answer,
    queries: Rc<Cell<u32>>,
    members: Rc<Members>,
    store: Store,
    seen: Seen,
}

impl Fixture {
    async fn new(worker: &Rc<Worker>, name: &str, change: impl FnOnce(&mut DnsHosts)) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = socket.local_addr().unwrap();
        let answer: Answer = Rc::new(RefCell::new(Ok(vec![[127, 0, 0, 2], [127, 0, 0, 3]])));
        let queries = Rc::new(Cell::new(0));
        worker.spawn(serve(socket, answer.clone(), queries.clone()));
        let endpoint = Endpoint {
            host: HostSpec {
                weight: 3,
                ..HostSpec::new(Address::Pipe(name.into()))
            },
            name: Some((name.into(), 80)),
        };
        let mut config = DnsHosts {
            assignment: Arc::new(LoadAssignment {
                endpoints: vec![endpoint],
                ..LoadAssignment::default()
            }),
            logical: false,
            family: LookupFamily::Auto,
            refresh: DnsRefresh {
                rate: Duration::from_millis(30),
                ..DnsRefresh::default()
            },
            resolver: ResolverSettings {
                servers: vec![server],
                timeout: Some(Duration::from_secs(1)),
                tries: Some(1),
                ..ResolverSettings::default()
            },
            wait_for_warm_on_init: true,
        };
        change(&mut config);
        let store = Store::default();
        let info = ClusterInfo::new(ClusterSpec::new("c", Arc::new(NoLb)), &store.root());
        let seen = Seen::default();
        let members = Members::new(worker, &info, None, Box::new(seen.clone()));
        config.start(&members);
        Self {
            answer,
            queries,
            members,
            store,
            seen,
        }
    }

    fn hosts(&self) -> Vec<String> {
        let hosts = self.members.current();
        hosts
            .hosts()
            .map(|host| host.address().to_string())
            .collect()
    }

    async fn until(&self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        for _ in 0..300 {
            if done(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what}: {:?}", self.hosts());
    }

    fn counter(&self, name: &str) -> u64 {
        self.store
            .counter_value(&format!("cluster.c.{name}"))
            .unwrap()
    }
}

#[test]
fn strict_dns_follows_its_name() {
    run_main(|worker| async move {
        let f = Fixture::new(&worker, "web.test.", |_| {}).await;
        f.until("both", |f| f.hosts() == ["127.0.0.2:80", "127.0.0.3:80"])
            .await;
        assert!(f.seen.ready.get());
        let host = f.members.current().hosts().next().unwrap().clone();
        assert_eq!((&**host.hostname(), host.weight()), ("web.test.", 3));
        // The order of an answer says nothing.
        *f.answer.borrow_mut() = Ok(vec![[127, 0, 0, 3], [127, 0, 0, 2]]);
        let rebuilds = f.counter("update_no_rebuild");
        f.until("another", |f| f.counter("update_no_rebuild") > rebuilds + 1)
            .await;
        assert_eq!(f.counter("membership_change"), 1);
        *f.answer.borrow_mut() = Ok(vec![[127, 0, 0, 2], [127, 0, 0, 4]]);
        f.until("one other", |f| {
            f.hosts() == ["127.0.0.2:80", "127.0.0.4:80"]
        })
        .await;
        assert_eq!(f.members.current().hosts().next().unwrap().id(), host.id());
        assert_eq!(
            (f.seen.removed.get(), f.counter("membership_change")),
            (1, 2)
        );
        // A server that fails changes nothing; one that knows of no such name does.
        *f.answer.borrow_mut() = Err(2);
        f.until("failure", |f| f.counter("update_failure") > 0)
            .await;
        assert_eq!(f.hosts().len(), 2);
        *f.answer.borrow_mut() = Err(3);
        f.until("no such name", |f| f.hosts().is_empty()).await;
        assert_eq!(f.store.gauge_value("cluster.c.membership_total"), Some(0));
        let (members, queries) = (Rc::downgrade(&f.members), f.queries.clone());
        drop(f);
        assert!(members.upgrade().is_none());
        tokio::time::sleep(Duration::from_millis(60)).await;
        let before = queries.get();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(
            queries.get(),
            before,
            "nobody asks for a cluster that is gone"
        );
    })
    .unwrap();
}

#[test]
fn logical_dns_moves_its_host() {
    run_main(|worker| async move {
        let f = Fixture::new(&worker, "web.test.", |config| config.logical = true).await;
        f.until("one", |f| f.hosts() == ["127.0.0.2:80"]).await;
        let id = f.members.current().hosts().next().unwrap().id();
        *f.answer.borrow_mut() = Ok(vec![[127, 0, 0, 9]]);
        f.until("moved", |f| f.hosts() == ["127.0.0.9:80"]).await;
        *f.answer.borrow_mut() = Ok(Vec::new());
        // No address is a failure.
        f.until("empty", |f| f.counter("update_failure") > 2).await;
        assert_eq!(f.hosts(), ["127.0.0.9:80"]);
        assert_eq!(f.members.current().hosts().next().unwrap().id(), id);
        assert_eq!(
            (f.seen.removed.get(), f.counter("membership_change")),
            (0, 1)
        );
    })
    .unwrap();
}

#[test]
fn names_that_need_no_server() {
    run_main(|worker| async move {
        let resolver = DnsResolvers::get(&worker, &ResolverSettings::default());
        let (v4, v6) = (Ipv4Addr::LOCALHOST.into(), "::1".parse().unwrap());
        let cases: &[(&str, LookupFamily, &[IpAddr])] = &[
            ("localhost", LookupFamily::V4Only, &[v4]),
            ("localhost", LookupFamily::Auto, &[v6]),
            ("LocalHost.", LookupFamily::V4Preferred, &[v4]),
            ("a.localhost", LookupFamily::All, &[v4, v6]),
            ("127.0.0.1", LookupFamily::Auto, &[v4]),
            ("::1", LookupFamily::V4Only, &[]),
        ];
        for (name, family, expected) in cases {
            let Resolution::Completed(found) = resolver.resolve(name, *family).await else {
                panic!("{name}");
            };
            let found: Vec<_> = found.into_iter().map(|(address, _)| address).collect();
            assert_eq!(found, *expected, "{name} {family:?}");
        }
    })
    .unwrap();
}

#[test]
fn a_cluster_that_need_not_warm_is_ready_at_once() {
    run_main(|worker| async move {
        let never = |config: &mut DnsHosts| {
            config.wait_for_warm_on_init = false;
            config.resolver.servers = vec!["127.0.0.1:9".parse().unwrap()];
        };
        let f = Fixture::new(&worker, "web.test.", never).await;
        assert!(f.seen.ready.get());
    })
    .unwrap();
}
