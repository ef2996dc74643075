//! `Maglev`: every field is converted, or refused by its name.

use super::Maglev;
use crate::load_balancing_policies::hashing::settings;
use nuncio_extension::{LoadBalancerExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::load_balancing_policies::maglev::v3 as proto;
use nuncio_upstream::LbSpec;
use std::sync::Arc;

const DEFAULT_SIZE: u64 = 65537;

/// The extension.
pub struct Policy;

impl LoadBalancerExtension for Policy {
    const NAME: &'static str = "envoy.load_balancing_policies.maglev";
    type Proto = proto::Maglev;

    fn parse(&self, proto: proto::Maglev, cx: &mut ParseCx) -> Parsed<Arc<dyn LbSpec>> {
        let proto::Maglev {
            table_size,
            consistent_hashing_lb_config,
            locality_weighted_lb_config,
        } = proto;
        let size = table_size.map_or(DEFAULT_SIZE, |size| size.value);
        if !is_prime(size) {
            let message = "The table size of maglev must be prime number";
            return Err(cx.error_at("table_size", message));
        }
        let settings = settings(
            cx,
            consistent_hashing_lb_config,
            locality_weighted_lb_config,
        )?;
        Ok(Arc::new(Maglev { settings, size }))
    }
}

fn is_prime(number: u64) -> bool {
    let mut divisors = (2..).take_while(|divisor| divisor * divisor <= number);
    number > 1 && divisors.all(|divisor| !number.is_multiple_of(divisor))
}
