//! Protos to [`InternalUpstreamSpec`].

use super::socket::{InternalUpstreamSpec, Kind, Source};
use nuncio_config::cluster_transport::transport_socket;
use nuncio_extension::transport_socket::UpstreamSocketCx;
use nuncio_extension::{ParseCx, Parsed, UpstreamSocketExtension};
use nuncio_net::UpstreamSocketFactory;
use nuncio_proto::envoy::extensions::transport_sockets::internal_upstream::v3 as proto;
use nuncio_proto::envoy::r#type::metadata::v3::metadata_kind;
use std::sync::Arc;

/// The extension.
pub struct InternalUpstream;

impl UpstreamSocketExtension for InternalUpstream {
    const NAME: &'static str = "envoy.transport_sockets.internal_upstream";
    type Proto = proto::InternalUpstreamTransport;

    fn parse(
        &self,
        proto: Self::Proto,
        cluster: &UpstreamSocketCx,
        cx: &mut ParseCx,
    ) -> Parsed<Option<Arc<dyn UpstreamSocketFactory>>> {
        let proto::InternalUpstreamTransport {
            passthrough_metadata,
            transport_socket: inner,
        } = proto;
        let sources = cx.list("passthrough_metadata", passthrough_metadata, source);
        let inner = cx.required("transport_socket", inner, |cx, inner| {
            transport_socket(cx, &inner, cluster)
        });
        let scope = cluster.cluster_scope.scope("internal_upstream");
        Ok(Some(Arc::new(InternalUpstreamSpec {
            sources: sources?.into(),
            cluster_metadata: cluster.metadata.clone(),
            inner: inner?,
            stats: scope.group(),
        })))
    }
}

fn source(
    cx: &mut ParseCx,
    proto: proto::internal_upstream_transport::MetadataValueSource,
) -> Parsed<Source> {
    let kind = match proto.kind.unwrap_or_default().kind {
        Some(metadata_kind::Kind::Host(_)) => Kind::Host,
        Some(metadata_kind::Kind::Cluster(_)) => Kind::Cluster,
        Some(metadata_kind::Kind::Request(_)) => return Err(unsupported(cx, "request")),
        Some(metadata_kind::Kind::Route(_)) => return Err(unsupported(cx, "route")),
        None => return Err(cx.error_at("kind", "field: 'kind', reason: is required")),
    };
    let name = proto.name;
    Ok(Source { kind, name })
}

fn unsupported(cx: &mut ParseCx, kind: &str) -> nuncio_extension::Invalid {
    cx.error_at("kind", format!("metadata type is not supported: {kind}"))
}
