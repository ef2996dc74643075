//! `LeastRequest`: every field is converted, or refused by its name.

// Envoy still reads its deprecated fields; so does this.
#![allow(deprecated)]

use super::{Compare, LeastRequest, RequestBias};
use crate::load_balancing_policies::{locality, slow_start};
use nuncio_extension::{LoadBalancerExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::load_balancing_policies::least_request::v3 as proto;
use nuncio_upstream::LbSpec;
use proto::least_request::SelectionMethod;
use std::num::NonZeroU32;
use std::sync::Arc;

/// The extension.
pub struct Policy;

impl LoadBalancerExtension for Policy {
    const NAME: &'static str = "envoy.load_balancing_policies.least_request";
    type Proto = proto::LeastRequest;

    fn parse(&self, proto: proto::LeastRequest, cx: &mut ParseCx) -> Parsed<Arc<dyn LbSpec>> {
        let slow_start = slow_start::settings(cx, proto.slow_start_config.clone())?;
        let bias = proto.active_request_bias.as_ref();
        let bias = bias.map_or_else(RequestBias::default, |bias| RequestBias {
            value: bias.default_value,
            runtime_key: bias.runtime_key.as_str().into(),
        });
        let all = proto
            .enable_full_scan
            .as_ref()
            .is_some_and(|value| value.value)
            || proto.selection_method() == SelectionMethod::FullScan;
        let choices = proto
            .choice_count
            .as_ref()
            .and_then(|count| NonZeroU32::new(count.value));
        let compare = match choices {
            _ if all => Compare::All,
            Some(count) => Compare::Choices(count),
            None => Compare::default(),
        };
        let locality = locality::settings(proto.locality_lb_config);
        Ok(Arc::new(LeastRequest {
            locality,
            slow_start,
            compare,
            active_request_bias: bias,
        }))
    }
}
