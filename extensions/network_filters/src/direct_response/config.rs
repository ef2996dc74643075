//! The configuration.

use super::filter::DirectResponseFactory;
use nuncio_config::common::data_source;
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{NetworkFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::network::direct_response::v3::Config as Proto;

/// The extension.
pub struct DirectResponse;

impl NetworkFilterExtension for DirectResponse {
    const NAME: &'static str = "envoy.filters.network.direct_response";
    const TERMINAL: bool = true;
    type Proto = Proto;
    type Spec = DirectResponseFactory;

    fn parse(
        &self,
        proto: Proto,
        _listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<DirectResponseFactory> {
        let Proto { response } = proto;
        let response = cx.optional("response", response, data_source)?;
        Ok(DirectResponseFactory::new(
            response.unwrap_or_default().into(),
        ))
    }
}
