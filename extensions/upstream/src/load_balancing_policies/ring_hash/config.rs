//! `RingHash`: every field is converted, or refused by its name.

// Envoy still reads its deprecated fields; so does this.
#![allow(deprecated)]

use super::{HashFunction, RingHash};
use crate::load_balancing_policies::hashing::settings;
use nuncio_extension::{LoadBalancerExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::load_balancing_policies::common::v3::ConsistentHashingLbConfig;
use nuncio_proto::envoy::extensions::load_balancing_policies::ring_hash::v3 as proto;
use nuncio_upstream::LbSpec;
use proto::ring_hash::HashFunction as Function;
use std::sync::Arc;

const SMALLEST: u64 = 1024;
const LARGEST: u64 = 8 * 1024 * 1024;

/// The extension.
pub struct Policy;

impl LoadBalancerExtension for Policy {
    const NAME: &'static str = "envoy.load_balancing_policies.ring_hash";
    type Proto = proto::RingHash;

    fn parse(&self, proto: proto::RingHash, cx: &mut ParseCx) -> Parsed<Arc<dyn LbSpec>> {
        let function = match proto.hash_function() {
            Function::DefaultHash | Function::XxHash => HashFunction::XxHash,
            Function::MurmurHash2 => HashFunction::MurmurHash2,
        };
        let smallest = proto.minimum_ring_size.map_or(SMALLEST, |size| size.value);
        let largest = proto.maximum_ring_size.map_or(LARGEST, |size| size.value);
        if smallest > largest {
            let message = format!(
                "ring hash: minimum_ring_size ({smallest}) > maximum_ring_size ({largest})"
            );
            return Err(cx.error_at("minimum_ring_size", message));
        }
        // The older place counts where there is no newer one.
        let older = ConsistentHashingLbConfig {
            use_hostname_for_hashing: proto.use_hostname_for_hashing,
            hash_balance_factor: proto.hash_balance_factor,
            ..Default::default()
        };
        let consistent = proto.consistent_hashing_lb_config.unwrap_or(older);
        let settings = settings(cx, Some(consistent), proto.locality_weighted_lb_config)?;
        Ok(Arc::new(RingHash {
            settings,
            function,
            size: (smallest, largest),
        }))
    }
}
