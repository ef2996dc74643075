//! `forward_client_cert_details`, `set_current_client_cert_details`.

use nuncio_extension::{ParseCx, Parsed};
use nuncio_http::conn_manager::{ClientCertDetails, ForwardClientCert};
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3 as proto;
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager as nested;

/// Converts what becomes of `x-forwarded-client-cert`.
///
/// # Errors
/// Details that are not built.
pub fn forward_client_cert(
    cx: &mut ParseCx,
    proto: &proto::HttpConnectionManager,
) -> Parsed<ForwardClientCert> {
    use nested::ForwardClientCertDetails as Mode;
    let details = proto.set_current_client_cert_details.unwrap_or_default();
    cx.field("set_current_client_cert_details", |cx| {
        cx.refuse("issuer", details.issuer)
            .and(cx.refuse("format", details.format != 0))
    })?;
    let details = ClientCertDetails {
        cert: details.cert,
        chain: details.chain,
        subject: details.subject.is_some_and(|value| value.value),
        uri: details.uri,
        dns: details.dns,
    };
    Ok(match proto.forward_client_cert_details() {
        Mode::Sanitize => ForwardClientCert::Sanitize,
        Mode::ForwardOnly => ForwardClientCert::ForwardOnly,
        Mode::AlwaysForwardOnly => ForwardClientCert::AlwaysForwardOnly,
        Mode::AppendForward => ForwardClientCert::AppendForward(details),
        Mode::SanitizeSet => ForwardClientCert::SanitizeSet(details),
    })
}
