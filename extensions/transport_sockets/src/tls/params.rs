//! What a TLS context can agree on: versions, cipher suites and groups.

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CipherSuite, NamedGroup, SupportedProtocolVersion, version};
use std::sync::Arc;

/// What may be agreed on.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsParams {
    /// Whether TLS 1.2 may.
    pub tls12: bool,
    /// Whether TLS 1.3 may.
    pub tls13: bool,
    /// Suites of TLS 1.2, in order of preference; those of TLS 1.3 can't be chosen, as in Envoy.
    pub cipher_suites: Vec<CipherSuite>,
    /// Key exchange groups, in order of preference.
    pub groups: Vec<NamedGroup>,
}

impl TlsParams {
    /// What Envoy has where the config says nothing.
    pub fn default_suites() -> Vec<CipherSuite> {
        vec![
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ]
    }

    /// What Envoy has where the config says nothing.
    pub fn default_groups() -> Vec<NamedGroup> {
        vec![NamedGroup::X25519, NamedGroup::secp256r1]
    }

    /// The versions.
    pub fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let tls12 = self.tls12.then_some(&version::TLS12);
        let tls13 = self.tls13.then_some(&version::TLS13);
        tls13.into_iter().chain(tls12).collect()
    }

    /// The algorithms for rustls.
    pub fn provider(&self) -> Arc<CryptoProvider> {
        let all = aws_lc_rs::ALL_CIPHER_SUITES;
        let tls13 = all.iter().filter(|suite| suite.tls13().is_some());
        let tls12 = self
            .cipher_suites
            .iter()
            .filter_map(|wanted| all.iter().find(|suite| suite.suite() == *wanted));
        let groups = self.groups.iter().filter_map(|wanted| {
            let mut known = aws_lc_rs::ALL_KX_GROUPS.iter();
            known.find(|group| group.name() == *wanted).copied()
        });
        Arc::new(CryptoProvider {
            cipher_suites: tls13.chain(tls12).copied().collect(),
            kx_groups: groups.collect(),
            ..aws_lc_rs::default_provider()
        })
    }
}
