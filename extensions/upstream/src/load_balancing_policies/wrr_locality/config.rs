//! `WrrLocality`: every field is converted, or refused by its name.

use crate::load_balancing_policies::client_side_weighted_round_robin::{
    ClientSideWeightedRoundRobin, Policy as EndpointPolicy, settings,
};
use nuncio_extension::{LoadBalancerExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::load_balancing_policies::wrr_locality::v3 as proto;
use nuncio_upstream::LbSpec;
use nuncio_upstream::lb::source::LocalitySettings;
use std::sync::Arc;

/// The extension.
pub struct Policy;

impl LoadBalancerExtension for Policy {
    const NAME: &'static str = "envoy.load_balancing_policies.wrr_locality";
    type Proto = proto::WrrLocality;

    fn parse(&self, proto: proto::WrrLocality, cx: &mut ParseCx) -> Parsed<Arc<dyn LbSpec>> {
        let policies = proto.endpoint_picking_policy.unwrap_or_default().policies;
        let known = policies.into_iter().find_map(|policy| {
            let config = policy.typed_extension_config?.typed_config?;
            let factory = cx.env().registry.load_balancer(&config)?;
            Some((factory.name(), config))
        });
        let config = match known {
            Some((EndpointPolicy::NAME, config)) => config,
            Some(_) => {
                return Err(cx.error(
                    "Currently WrrLocalityLoadBalancer only supports \
                     ClientSideWeightedRoundRobinLoadBalancer as its endpoint picking policy.",
                ));
            }
            None => return Err(cx.error("No supported endpoint picking policy.")),
        };
        let settings = cx.field("endpoint_picking_policy", |cx| {
            let endpoint =
                cx.unpack::<<EndpointPolicy as LoadBalancerExtension>::Proto>(&config)?;
            settings(endpoint, cx)
        })?;
        Ok(Arc::new(ClientSideWeightedRoundRobin {
            name: Self::NAME,
            settings,
            locality: LocalitySettings {
                weighted: true,
                ..LocalitySettings::default()
            },
        }))
    }
}
