//! The configuration.

use super::filter::{FilterSpec, NotFoundStats, RootStats, VersionStats};
use nuncio_extension::{ListenerFilterExtension, ParseCx, Parsed};
use nuncio_listener::ListenerFilterFactory;
use nuncio_proto::envoy::config::core::v3::proxy_protocol_config::Version;
use nuncio_proto::envoy::extensions::filters::listener::proxy_protocol::v3::ProxyProtocol as Proto;
use std::sync::Arc;

/// The extension.
pub struct ProxyProtocol;

impl ListenerFilterExtension for ProxyProtocol {
    const NAME: &'static str = "envoy.filters.listener.proxy_protocol";
    type Proto = Proto;

    fn parse(&self, proto: Proto, cx: &mut ParseCx) -> Parsed<Arc<dyn ListenerFilterFactory>> {
        let refused = cx
            .refuse("rules", !proto.rules.is_empty())
            .and(cx.refuse("pass_through_tlvs", proto.pass_through_tlvs.is_some()));
        refused?;
        // `tlv_location` only says where what the rules keep goes.
        let allows = |version: Version| !proto.disallowed_versions.contains(&(version as i32));
        let (allows_v1, allows_v2) = (allows(Version::V1), allows(Version::V2));
        if !allows_v1 && !allows_v2 {
            return Err(cx.error_at(
                "disallowed_versions",
                "Proxy Protocol filter is misconfigured: all proxy protocol versions are disallowed.",
            ));
        }
        let root = cx.env().store.root();
        let mut scope = root.scope("proxy_proto");
        if !proto.stat_prefix.is_empty() {
            scope = scope.scope(&proto.stat_prefix);
        }
        let versions = scope.scope("versions");
        Ok(Arc::new(FilterSpec {
            allows_v1,
            allows_v2,
            is_optional: proto.allow_requests_without_proxy_protocol,
            root: root.group::<RootStats>(),
            not_found: scope.group::<NotFoundStats>(),
            v1: versions.scope("v1").group::<VersionStats>(),
            v2: versions.scope("v2").group::<VersionStats>(),
        }))
    }
}
