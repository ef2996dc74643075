//! What the service is asked and answers: `envoy.service.auth.v3.Authorization`.

use super::filter::ExtAuthzSpec;
use nuncio_base::metadata::Value;
use nuncio_config::authorization::{certificate, metadata, peer};
use nuncio_config::common::structure;
use nuncio_proto::Message;
use nuncio_proto::envoy::service::auth::v3 as proto;
use nuncio_proto::envoy::service::auth::v3::attribute_context::TlsSession;
use nuncio_stream_info::ConnectionInfo;

/// The method that is called.
pub(super) const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// What the service says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    Denied,
    Error,
}

/// The question about a connection.
pub(super) fn request(spec: &ExtAuthzSpec, connection: &ConnectionInfo) -> Vec<u8> {
    let tls = connection.tls.as_ref();
    let theirs = tls.and_then(|tls| tls.peer_certificate());
    let ours = tls.and_then(|tls| tls.local.as_deref());
    let mut source = peer(&connection.remote_address, theirs);
    if spec.include_peer_certificate {
        source.certificate = theirs.map(certificate).unwrap_or_default();
    }
    let known = connection.metadata.borrow();
    let server_name = connection.requested_server_name.as_deref();
    let request = proto::CheckRequest {
        attributes: Some(proto::AttributeContext {
            source: Some(source),
            destination: Some(peer(&connection.local_address, ours)),
            metadata_context: Some(metadata(&spec.metadata_namespaces, &[Some(&known)])),
            tls_session: spec.include_tls_session.then(|| TlsSession {
                sni: server_name.unwrap_or_default().to_owned(),
            }),
            ..proto::AttributeContext::default()
        }),
    };
    request.encode_to_vec()
}

/// The answer, and metadata that come with it.
pub(super) fn verdict(answer: &[u8]) -> (Verdict, Option<Value>) {
    let Ok(answer) = proto::CheckResponse::decode(answer) else {
        return (Verdict::Error, None);
    };
    let verdict = match answer.status.is_none_or(|status| status.code == 0) {
        true => Verdict::Ok,
        false => Verdict::Denied,
    };
    (verdict, answer.dynamic_metadata.map(structure))
}
