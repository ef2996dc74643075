//! Loads of priorities as tables; the rows follow the examples of Envoy's "Priority levels" page.

use super::*;
use crate::health::HealthFlag;
use crate::host::{HostSpec, Locality};
use crate::host_set::Provisioning;
use nuncio_base::address::Address;
use std::collections::BTreeMap;

/// `(healthy, degraded, unhealthy, excluded)` hosts of a priority.
type Row = (usize, usize, usize, usize);

pub(crate) fn host_set(priority: u32, row: Row, provisioning: Provisioning) -> Arc<HostSet> {
    let (healthy, degraded, unhealthy, excluded) = row;
    let flags = std::iter::repeat_n(0, healthy)
        .chain(std::iter::repeat_n(
            HealthFlag::DegradedEdsHealth as u32,
            degraded,
        ))
        .chain(std::iter::repeat_n(
            HealthFlag::FailedEdsHealth as u32,
            unhealthy,
        ))
        .chain(std::iter::repeat_n(
            HealthFlag::PendingActiveHc as u32 | HealthFlag::FailedActiveHc as u32,
            excluded,
        ));
    let hosts = flags.map(|flags| {
        Host::new(HostSpec {
            health_flags: flags,
            priority,
            ..HostSpec::new(Address::Pipe("/x".into()))
        })
    });
    let set = HostSet::new(priority, hosts.collect(), &BTreeMap::new(), provisioning);
    Arc::new(set)
}

fn check(rows: &[Row], panic: u32, healthy: &[u32], degraded: &[u32], panics: &[bool]) {
    let sets = rows.iter().enumerate();
    let sets = sets.map(|(at, row)| host_set(at as u32, *row, Provisioning::default()));
    let set = PrioritySet::new(sets.collect(), panic);
    let load = set.load();
    assert_eq!(load.healthy, healthy, "{rows:?}");
    assert_eq!(load.degraded, degraded, "{rows:?}");
    assert_eq!(set.panic, panics, "{rows:?}");
    assert_eq!(load.healthy.iter().chain(&load.degraded).sum::<u32>(), 100);
}

#[test]
fn load_spills_over_to_lower_priorities() {
    const P: bool = true;
    const N: bool = false;
    // Health 100, 72 and 71 percent of priority 0: the factor of 1.4 keeps it whole to 71.4.
    check(
        &[(100, 0, 0, 0), (100, 0, 0, 0)],
        50,
        &[100, 0],
        &[0, 0],
        &[N, N],
    );
    check(
        &[(72, 0, 28, 0), (72, 0, 28, 0)],
        50,
        &[100, 0],
        &[0, 0],
        &[N, N],
    );
    check(
        &[(71, 0, 29, 0), (71, 0, 29, 0)],
        50,
        &[99, 1],
        &[0, 0],
        &[N, N],
    );
    check(
        &[(50, 0, 50, 0), (60, 0, 40, 0)],
        50,
        &[70, 30],
        &[0, 0],
        &[N, N],
    );
    check(
        &[(25, 0, 75, 0), (100, 0, 0, 0)],
        50,
        &[35, 65],
        &[0, 0],
        &[N, N],
    );
    check(
        &[(0, 0, 100, 0), (100, 0, 0, 0)],
        50,
        &[0, 100],
        &[0, 0],
        &[N, N],
    );
    // Less than 100 in all: scaled up, and in panic where less than half is healthy.
    check(
        &[(25, 0, 75, 0), (25, 0, 75, 0)],
        50,
        &[50, 50],
        &[0, 0],
        &[P, P],
    );
    check(
        &[(0, 0, 100, 0), (50, 0, 50, 0)],
        50,
        &[0, 100],
        &[0, 0],
        &[P, N],
    );
    check(
        &[(5, 0, 95, 0), (65, 0, 35, 0)],
        50,
        &[8, 92],
        &[0, 0],
        &[P, N],
    );
    check(
        &[(20, 0, 80, 0), (20, 0, 80, 0), (20, 0, 80, 0)],
        0,
        &[34, 33, 33],
        &[0; 3],
        &[N; 3],
    );
    // Total panic: by the number of hosts, the rest to the first that has any.
    check(
        &[(0, 0, 0, 0), (0, 0, 2, 0), (0, 0, 1, 0)],
        50,
        &[0, 67, 33],
        &[0; 3],
        &[P; 3],
    );
    check(&[(0, 0, 0, 0)], 50, &[100], &[0], &[P]);
    check(
        &[(0, 0, 3, 0), (0, 0, 3, 0)],
        0,
        &[100, 0],
        &[0, 0],
        &[N, N],
    );
}

#[test]
fn degraded_hosts_take_what_healthy_ones_leave() {
    check(
        &[(0, 1, 0, 0), (0, 0, 1, 0)],
        50,
        &[0, 0],
        &[100, 0],
        &[false, false],
    );
    check(&[(1, 1, 0, 0)], 50, &[70], &[30], &[false]);
    check(
        &[(1, 9, 0, 0), (0, 10, 0, 0)],
        50,
        &[14, 0],
        &[86, 0],
        &[false, false],
    );
    // Envoy's comment: 10/20/10 percent healthy, 20/10/0 degraded.
    let rows = [(1, 2, 11, 0), (2, 1, 11, 0), (1, 0, 13, 0)];
    check(&rows, 0, &[16, 28, 14], &[28, 14, 0], &[false; 3]);
}

#[test]
fn excluded_hosts_do_not_count() {
    check(
        &[(1, 0, 0, 9), (1, 0, 0, 0)],
        50,
        &[100, 0],
        &[0, 0],
        &[false, false],
    );
    check(
        &[(1, 0, 1, 8), (1, 0, 0, 0)],
        50,
        &[70, 30],
        &[0, 0],
        &[false, false],
    );
}

#[test]
fn weight_counts_where_asked() {
    let provisioning = Provisioning {
        weighted_priority_health: true,
        overprovisioning_factor: 100,
    };
    let set = host_set(0, (1, 0, 1, 0), provisioning);
    set.hosts()[0].set_weight(3);
    assert_eq!(set.availability(), (75, 0));
}

#[test]
fn localities_are_in_order() {
    let of = |zone: &str| {
        let locality = Locality {
            zone: zone.into(),
            ..Locality::default()
        };
        Host::new(HostSpec {
            locality: locality.into(),
            ..HostSpec::new(Address::Pipe(zone.into()))
        })
    };
    let hosts = vec![of("b"), of("a"), of("b")];
    let weights = BTreeMap::from([(Arc::clone(hosts[0].locality()), 7)]);
    let set = HostSet::new(0, hosts, &weights, Provisioning::default());
    let localities = set.localities().iter();
    let seen: Vec<_> = localities
        .map(|l| (l.locality.zone.as_str(), l.weight, l.lists.all.len()))
        .collect();
    assert_eq!(seen, [("a", 0, 1), ("b", 7, 2)]);
}

#[test]
fn every_percent_falls_on_a_priority() {
    let load = PriorityLoad {
        healthy: vec![50, 20],
        degraded: vec![0, 30],
    };
    let mut seen = [0; 3];
    for random in 0..1000 {
        seen[match load.choose(random) {
            (0, Availability::Healthy) => 0,
            (1, Availability::Healthy) => 1,
            (1, Availability::Degraded) => 2,
            other => panic!("{other:?}"),
        }] += 1;
    }
    assert_eq!(seen, [500, 200, 300]);
}
