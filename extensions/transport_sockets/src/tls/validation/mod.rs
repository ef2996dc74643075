//! What a peer's certificate is held against (`CertificateValidationContext`).

mod chain;
pub mod config;
mod san;
mod spiffe;
mod system_roots;
mod verifier;

pub use chain::TrustedCa;
pub use san::SanMatcher;
pub use spiffe::TrustBundles;
pub use verifier::Verifier;

use super::certificate;
use nuncio_base::time::since_epoch;
use nuncio_stream_info::CertificateInfo;
use rustls::pki_types::{CertificateDer, UnixTime};
use std::fmt;

/// What a peer's certificate is held against.
#[derive(Default)]
pub struct Validation {
    /// The authorities; `None`: a chain is not asked for.
    pub trusted_ca: Option<TrustedCa>,
    /// Those of trust domains, and then no others; of names, URIs count alone.
    pub bundles: Option<TrustBundles>,
    /// SHA-256 of certificates of which it must be one.
    pub certificate_hashes: Vec<[u8; 32]>,
    /// SHA-256 of public keys of which it must have one; one of both lists is enough.
    pub spki_hashes: Vec<[u8; 32]>,
    /// Of which one must match one of its names.
    pub san_matchers: Vec<SanMatcher>,
    /// What fails is let in all the same, as not validated.
    pub accept_untrusted: bool,
    /// What stands for the authorities in stats.
    pub stat_name: String,
    /// Stands for all of this.
    pub digest: [u8; 32],
}

/// Names that a certificate must have, whatever else is asked of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExpectedNames<'a> {
    /// The name that was asked for.
    pub asked: Option<&'a str>,
    /// The name that a request gives the host.
    pub listed: Option<&'a str>,
}

/// Which check a certificate failed; stats count them apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    /// The chain to an authority.
    Chain,
    /// The hashes of certificates and keys.
    Pins,
    /// The names.
    SubjectAltNames,
    /// Names are asked for, but no authority vouches for them.
    Unfounded,
}

/// Why a certificate was refused.
#[derive(Debug)]
pub struct VerifyError {
    check: Check,
    detail: String,
    chain: Vec<CertificateDer<'static>>,
}

impl VerifyError {
    /// A failure, as Envoy words it.
    pub fn new(check: Check, detail: impl Into<String>) -> Self {
        Self {
            check,
            detail: detail.into(),
            chain: Vec::new(),
        }
    }

    /// The failure of these certificates.
    pub fn of(mut self, chain: (&CertificateDer<'_>, &[CertificateDer<'_>])) -> Self {
        let all = std::iter::once(chain.0).chain(chain.1);
        self.chain = all.map(|der| der.clone().into_owned()).collect();
        self
    }

    /// The certificates that were refused.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Which check failed.
    pub fn check(&self) -> Check {
        self.check
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.check == Check::Unfounded {
            return Ok(());
        }
        write!(f, "verify cert failed: {}", self.detail)
    }
}

impl std::error::Error for VerifyError {}

/// Which side the peer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerSide {
    /// It connected to us.
    Client,
    /// We connected to it.
    Server,
}

impl Validation {
    /// Whether anything is asked of a certificate.
    pub fn asks(&self) -> bool {
        self.trusted_ca.is_some() || self.asks_for_more()
    }

    /// Whether more is asked than a chain to an authority.
    pub fn asks_for_more(&self) -> bool {
        !self.certificate_hashes.is_empty()
            || !self.spki_hashes.is_empty()
            || !self.san_matchers.is_empty()
            || self.bundles.is_some()
    }

    /// The authorities, of whatever domain.
    pub fn authorities(&self) -> impl Iterator<Item = &TrustedCa> {
        let of_domains = self.bundles.iter().flat_map(TrustBundles::all);
        self.trusted_ca.iter().chain(of_domains)
    }

