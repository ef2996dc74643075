//! The configuration, which has no fields.

use super::filter::SniClusterFactory;
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{NetworkFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::network::sni_cluster::v3::SniCluster as Proto;

/// The extension.
pub struct SniCluster;

impl NetworkFilterExtension for SniCluster {
    const NAME: &'static str = "envoy.filters.network.sni_cluster";
    type Proto = Proto;
    type Spec = SniClusterFactory;

    fn parse(
        &self,
        proto: Proto,
        _listener: &NetworkFilterCx,
        _cx: &mut ParseCx,
    ) -> Parsed<SniClusterFactory> {
        let Proto {} = proto;
        Ok(SniClusterFactory)
    }
}
