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

    /// The suite of TLS 1.2 that a client gets which offers these, of those that are `usable`: its
    /// order counts among equals.
    pub fn agreed(
        &self,
        offered: &[u16],
        usable: impl Fn(CipherSuite) -> bool,
    ) -> Option<CipherSuite> {
        self.cipher_suites.iter().find_map(|equals| {
            let mut offered = offered.iter().map(|one| CipherSuite::from(*one));
            offered.find(|one| equals.contains(one) && usable(*one))
        })
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

    /// The same with one of the suites of TLS 1.2 before the others.
    pub fn provider_led_by(&self, first: CipherSuite) -> Arc<CryptoProvider> {
        let others = self.cipher_suites.concat().into_iter();
        let others = others.filter(|one| *one != first);
        self.provider_of(&[first].into_iter().chain(others).collect::<Vec<_>>())
    }

    fn provider_of(&self, suites: &[CipherSuite]) -> Arc<CryptoProvider> {
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

    use CipherSuite as Suite;

    const AES: Suite = Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    const CHACHA: Suite = Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
    const LONG: Suite = Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384;
    const RSA: Suite = Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;

    #[test]
    fn clients_order_equals() {
        let params = TlsParams {
            tls12: true,
            tls13: false,
            cipher_suites: vec![vec![AES, CHACHA, RSA], vec![LONG]],
            groups: TlsParams::default_groups(),
            schemes: Vec::new(),
        };
        for (offered, expected) in [
            (&[AES, CHACHA, LONG][..], Some(AES)),
            (&[LONG, CHACHA, AES], Some(CHACHA)),
            (&[RSA, CHACHA, AES], Some(CHACHA)),
            (&[RSA, LONG], Some(LONG)),
            (&[RSA], None),
            (&[], None),
        ] {
            let offered: Vec<_> = offered.iter().map(|one| u16::from(*one)).collect();
            let agreed = params.agreed(&offered, |one| one != RSA);
            assert_eq!(agreed, expected, "{offered:?}");
        }
        let suites = &params.provider().cipher_suites;
        assert!(suites.iter().all(|suite| suite.tls13().is_none()));
        let led = params.provider_led_by(LONG);
        let led: Vec<_> = led.cipher_suites.iter().map(|one| one.suite()).collect();
        assert_eq!(led, [LONG, AES, CHACHA, RSA]);
    }
}