    /// What stands for the authorities in stats, and when the first of each file expires, in
    /// seconds of Unix time; none where nothing is asked. Never, and without a name, where
    /// certificates are pinned alone, as Envoy has it.
    pub fn expirations(&self) -> Vec<(String, u64)> {
        let first = |authorities: &TrustedCa| {
            let info = certificate::read(authorities.certificates.first()?)?;
            Some(since_epoch(info.expires).as_secs())
        };
        if let Some(bundles) = &self.bundles {
            let all = bundles.all().enumerate().filter_map(|(at, authorities)| {
                Some((format!("{}_{at}", self.stat_name), first(authorities)?))
            });
            return all.collect();
        }
        let one = match &self.trusted_ca {
            Some(authorities) => first(authorities).map(|time| (self.stat_name.clone(), time)),
            None => self
                .asks()
                .then(|| ("unnamed_ca_cert".to_owned(), i64::MAX as u64)),
        };
        one.into_iter().collect()
    }

    /// Checks a peer's chain, and that it has `names`.
    ///
    /// # Errors
    /// The first check that fails, in Envoy's order.
    pub fn verify(
        &self,
        chain: (&CertificateDer<'_>, &[CertificateDer<'_>]),
        peer: PeerSide,
        now: UnixTime,
        names: ExpectedNames<'_>,
    ) -> Result<(), VerifyError> {
        let (leaf, intermediates) = chain;
        if let Some(bundles) = &self.bundles {
            let vouched = bundles.verify(leaf, intermediates, peer, now);
            vouched.map_err(|detail| VerifyError::new(Check::Chain, detail))?;
            return self.verify_names(leaf, names);
        }
        match &self.trusted_ca {
            Some(trusted_ca) => trusted_ca
                .verify(leaf, intermediates, peer, now)
                .map_err(|detail| VerifyError::new(Check::Chain, detail))?,
            None if names.listed.is_some() => {
                return Err(VerifyError::new(Check::Unfounded, ""));
            }
            None => {}
        }
        self.verify_pins(leaf)?;
        self.verify_names(leaf, names)
    }

    fn verify_names(
        &self,
        leaf: &CertificateDer<'_>,
        names: ExpectedNames<'_>,
    ) -> Result<(), VerifyError> {
        let ExpectedNames { asked, listed } = names;
        if asked.is_none() && listed.is_none() && self.san_matchers.is_empty() {
            return Ok(());
        }
        let refused = |detail: String| Err(VerifyError::new(Check::SubjectAltNames, detail));
        let Some(info) = certificate::read(leaf) else {
            return refused("malformed certificate".to_owned());
        };
        let own = all_names(&info);
        if let Some(wanted) = listed.filter(|name| !san::has_name(&info, name)) {
            return refused(format!(
                "verify SAN list, expected SANs: [{wanted}], certificate SANs: [{own}]"
            ));
        }
        let matches = |matchers: &[SanMatcher]| {
            let mut matchers = matchers.iter();
            matchers.len() == 0 || matchers.any(|matcher| matcher.matches(&info))
        };
        let is_asked = asked.is_none_or(|name| san::has_name(&info, name));
        if !is_asked || !matches(&self.san_matchers) {
            return refused(format!("SAN matcher, certificate SANs are [{own}]"));
        }
        Ok(())
    }

    fn verify_pins(&self, leaf: &CertificateDer<'_>) -> Result<(), VerifyError> {
        if self.certificate_hashes.is_empty() && self.spki_hashes.is_empty() {
            return Ok(());
        }
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, leaf);
        let pinned = self.certificate_hashes.iter();
        if pinned.into_iter().any(|pin| pin == hash.as_ref()) {
            return Ok(());
        }
        let spki = certificate::spki_sha256(leaf);
        if spki.is_some_and(|spki| self.spki_hashes.contains(&spki)) {
            return Ok(());
        }
        Err(VerifyError::new(Check::Pins, "cert hash and spki"))
    }
}

fn all_names(info: &CertificateInfo) -> String {
    let names: Vec<_> = info.sans.iter().map(|san| san.value.as_str()).collect();
    names.join(", ")
}
