//! Which hosts the policies choose, on a worker.

use super::hashing::HashSettings;
use super::least_request::{Compare, LeastRequest, RequestBias};
use super::maglev::Maglev;
use super::random::Random;
use super::ring_hash::{HashFunction, RingHash};
use super::round_robin::RoundRobin;
use nuncio_base::address::Address;
use nuncio_stats::Store;
use nuncio_upstream::host_set::Provisioning;
use nuncio_upstream::lb::source::LocalitySettings;
use nuncio_upstream::lb::{AnyRequest, Choice, LbCx, LbRequest, SharedCx};
use nuncio_upstream::stats::ClusterLbStats;
use nuncio_upstream::{HealthFlag, Host, HostSet, HostSpec, LbSpec, Locality, PrioritySet};
use nuncio_worker::run_main;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A host: zone, weight, priority, health flags, requests in flight.
type Row = (&'static str, u32, u32, u32, u32);

const UNHEALTHY: u32 = HealthFlag::FailedEdsHealth as u32;

fn hosts(rows: &[Row]) -> PrioritySet {
    let weights = [("a", 3), ("b", 1)].map(|(zone, weight)| (Arc::new(locality(zone)), weight));
    let weights = BTreeMap::from(weights);
    let host = |(at, row): (usize, &Row)| {
        let (zone, weight, priority, health_flags, active) = *row;
        let host = Host::new(HostSpec {
            locality: locality(zone).into(),
            hostname: at.to_string().into(),
            weight,
            priority,
            health_flags,
            ..HostSpec::new(Address::Pipe(at.to_string().into()))
        });
        (0..active).for_each(|_| host.stats().rq_active.inc());
        host
    };
    let all: Vec<_> = rows.iter().enumerate().map(host).collect();
    let last = rows.iter().map(|row| row.2).max().unwrap_or(0);
    let sets = (0..=last).map(|priority| {
        let of = all
            .iter()
            .filter(|host| host.priority() == priority)
            .cloned();
        let set = HostSet::new(priority, of.collect(), &weights, Provisioning::default());
        Arc::new(set)
    });
    PrioritySet::new(sets.collect(), 50)
}

fn locality(zone: &str) -> Locality {
    Locality {
        zone: zone.into(),
        ..Locality::default()
    }
}

/// How often each host is chosen of 1000 times, to the nearest percent.
fn shares(lb: &dyn LbSpec, rows: &[Row], request: &dyn LbRequest) -> Vec<u32> {
    let hosts = hosts(rows);
    let mut counts = vec![0; rows.len()];
    run_main(async |worker| {
        let stats = Store::default().root().group::<ClusterLbStats>().local();
        let mut balancer = lb.localize(&worker);
        for _ in 0..10_000 {
            let choice = worker.with_random(|random| {
                let mut cx = LbCx {
                    random,
                    stats: &stats,
                    active_requests: &|| 0,
                };
                balancer.choose(&hosts, request, &mut cx)
            });
            if let Choice::Host(host) = choice {
                counts[host.hostname().parse::<usize>().unwrap()] += 1;
            }
        }
    })
    .unwrap();
    counts.iter().map(|count| (count + 50) / 100).collect()
}

#[track_caller]
fn check(lb: &dyn LbSpec, rows: &[Row], expected: &[u32], within: u32) {
    let got = shares(lb, rows, &AnyRequest);
    for (got_one, expected_one) in got.iter().zip(expected) {
        assert!(
            got_one.abs_diff(*expected_one) <= within,
            "{}: {got:?}, not {expected:?}",
            lb.name()
        );
    }
}

const FOUR: [Row; 4] = [("a", 1, 0, 0, 0); 4];

#[test]
fn equal_hosts_get_equal_shares() {
    check(&RoundRobin::default(), &FOUR, &[25; 4], 0);
    check(&Random::default(), &FOUR, &[25; 4], 3);
    check(&LeastRequest::default(), &FOUR, &[25; 4], 3);
    let all = LeastRequest {
        compare: Compare::All,
        ..LeastRequest::default()
    };
    check(&all, &FOUR, &[25; 4], 3);
}

#[test]
fn weights_count_except_for_random() {
    let rows = [("a", 1, 0, 0, 0), ("a", 3, 0, 0, 0)];
    check(&RoundRobin::default(), &rows, &[25, 75], 0);
    check(&LeastRequest::default(), &rows, &[25, 75], 0);
    check(&Random::default(), &rows, &[50, 50], 3);
}

#[test]
fn busy_hosts_get_less_of_least_request() {
    let rows = [("a", 1, 0, 0, 0), ("a", 1, 0, 0, 9)];
    // The busy one is chosen only where both choices fall on it.
    check(&LeastRequest::default(), &rows, &[75, 25], 3);
    let all = LeastRequest {
        compare: Compare::All,
        ..LeastRequest::default()
    };
    check(&all, &rows, &[100, 0], 0);
    // 4 / (1 + 1) against 3 / (0 + 1).
    let weighted = [("a", 4, 0, 0, 1), ("a", 3, 0, 0, 0)];
    check(&LeastRequest::default(), &weighted, &[40, 60], 0);
    let unbiased = LeastRequest {
        active_request_bias: RequestBias {
            value: 0.0,
            runtime_key: "".into(),
        },
        ..LeastRequest::default()
    };
    check(&unbiased, &weighted, &[57, 43], 0);
}

#[test]
fn localities_share_by_weight_where_asked() {
    let rows = [("a", 1, 0, 0, 0), ("b", 1, 0, 0, 0), ("b", 1, 0, 0, 0)];
    let weighted = RoundRobin {
        locality: LocalitySettings {
            weighted: true,
            ..LocalitySettings::default()
        },
        ..RoundRobin::default()
    };
    check(&weighted, &rows, &[75, 13, 13], 1);
    check(&RoundRobin::default(), &rows, &[33, 33, 33], 1);
    // Half of a locality gone: 0.5 times 1.4 of its weight remains.
    let rows = [
        ("a", 1, 0, 0, 0),
        ("a", 1, 0, UNHEALTHY, 0),
        ("b", 1, 0, 0, 0),
    ];
    check(&weighted, &rows, &[68, 0, 32], 1);
}

#[test]
fn priorities_and_panic() {
    let rows = [
        ("a", 1, 0, UNHEALTHY, 0),
        ("a", 1, 0, 0, 0),
        ("a", 1, 1, 0, 0),
    ];
    check(&RoundRobin::default(), &rows, &[0, 70, 30], 3);
    let rows = [("a", 1, 0, UNHEALTHY, 0), ("a", 1, 0, UNHEALTHY, 0)];
    check(&RoundRobin::default(), &rows, &[50, 50], 0);
    let fails = RoundRobin {
        locality: LocalitySettings {
            fail_traffic_on_panic: true,
            ..LocalitySettings::default()
        },
        ..RoundRobin::default()
    };
    check(&fails, &rows, &[0, 0], 0);
}

#[test]
fn refused_hosts_are_passed_over_as_often_as_asked() {
    struct NotFirst;
    impl LbRequest for NotFirst {
        fn refuses(&self, host: &Host) -> bool {
            &**host.hostname() == "0"
        }
    }
    let rows = [("a", 1, 0, 0, 0), ("a", 1, 0, 0, 0)];
    assert_eq!(shares(&RoundRobin::default(), &rows, &NotFirst), [0, 100]);
    // One more try finds it again half of the time.
    let random = shares(&Random::default(), &rows, &NotFirst);
    assert!(random[0].abs_diff(25) <= 3, "{random:?}");
}

/// Which hosts are chosen for the hashes of "0", "1", …, "23"; hosts are known by these names.
fn by_hash(lb: &dyn LbSpec, hosts: &[(&str, u32)]) -> String {
    struct Hashed(u64);
    impl LbRequest for Hashed {
        fn hash(&self) -> Option<u64> {
            Some(self.0)
        }
    }
    let host = |(name, weight): &(&str, u32)| {
        Host::new(HostSpec {
            hostname: (*name).into(),
            weight: *weight,
            ..HostSpec::new(Address::Pipe((*name).into()))
        })
    };
    let all = hosts.iter().map(host).collect();
    let set = HostSet::new(0, all, &BTreeMap::new(), Provisioning::default());
    let set = PrioritySet::new(vec![Arc::new(set)], 50);
    let scope = Store::default().scope("cluster.c");
    let stats = scope.group::<ClusterLbStats>().local();
    let cx = SharedCx {
        scope: &scope,
        before: None,
        stats: &stats,
        threads: 1,
    };
    let tables = lb.shared(&set, &cx);
    let set = set.with_lb_shared(tables);
    let place = |chosen: Arc<Host>| {
        let place = hosts
            .iter()
            .position(|(name, _)| **name == **chosen.hostname());
        place.unwrap().to_string()
    };
    let mut chosen = String::new();
    run_main(async |worker| {
        let stats = scope.group::<ClusterLbStats>().local();
        let mut balancer = lb.localize(&worker);
        for number in 0..24 {
            let hash = nuncio_base::hash::xx_hash64(number.to_string().as_bytes(), 0);
            let choice = worker.with_random(|random| {
                let mut cx = LbCx {
                    random,
                    stats: &stats,
                    active_requests: &|| 0,
                };
                balancer.choose(&set, &Hashed(hash), &mut cx)
            });
            match choice {
                Choice::Host(host) => chosen.push_str(&place(host)),
                _ => chosen.push('-'),
            }
        }
    })
    .unwrap();
    chosen
}

// What Envoy 1.40.0 chooses of these hosts.
#[test]
fn a_hash_finds_the_same_host_as_with_envoy() {
    let hosts = [("e", 1), ("a", 2), ("d", 3), ("b", 4), ("c", 5)];
    let ring = |function, size| RingHash {
        settings: HashSettings::by_name(),
        function,
        size,
    };
    let maglev = Maglev {
        settings: HashSettings::by_name(),
        size: 101,
    };
    assert_eq!(
        by_hash(&ring(HashFunction::XxHash, (30, 40)), &hosts),
        "333441222434442124222424"
    );
    assert_eq!(
        by_hash(&ring(HashFunction::MurmurHash2, (64, 8 << 20)), &hosts),
        "232200224244344133443323"
    );
    assert_eq!(by_hash(&maglev, &hosts), "224432332341303114443112");
    assert_eq!(by_hash(&maglev, &[]), "-".repeat(24));
}

#[test]
fn busy_hosts_are_stood_in_for() {
    let hosts = hosts(&FOUR);
    let maglev = Maglev {
        settings: HashSettings {
            balance_factor: Some(100),
            ..HashSettings::by_name()
        },
        size: 101,
    };
    struct Hashed;
    impl LbRequest for Hashed {
        fn hash(&self) -> Option<u64> {
            Some(7)
        }
    }
    let scope = Store::default().scope("cluster.c");
    let stats = scope.group::<ClusterLbStats>().local();
    let cx = SharedCx {
        scope: &scope,
        before: None,
        stats: &stats,
        threads: 1,
    };
    let tables = maglev.shared(&hosts, &cx);
    let hosts = hosts.with_lb_shared(tables);
    run_main(async |worker| {
        let mut balancer = maglev.localize(&worker);
        let mut counts = [0; 4];
        // Each stays in flight; a host has enough once it has more than its share.
        for _ in 0..8 {
            let choice = worker.with_random(|random| {
                let mut cx = LbCx {
                    random,
                    stats: &stats,
                    // The hosts' own counts are told apart from the cluster's.
                    active_requests: &|| counts.iter().sum(),
                };
                balancer.choose(&hosts, &Hashed, &mut cx)
            });
            let Choice::Host(host) = choice else {
                panic!("no host");
            };
            host.stats().rq_active.inc();
            counts[host.hostname().parse::<usize>().unwrap()] += 1;
        }
        // The order in which others stand in is that of the hash.
        assert_eq!(counts, [3, 3, 0, 2]);
    })
    .unwrap();
}
