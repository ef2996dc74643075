//! The unified matcher's data inputs: protos to `nuncio_policy::Input`.

use crate::unknown_extension::unknown_extension;
use nuncio_base::HeaderName;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_policy::Input;
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::extensions::matching::common_inputs::network::v3 as network;
use nuncio_proto::envoy::r#type::matcher::v3 as http;
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::{Message, Name};

/// What there is to look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scene {
    /// A connection.
    Connection,
    /// A request.
    Request,
    /// A request and its response's headers.
    Response,
}

/// Where inputs of TLS are.
const SSL: &str = "envoy.extensions.matching.common_inputs.ssl.v3.";
/// Where inputs of connections are.
const NETWORK: &str = "envoy.extensions.matching.common_inputs.network.v3.";
/// Where inputs of requests are.
const HTTP: &str = "envoy.type.matcher.v3.";

/// An input by its configuration.
///
/// # Errors
/// An input that there is not, or not there.
pub fn match_input(cx: &mut ParseCx, name: &str, config: &Any, scene: Scene) -> Parsed<Input> {
    let kind = type_name(config);
    let found = if let Some(kind) = kind.strip_prefix(HTTP) {
        of_http(cx, kind, config, scene)?
    } else if let Some(kind) = kind.strip_prefix(NETWORK) {
        of_network(cx, kind, config)?
    } else if let Some(kind) = kind.strip_prefix(SSL) {
        match kind {
            "UriSanInput" => Some(Input::UriSan),
            "DnsSanInput" => Some(Input::DnsSan),
            "SubjectInput" => Some(Input::Subject),
            _ => None,
        }
    } else {
        None
    };
    found.ok_or_else(|| unknown_extension(cx, name, config))
}

fn of_http(cx: &mut ParseCx, kind: &str, config: &Any, scene: Scene) -> Parsed<Option<Input>> {
    let (request, response) = (scene != Scene::Connection, scene == Scene::Response);
    Ok(match kind {
        "HttpRequestHeaderMatchInput" if request => {
            let input: http::HttpRequestHeaderMatchInput = unpack(cx, config)?;
            Some(Input::RequestHeader(HeaderName::new(&input.header_name)))
        }
        "HttpResponseHeaderMatchInput" if response => {
            let input: http::HttpResponseHeaderMatchInput = unpack(cx, config)?;
            Some(Input::ResponseHeader(HeaderName::new(&input.header_name)))
        }
        "HttpRequestQueryParamMatchInput" if request => {
            let input: http::HttpRequestQueryParamMatchInput = unpack(cx, config)?;
            Some(Input::QueryParameter(input.query_param.into()))
        }
        "HttpResponseStatusCodeMatchInput" if response => Some(Input::StatusCode),
        "HttpResponseStatusCodeClassMatchInput" if response => Some(Input::StatusCodeClass),
        _ => None,
    })
}

fn of_network(cx: &mut ParseCx, kind: &str, config: &Any) -> Parsed<Option<Input>> {
    use network::dynamic_metadata_input::path_segment::Segment;
    Ok(match kind {
        "DestinationIPInput" => Some(Input::DestinationIp),
        "DestinationPortInput" => Some(Input::DestinationPort),
        "SourceIPInput" => Some(Input::SourceIp),
        "SourcePortInput" => Some(Input::SourcePort),
        "DirectSourceIPInput" => Some(Input::DirectSourceIp),
        "SourceTypeInput" => Some(Input::SourceType),
        "NetworkNamespaceInput" => Some(Input::NetworkNamespace),
        "ServerNameInput" => Some(Input::ServerName),
        "TransportProtocolInput" => Some(Input::TransportProtocol),
        "ApplicationProtocolInput" => Some(Input::ApplicationProtocol),
        "FilterStateInput" => {
            let network::FilterStateInput { key, field } = unpack(cx, config)?;
            let (key, field) = (key.into(), field.into());
            Some(Input::FilterState { key, field })
        }
        "DynamicMetadataInput" => {
            let network::DynamicMetadataInput { filter, path } = unpack(cx, config)?;
            let names = path.into_iter().filter_map(|segment| segment.segment);
            let names = names.map(|Segment::Key(key)| key.into());
            Some(Input::Metadata {
                filter: filter.into(),
                path: names.collect(),
            })
        }
        _ => None,
    })
}

fn unpack<T: Message + Name + Default>(cx: &mut ParseCx, config: &Any) -> Parsed<T> {
    cx.field("typed_config", |cx| cx.unpack(config))
}
