//! The configuration.

use super::filter::{FilterSpec, NotFoundStats, RootStats, VersionStats};
use super::kept::{Encoding, Kept, Location, Rule};
use nuncio_config::proxy_protocol::passed_tlvs;
use nuncio_extension::{ListenerFilterExtension, ParseCx, Parsed};
use nuncio_listener::ListenerFilterFactory;
use nuncio_proto::envoy::config::core::v3::proxy_protocol_config::Version;
use nuncio_proto::envoy::extensions::filters::listener::proxy_protocol::v3 as proto;
use proto::ProxyProtocol as Proto;
use proto::proxy_protocol::key_value_pair::ValueStringEncoding;
use proto::proxy_protocol::{Rule as RuleProto, TlvLocation};
use std::sync::Arc;

/// The extension.
pub struct ProxyProtocol;

impl ListenerFilterExtension for ProxyProtocol {
    const NAME: &'static str = "envoy.filters.listener.proxy_protocol";
    type Proto = Proto;

    fn parse(&self, proto: Proto, cx: &mut ParseCx) -> Parsed<Arc<dyn ListenerFilterFactory>> {
        let location = match proto.tlv_location() {
            TlvLocation::DynamicMetadata => Location::Metadata,
            TlvLocation::FilterState => Location::FilterState,
        };
        let passed = passed_tlvs(proto.pass_through_tlvs.clone());
        let rules = proto.rules.into_iter().filter_map(rule).collect();
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
            kept: Arc::new(Kept {
                rules,
                location,
                passed,
            }),
            is_optional: proto.allow_requests_without_proxy_protocol,
            root: root.group::<RootStats>(),
            not_found: scope.group::<NotFoundStats>(),
            v1: versions.scope("v1").group::<VersionStats>(),
            v2: versions.scope("v2").group::<VersionStats>(),
        }))
    }
}

/// A rule without a key keeps nothing, as in Envoy.
fn rule(proto: RuleProto) -> Option<Rule> {
    let pair = proto.on_tlv_present?;
    let encoding = match pair.value_string_encoding() {
        ValueStringEncoding::Unspecified | ValueStringEncoding::SanitizedUtf8 => Encoding::Text,
        ValueStringEncoding::Base64 => Encoding::Base64,
    };
    let namespace = match pair.metadata_namespace.as_str() {
        "" => ProxyProtocol::NAME,
        namespace => namespace,
    };
    Some(Rule {
        kind: u8::try_from(proto.tlv_type).ok()?,
        namespace: namespace.to_owned(),
        key: pair.key,
        encoding,
    })
}
