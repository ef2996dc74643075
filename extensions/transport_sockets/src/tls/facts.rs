//! What a finished handshake tells of a connection.

use super::certificate;
use super::names::{cipher_name, group_name, version_name};
use super::validation::{Check, ExpectedNames, PeerSide, Validation, VerifyError};
use nuncio_stream_info::{CertificateInfo, TlsInfo};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, CommonState, Error};
use std::sync::Arc;

/// Which check the peer's certificate failed, where it was let in all the same.
pub fn failed_check(
    common: &CommonState,
    validation: &Validation,
    peer: PeerSide,
) -> Option<Check> {
    let chain = common.peer_certificates()?.split_first()?;
    if !validation.accept_untrusted {
        return None;
    }
    let verified = validation.verify(chain, peer, UnixTime::now(), ExpectedNames::default());
    verified.err().map(|error| error.check())
}

/// What both sides tell alike; our certificate and the server's name are theirs to add.
pub fn tls_info(common: &CommonState, validation: &Validation, failed: Option<Check>) -> TlsInfo {
    let chain = common.peer_certificates().unwrap_or_default();
    let suite = common.negotiated_cipher_suite();
    let group = common.negotiated_key_exchange_group();
    let validated = !chain.is_empty() && validation.asks() && failed.is_none();
    TlsInfo {
        version: common.protocol_version().map(version_name),
        cipher: suite.map(|suite| cipher_name(suite.suite())),
        group: group.map(|group| group_name(group.name())),
        alpn: common.alpn_protocol().map(Into::into),
        server_name: None,
        peer_certificate_presented: !chain.is_empty(),
        peer_certificate_validated: validated,
        local: None,
        peer: infos(chain),
    }
}

/// What is known of a client whose handshake failed. The version is BoringSSL's until one is
/// agreed on.
pub fn failure_info(common: Option<&CommonState>, error: &Error) -> TlsInfo {
    let chain = match error {
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            let refused = other.0.downcast_ref::<VerifyError>();
            refused.map(VerifyError::chain).unwrap_or_default()
        }
        _ => &[],
    };
    let version = common.and_then(CommonState::protocol_version);
    TlsInfo {
        version: Some(version.map_or("TLSv1.2", version_name)),
        peer_certificate_presented: !chain.is_empty(),
        peer: infos(chain),
        ..TlsInfo::default()
    }
}

fn infos(chain: &[CertificateDer<'_>]) -> Vec<Arc<CertificateInfo>> {
    let infos = chain.iter().filter_map(|der| certificate::read(der));
    infos.map(Arc::new).collect()
}
