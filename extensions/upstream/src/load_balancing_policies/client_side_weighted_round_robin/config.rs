//! `ClientSideWeightedRoundRobin`: every field is converted, or refused by its name.

use super::weight::{Metric, Weighing};
use super::{ClientSideWeightedRoundRobin, Settings};
use crate::load_balancing_policies::slow_start;
use nuncio_config::duration;
use nuncio_extension::{LoadBalancerExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::load_balancing_policies::client_side_weighted_round_robin as csw;
use nuncio_proto::google::protobuf::Duration as DurationProto;
use nuncio_upstream::LbSpec;
use nuncio_upstream::lb::load_report::LoadReportPeriods;
use std::sync::Arc;
use std::time::Duration;

/// The shortest time between changes of weights.
const SHORTEST_UPDATE: Duration = Duration::from_millis(100);

/// The extension.
pub struct Policy;

impl LoadBalancerExtension for Policy {
    const NAME: &'static str = "envoy.load_balancing_policies.client_side_weighted_round_robin";
    type Proto = csw::v3::ClientSideWeightedRoundRobin;

    fn parse(&self, proto: Self::Proto, cx: &mut ParseCx) -> Parsed<Arc<dyn LbSpec>> {
        Ok(Arc::new(ClientSideWeightedRoundRobin {
            name: Self::NAME,
            settings: settings(proto, cx)?,
            locality: Default::default(),
        }))
    }
}

/// What reports are worth. How they would be fetched is of no effect where they aren't.
///
/// # Errors
/// Recorded in `cx`.
pub fn settings(
    proto: csw::v3::ClientSideWeightedRoundRobin,
    cx: &mut ParseCx,
) -> Parsed<Settings> {
    let out_of_band = proto.enable_oob_load_report.is_some_and(|on| on.value);
    cx.refuse("enable_oob_load_report", out_of_band)?;
    let mut period = |field, value: Option<DurationProto>, default| {
        let found = duration::optional(cx, field, value)?;
        Ok(found.unwrap_or(Duration::from_secs(default)))
    };
    let blackout = period("blackout_period", proto.blackout_period, 10)?;
    let expiration = period(
        "weight_expiration_period",
        proto.weight_expiration_period,
        180,
    )?;
    let update_period = period("weight_update_period", proto.weight_update_period, 1)?;
    let names = proto.metric_names_for_computing_utilization.iter();
    Ok(Settings {
        periods: LoadReportPeriods {
            blackout,
            expiration,
        },
        update_period: update_period.max(SHORTEST_UPDATE),
        weighing: Arc::new(Weighing {
            metrics: names.filter_map(|name| Metric::new(name)).collect(),
            // Envoy's documentation speaks of another default than the one it has.
            error_penalty: proto
                .error_utilization_penalty
                .map_or(0.0, |penalty| penalty.value.into()),
            ..Weighing::default()
        }),
        slow_start: slow_start::settings(cx, proto.slow_start_config)?,
    })
}
