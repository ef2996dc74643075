//! `envoy.tls.cert_validator.spiffe`: which authorities vouch for a peer is decided by the trust
//! domain in its name, a URI `spiffe://DOMAIN/PATH`, so that none can make certificates of another
//! domain. Pins, and names of other kinds, are not looked at, as in Envoy.

pub mod config;

use super::{PeerSide, TrustedCa};
use crate::tls::certificate;
use nuncio_stream_info::SanKind;
use rustls::pki_types::{CertificateDer, UnixTime};

/// The authorities of each trust domain.
pub struct TrustBundles(Vec<(String, TrustedCa)>);

impl TrustBundles {
    /// The authorities of all domains.
    pub fn all(&self) -> impl Iterator<Item = &TrustedCa> {
        self.0.iter().map(|(_, authorities)| authorities)
    }

    /// Checks a peer's chain.
    ///
    /// # Errors
    /// What is wrong, in Envoy's words.
    pub fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        peer: PeerSide,
        now: UnixTime,
    ) -> Result<(), String> {
        if !certificate::is_no_authority(leaf) {
            return Err("cert precheck".to_owned());
        }
        match self.of(leaf) {
            Some(authorities) => authorities.verify(leaf, intermediates, peer, now),
            None => Err("no trust bundle store".to_owned()),
        }
    }

    /// The authorities for a certificate, by the first of its URIs.
    fn of(&self, leaf: &CertificateDer<'_>) -> Option<&TrustedCa> {
        let info = certificate::read(leaf)?;
        let domain = trust_domain(info.sans_of(SanKind::Uri).next()?)?;
        let found = self.0.iter().find(|(name, _)| name == domain);
        found.map(|(_, authorities)| authorities)
    }
}

/// The trust domain of a SPIFFE ID.
fn trust_domain(uri: &str) -> Option<&str> {
    let (domain, _path) = uri.strip_prefix("spiffe://")?.split_once('/')?;
    Some(domain)
}

#[cfg(test)]
mod tests {
    use super::trust_domain;

    #[test]
    fn domains_stand_before_paths() {
        for (uri, expected) in [
            ("spiffe://a.test/x/y", Some("a.test")),
            ("spiffe://a.test/", Some("a.test")),
            ("spiffe:///x", Some("")),
            ("spiffe://a.test", None),
            ("http://a.test/x", None),
            ("", None),
        ] {
            assert_eq!(trust_domain(uri), expected, "{uri}");
        }
    }
}
