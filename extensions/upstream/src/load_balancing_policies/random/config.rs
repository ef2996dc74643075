//! `Random`: every field is converted, or refused by its name.

use super::Random;
use crate::load_balancing_policies::locality;
use nuncio_extension::{LoadBalancerExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::load_balancing_policies::random::v3 as proto;
use nuncio_upstream::LbSpec;
use std::sync::Arc;

/// The extension.
pub struct Policy;

impl LoadBalancerExtension for Policy {
    const NAME: &'static str = "envoy.load_balancing_policies.random";
    type Proto = proto::Random;

    fn parse(&self, proto: proto::Random, _: &mut ParseCx) -> Parsed<Arc<dyn LbSpec>> {
        let locality = locality::settings(proto.locality_lb_config);
        Ok(Arc::new(Random { locality }))
    }
}
