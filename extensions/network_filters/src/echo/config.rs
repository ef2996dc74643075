//! The configuration, which has no fields.

use super::filter::EchoFactory;
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{NetworkFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::network::echo::v3::Echo as Proto;

/// The extension.
pub struct Echo;

impl NetworkFilterExtension for Echo {
    const NAME: &'static str = "envoy.filters.network.echo";
    const TERMINAL: bool = true;
    type Proto = Proto;
    type Spec = EchoFactory;

    fn parse(
        &self,
        proto: Proto,
        _listener: &NetworkFilterCx,
        _cx: &mut ParseCx,
    ) -> Parsed<EchoFactory> {
        let Proto {} = proto;
        Ok(EchoFactory)
    }
}
