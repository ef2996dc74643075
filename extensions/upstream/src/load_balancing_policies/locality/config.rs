//! `LocalityLbConfig`, which all policies share.

// Envoy still reads its deprecated fields; so does this.
#![allow(deprecated)]

use nuncio_proto::envoy::extensions::load_balancing_policies::common::v3 as proto;
use nuncio_upstream::lb::source::LocalitySettings;
use nuncio_upstream::lb::zone::ZoneSettings;
use proto::locality_lb_config::zone_aware_lb_config::LocalityBasis;
use proto::locality_lb_config::{LocalityConfigSpecifier, ZoneAwareLbConfig};

/// Converts how localities count.
pub fn settings(proto: Option<proto::LocalityLbConfig>) -> LocalitySettings {
    let default = LocalitySettings::default();
    match proto.and_then(|proto| proto.locality_config_specifier) {
        None => default,
        Some(LocalityConfigSpecifier::LocalityWeightedLbConfig(_)) => LocalitySettings {
            weighted: true,
            ..default
        },
        Some(LocalityConfigSpecifier::ZoneAwareLbConfig(zone)) => LocalitySettings {
            weighted: false,
            fail_traffic_on_panic: zone.fail_traffic_on_panic,
            zones: zones(&zone),
        },
    }
}

fn zones(proto: &ZoneAwareLbConfig) -> ZoneSettings {
    let default = ZoneSettings::default();
    let percent = proto.routing_enabled.as_ref();
    let forced = proto.force_local_zone.as_ref();
    ZoneSettings {
        routing_enabled: percent.map_or(default.routing_enabled, |percent| {
            percent.value.round() as u64
        }),
        min_cluster_size: proto
            .min_cluster_size
            .map_or(default.min_cluster_size, |size| size.value),
        force_local_zone: forced
            .map(|zone| zone.min_size.map_or(1, |size| size.value))
            .or(proto.force_locality_direct_routing.then_some(1)),
        by_weight: proto.locality_basis() == LocalityBasis::HealthyHostsWeight,
    }
}
