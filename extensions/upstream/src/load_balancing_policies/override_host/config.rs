//! `OverrideHost`: every field is converted, or refused by its name.

use super::{Names, OverrideHosts};
use nuncio_base::HeaderName;
use nuncio_config::common::metadata_key;
use nuncio_config::lb_policy::of_list;
use nuncio_extension::{LoadBalancerExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::load_balancing_policies::override_host::v3 as proto;
use nuncio_upstream::LbSpec;
use proto::override_host::OverrideHostSource;
use std::sync::Arc;

/// The extension.
pub struct Policy;

impl LoadBalancerExtension for Policy {
    const NAME: &'static str = "envoy.load_balancing_policies.override_host";
    type Proto = proto::OverrideHost;

    fn parse(&self, proto: proto::OverrideHost, cx: &mut ParseCx) -> Parsed<Arc<dyn LbSpec>> {
        let names = cx.list("override_host_sources", proto.override_host_sources, source)?;
        let selected = cx.optional("selected_host_key", proto.selected_host_key, metadata_key)?;
        let fallback = cx.required("fallback_policy", proto.fallback_policy, |cx, policy| {
            of_list(cx, "dynamic forwarding LB", &policy)
        })?;
        Ok(Arc::new(OverrideHosts {
            names,
            selected,
            fallback,
        }))
    }
}

fn source(cx: &mut ParseCx, proto: OverrideHostSource) -> Parsed<Names> {
    match (proto.header.as_str(), proto.metadata) {
        ("", None) => Err(cx.error("Empty override source")),
        ("", Some(key)) => {
            let key = cx.field("metadata", |cx| metadata_key(cx, key))?;
            Ok(Names::Metadata(key))
        }
        (header, None) => Ok(Names::Header(HeaderName::new(header))),
        (_, Some(_)) => Err(cx.error("Only one override source must be set")),
    }
}
