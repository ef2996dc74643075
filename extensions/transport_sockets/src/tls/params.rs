//! What a TLS context can agree on: versions, cipher suites and groups.

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CipherSuite, NamedGroup, SignatureScheme, SupportedProtocolVersion, version};
use std::sync::Arc;

/// What may be agreed on.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsParams {
    /// Whether TLS 1.2 may.
    pub tls12: bool,
    /// Whether TLS 1.3 may.
    pub tls13: bool,
    /// Suites of TLS 1.2 in order of preference, of which some are equals; those of TLS 1.3 can't
    /// be chosen, as in Envoy.
    pub cipher_suites: Vec<Vec<CipherSuite>>,
    /// Key exchange groups, in order of preference.
    pub groups: Vec<NamedGroup>,
    /// What both sides may sign with, in order of preference; none for whatever there is.
    pub schemes: Vec<SignatureScheme>,
}

impl TlsParams {
    /// What Envoy has where the config says nothing.
    pub fn default_suites() -> Vec<Vec<CipherSuite>> {
        vec![
            vec![
                CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            ],
            vec![
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            ],
            vec![CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384],
            vec![CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384],
        ]
    }

    /// The suites of TLS 1.2 for a client that offers these: its order counts among equals.
    pub fn suites_for(&self, offered: &[u16]) -> Vec<CipherSuite> {
        let place = |suite: &CipherSuite| {
            let mut offered = offered.iter();
            offered
                .position(|one| *one == u16::from(*suite))
                .unwrap_or(usize::MAX)
        };
        let mut suites = self.cipher_suites.clone();
        for equals in suites.iter_mut().filter(|equals| equals.len() > 1) {
            equals.sort_by_key(place);
        }
        suites.concat()
    }

    /// What Envoy has where the config says nothing.
    pub fn default_groups() -> Vec<NamedGroup> {
        vec![NamedGroup::X25519, NamedGroup::secp256r1]
    }

    /// What peers may sign with.
    pub fn peer_schemes(&self) -> Vec<SignatureScheme> {
        match self.schemes.as_slice() {
            [] => aws_lc_rs::default_provider()
                .signature_verification_algorithms
                .supported_schemes(),
            schemes => schemes.to_vec(),
        }
    }

    /// The versions.
    pub fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let tls12 = self.tls12.then_some(&version::TLS12);
        let tls13 = self.tls13.then_some(&version::TLS13);
        tls13.into_iter().chain(tls12).collect()
    }

    /// The algorithms for rustls.
    pub fn provider(&self) -> Arc<CryptoProvider> {
        self.provider_of(&self.cipher_suites.concat())
    }

    /// The same with the suites of TLS 1.2 in another order.
    pub fn provider_of(&self, suites: &[CipherSuite]) -> Arc<CryptoProvider> {
        let all = aws_lc_rs::ALL_CIPHER_SUITES;
        let tls13 = all
            .iter()
            .filter(|suite| self.tls13 && suite.tls13().is_some());
        let tls12 = suites
            .iter()
            .filter(|_| self.tls12)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_order_equals() {
        use CipherSuite as Suite;
        let (aes, chacha) = (
            Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        );
        let last = Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384;
        let params = TlsParams {
            tls12: true,
            tls13: false,
            cipher_suites: vec![vec![aes, chacha], vec![last]],
            groups: TlsParams::default_groups(),
            schemes: Vec::new(),
        };
        for (offered, expected) in [
            (vec![aes, chacha, last], [aes, chacha, last]),
            (vec![last, chacha, aes], [chacha, aes, last]),
            (vec![chacha], [chacha, aes, last]),
            (vec![], [aes, chacha, last]),
        ] {
            let offered: Vec<_> = offered.into_iter().map(u16::from).collect();
            assert_eq!(params.suites_for(&offered), expected);
        }
        let suites = &params.provider().cipher_suites;
        assert!(suites.iter().all(|suite| suite.tls13().is_none()));
    }
}
