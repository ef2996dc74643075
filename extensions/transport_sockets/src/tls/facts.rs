//! What a finished handshake tells of a connection.

use super::certificate;
use super::names::{cipher_name, group_name, version_name};
use super::validation::{PeerSide, Validation};
use nuncio_stream_info::TlsInfo;
use rustls::CommonState;
use rustls::pki_types::UnixTime;
use std::sync::Arc;

/// What both sides tell alike; our certificate and the server's name are theirs to add.
pub fn tls_info(common: &CommonState, validation: &Validation, peer: PeerSide) -> TlsInfo {
    let chain = common.peer_certificates().unwrap_or_default();
    let suite = common.negotiated_cipher_suite();
    let group = common.negotiated_key_exchange_group();
    let validated = match chain.split_first() {
        None => false,
        // Whoever got here without being let in untrusted has passed.
        Some(_) if !validation.accept_untrusted => validation.asks(),
        Some(chain) => validation.verify(chain, peer, UnixTime::now(), &[]).is_ok(),
    };
    TlsInfo {
        version: common.protocol_version().map(version_name),
        cipher: suite.map(|suite| cipher_name(suite.suite())),
        group: group.map(|group| group_name(group.name())),
        alpn: common.alpn_protocol().map(Into::into),
        server_name: None,
        peer_certificate_presented: !chain.is_empty(),
        peer_certificate_validated: validated,
        local: None,
        peer: chain
            .iter()
            .filter_map(|der| certificate::read(der))
            .map(Arc::new)
            .collect(),
    }
}
