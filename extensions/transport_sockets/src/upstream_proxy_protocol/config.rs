//! Protos to [`ProxyProtocolSpec`].

use super::factory::{ProxyProtocolSpec, Version};
use nuncio_config::cluster_transport::transport_socket;
use nuncio_config::proxy_protocol::{passed_tlvs, tlv};
use nuncio_extension::transport_socket::UpstreamSocketCx;
use nuncio_extension::{ParseCx, Parsed, UpstreamSocketExtension};
use nuncio_net::UpstreamSocketFactory;
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::envoy::extensions::transport_sockets::proxy_protocol::v3 as proto;
use std::sync::Arc;

/// The extension.
pub struct UpstreamProxyProtocol;

impl UpstreamSocketExtension for UpstreamProxyProtocol {
    const NAME: &'static str = "envoy.transport_sockets.upstream_proxy_protocol";
    type Proto = proto::ProxyProtocolUpstreamTransport;

    fn parse(
        &self,
        proto: Self::Proto,
        cluster: &UpstreamSocketCx,
        cx: &mut ParseCx,
    ) -> Parsed<Option<Arc<dyn UpstreamSocketFactory>>> {
        let proto::ProxyProtocolUpstreamTransport {
            config,
            transport_socket: inner,
            // Addresses of no family are passed on as such anyway.
            allow_unspecified_address: _,
            // Envoy 1.40 shares connections all the same.
            tlv_as_pool_key: _,
        } = proto;
        let config = config.unwrap_or_default();
        let version = match config.version() {
            core::proxy_protocol_config::Version::V1 => Version::V1,
            core::proxy_protocol_config::Version::V2 => Version::V2,
        };
        let added = cx.field("config", |cx| cx.list("added_tlvs", config.added_tlvs, tlv));
        let inner = cx.required("transport_socket", inner, |cx, inner| {
            transport_socket(cx, &inner, cluster)
        });
        Ok(Some(Arc::new(ProxyProtocolSpec {
            version,
            passed: passed_tlvs(config.pass_through_tlvs),
            added: added?.into(),
            inner: inner?,
        })))
    }
}
