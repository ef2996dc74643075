//! `LocalityLbConfig`, which all policies share.

use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::extensions::load_balancing_policies::common::v3 as proto;
use nuncio_upstream::lb::source::LocalitySettings;
use proto::locality_lb_config::LocalityConfigSpecifier;

/// Converts how localities count.
///
/// # Errors
/// Recorded in `cx`.
pub fn settings(
    cx: &mut ParseCx,
    proto: Option<proto::LocalityLbConfig>,
) -> Parsed<LocalitySettings> {
    cx.field("locality_lb_config", |cx| {
        match proto.and_then(|proto| proto.locality_config_specifier) {
            None => Ok(LocalitySettings::default()),
            Some(LocalityConfigSpecifier::LocalityWeightedLbConfig(_)) => Ok(LocalitySettings {
                weighted: true,
                ..LocalitySettings::default()
            }),
            // Zone awareness needs a local cluster, which the bootstrap refuses; without one Envoy
            // too balances over all zones.
            Some(LocalityConfigSpecifier::ZoneAwareLbConfig(zone)) => {
                let fails = zone.fail_traffic_on_panic;
                cx.field("zone_aware_lb_config", |cx| {
                    cx.refuse("force_local_zone", zone.force_local_zone.is_some())
                })?;
                Ok(LocalitySettings {
                    fail_traffic_on_panic: fails,
                    ..LocalitySettings::default()
                })
            }
        }
    })
}
