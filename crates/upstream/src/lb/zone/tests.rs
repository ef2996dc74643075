//! What goes where, by the shares of two clusters' hosts over the zones.

use super::*;
use crate::health::HealthFlag;
use crate::host::HostSpec;
use nuncio_base::address::Address;
use nuncio_stats::Store;
use nuncio_worker::run_main;
use std::collections::BTreeMap;

/// Hosts of each zone: healthy, unhealthy, the weight of each.
type Row = (&'static str, usize, usize, u32);

fn locality(zone: &str) -> Locality {
    Locality {
        zone: zone.into(),
        ..Locality::default()
    }
}

/// Seen from zone `b`.
fn set(rows: &[Row]) -> HostSet {
    let host = |zone: &str, weight, health_flags| {
        Host::new(HostSpec {
            locality: locality(zone).into(),
            weight,
            health_flags,
            ..HostSpec::new(Address::Pipe("/x".into()))
        })
    };
    let mut hosts = Vec::new();
    for (zone, healthy, unhealthy, weight) in rows {
        let failed = HealthFlag::FailedEdsHealth as u32;
        hosts.extend((0..*healthy).map(|_| host(zone, *weight, 0)));
        hosts.extend((0..*unhealthy).map(|_| host(zone, *weight, failed)));
    }
    let set = HostSet::new(0, hosts, &BTreeMap::new(), Default::default());
    set.local_first(&locality("b"))
}

fn route(settings: ZoneSettings, upstream: &[Row], local: &[Row]) -> Route {
    let (upstream, local) = (set(upstream), set(local));
    settings.route(&upstream, &local, &RuntimeFlags::default())
}

#[test]
fn the_own_zone_comes_first() {
    let set = set(&[("a", 1, 0, 1), ("b", 1, 0, 1), ("c", 1, 0, 1)]);
    let zones = set
        .localities()
        .iter()
        .map(|one| one.locality.zone.as_str());
    assert_eq!(zones.collect::<Vec<_>>(), ["b", "a", "c"]);
    assert!(set.has_local_locality());
}

#[test]
fn traffic_stays_as_far_as_the_own_zone_carries_it() {
    let any = ZoneSettings {
        min_cluster_size: 1,
        ..ZoneSettings::default()
    };
    let half: &[Row] = &[("a", 1, 0, 1), ("b", 1, 0, 1)];
    let shared = |own, spare: &[u64]| Route::Shared {
        own,
        spare: spare.to_vec(),
    };
    let cases: &[(&[Row], &[Row], Route)] = &[
        (half, half, Route::OwnZone),
        // Fewer than two zones, of either; none here.
        (&[("b", 9, 0, 1)], half, Route::AnyZone),
        (half, &[("b", 9, 0, 1)], Route::AnyZone),
        (half, &[("a", 1, 0, 1), ("c", 1, 0, 1)], Route::AnyZone),
        // A quarter of the hosts for half of the traffic.
        (
            &[("a", 3, 0, 1), ("b", 1, 0, 1)],
            half,
            shared(5000, &[0, 2500]),
        ),
        (
            &[
                ("a", 1, 0, 1),
                ("b", 1, 0, 1),
                ("c", 2, 0, 1),
                ("d", 1, 0, 1),
            ],
            &[("a", 4, 0, 1), ("b", 4, 0, 1), ("c", 2, 0, 1)],
            shared(5000, &[0, 0, 2000, 4000]),
        ),
        // Nothing here, or nothing healthy: all of it goes elsewhere.
        (
            &[("a", 1, 0, 1), ("c", 1, 0, 1)],
            half,
            shared(0, &[0, 5000]),
        ),
        (
            &[("a", 2, 0, 1), ("b", 0, 2, 1)],
            half,
            shared(0, &[0, 5000]),
        ),
    ];
    for (upstream, local, expected) in cases {
        assert_eq!(
            route(any, upstream, local),
            *expected,
            "{upstream:?} {local:?}"
        );
    }
    assert_eq!(route(ZoneSettings::default(), half, half), Route::AnyZone);
    let forced = ZoneSettings {
        force_local_zone: Some(1),
        ..any
    };
    let few: &[Row] = &[("a", 9, 0, 1), ("b", 1, 0, 1)];
    assert_eq!(route(forced, few, half), Route::OwnZone);
    let by_weight = ZoneSettings {
        by_weight: true,
        ..any
    };
    let heavy: &[Row] = &[("a", 3, 0, 1), ("b", 1, 0, 3)];
    assert_eq!(route(by_weight, heavy, half), Route::OwnZone);
}

#[test]
fn what_is_spare_elsewhere_is_shared_in_proportion() {
    run_main(async |worker| {
        let store = Store::default();
        let stats = store.root().group::<ClusterLbStats>().local();
        let choose = |own, spare: &[u64]| {
            let spare = spare.to_vec();
            let mut counts = vec![0_u32; spare.len()];
            let route = Route::Shared { own, spare };
            for _ in 0..10_000 {
                counts[worker.with_random(|random| route.choose(random, &stats))] += 1;
            }
            counts
                .iter()
                .map(|count| (count + 50) / 100)
                .collect::<Vec<_>>()
        };
        let near = |got: Vec<u32>, expected: [u32; 3]| {
            let both = got.iter().zip(expected);
            assert!(both.clone().all(|(a, b)| a.abs_diff(b) <= 3), "{got:?}");
        };
        near(choose(5000, &[0, 1000, 4000]), [50, 13, 38]);
        near(choose(0, &[0, 0, 10]), [0, 0, 100]);
        near(choose(0, &[0, 0, 0]), [33, 33, 33]);
    })
    .unwrap();
}
