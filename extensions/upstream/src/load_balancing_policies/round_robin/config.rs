//! `RoundRobin`: every field is converted, or refused by its name.

use super::RoundRobin;
use crate::load_balancing_policies::{locality, slow_start};
use nuncio_extension::{LoadBalancerExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::load_balancing_policies::round_robin::v3 as proto;
use nuncio_upstream::LbSpec;
use std::sync::Arc;

/// The extension.
pub struct Policy;

impl LoadBalancerExtension for Policy {
    const NAME: &'static str = "envoy.load_balancing_policies.round_robin";
    type Proto = proto::RoundRobin;

    fn parse(&self, proto: proto::RoundRobin, cx: &mut ParseCx) -> Parsed<Arc<dyn LbSpec>> {
        let slow_start = slow_start::settings(cx, proto.slow_start_config)?;
        let locality = locality::settings(proto.locality_lb_config);
        Ok(Arc::new(RoundRobin {
            locality,
            slow_start,
        }))
    }
}
