//! `forward_client_cert_details`, `set_current_client_cert_details`.

use nuncio_http::conn_manager::{ClientCertDetails, ForwardClientCert};
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3 as proto;
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager as nested;

/// Converts what becomes of `x-forwarded-client-cert`.
pub fn forward_client_cert(proto: &proto::HttpConnectionManager) -> ForwardClientCert {
    use nested::ForwardClientCertDetails as Mode;
    let details = proto.set_current_client_cert_details.unwrap_or_default();
    let details = ClientCertDetails {
        cert: details.cert,
        chain: details.chain,
        subject: details.subject.is_some_and(|value| value.value),
        uri: details.uri,
        dns: details.dns,
        issuer: details.issuer,
        json: details.format() == nested::ForwardClientCertFormat::Json,
    };
    match proto.forward_client_cert_details() {
        Mode::Sanitize => ForwardClientCert::Sanitize,
        Mode::ForwardOnly => ForwardClientCert::ForwardOnly,
        Mode::AlwaysForwardOnly => ForwardClientCert::AlwaysForwardOnly,
        Mode::AppendForward => ForwardClientCert::AppendForward(details),
        Mode::SanitizeSet => ForwardClientCert::SanitizeSet(details),
    }
}
