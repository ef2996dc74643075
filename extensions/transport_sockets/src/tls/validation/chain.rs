//! The chain from a certificate to an authority.
//!
//! Unlike BoringSSL, webpki refuses an authority's certificate as a peer's own, unless it is
//! trusted itself, and certificates before version 3.

use super::PeerSide;
use crate::tls::certificate;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use rustls::{DistinguishedName, SignatureScheme};
use std::time::SystemTime;
use webpki::{
    CertRevocationList, EndEntityCert, Error, ExpirationPolicy, KeyUsage, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};

/// The authorities, and how chains to them are checked.
pub struct TrustedCa {
    /// Where the certificates came from.
    pub path: String,
    /// The certificates as configured.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The same as names and keys.
    pub anchors: Vec<TrustAnchor<'static>>,
    /// What the authorities have revoked; none: nothing is checked.
    pub crls: Vec<CertRevocationList<'static>>,
    /// Revocation is checked for the peer's own certificate alone.
    pub only_leaf_crl: bool,
    /// Certificates may have expired, or not be valid yet.
    pub allow_expired: bool,
    /// How many certificates may be between the peer's and the authority's.
    pub max_depth: Option<u32>,
    /// Signatures that are understood.
    pub algorithms: WebPkiSupportedAlgorithms,
}

impl TrustedCa {
    /// The names that a server tells its clients.
    pub fn hints(&self) -> Vec<DistinguishedName> {
        let subjects = self.anchors.iter().map(|anchor| &anchor.subject);
        subjects
            .map(|subject| DistinguishedName::in_sequence(subject))
            .collect()
    }

    /// The schemes that peers may sign with.
    pub fn schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }

    /// Checks a chain.
    ///
    /// # Errors
    /// What is wrong, in OpenSSL's words.
    pub fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        peer: PeerSide,
        now: UnixTime,
    ) -> Result<(), String> {
        let mut result = self.verify_at(leaf, intermediates, peer, now);
        if self.allow_expired {
            for time in self.times(leaf, intermediates) {
                let Err(Error::CertExpired { .. } | Error::CertNotValidYet { .. }) = result else {
                    break;
                };
                result = self.verify_at(leaf, intermediates, peer, time);
            }
        }
        result.map_err(|error| {
            let text = describe(&error, leaf, intermediates);
            format!("X509_verify_cert: certificate verification error at depth {text}")
        })
    }

    /// Moments at which the certificates may all have been valid.
    fn times(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Vec<UnixTime> {
        let certificates = std::iter::once(leaf).chain(intermediates);
        let infos = certificates.filter_map(|der| certificate::read(der));
        infos
            .flat_map(|info| [info.expires, info.valid_from])
            .map(unix_time)
            .collect()
    }

    fn verify_at(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        peer: PeerSide,
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.certificates.contains(leaf) && self.crls.is_empty() {
            // Trusted itself, as a chain may end anywhere.
            return within_validity(leaf, now);
        }
        let usage = match peer {
            PeerSide::Client => KeyUsage::client_auth(),
            PeerSide::Server => KeyUsage::server_auth(),
        };
        let crls: Vec<_> = self.crls.iter().collect();
        let depth = match self.only_leaf_crl {
            true => RevocationCheckDepth::EndEntity,
            false => RevocationCheckDepth::Chain,
        };
        let revocation = RevocationOptionsBuilder::new(&crls).ok().map(|options| {
            options
                .with_depth(depth)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let within_depth = |path: &webpki::VerifiedPath<'_>| {
            let between = path.intermediate_certificates().count();
            match self.max_depth {
                Some(most) if between > most as usize => Err(Error::MaximumPathDepthExceeded),
                _ => Ok(()),
            }
        };
        EndEntityCert::try_from(leaf)?.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            intermediates,
            now,
            usage,
            revocation,
            Some(&within_depth),
        )?;
        Ok(())
    }
}

fn within_validity(leaf: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let info = certificate::read(leaf).ok_or(Error::BadDer)?;
    let (not_before, not_after) = (unix_time(info.valid_from), unix_time(info.expires));
    if now.as_secs() < not_before.as_secs() {
        return Err(Error::CertNotValidYet {
            time: now,
            not_before,
        });
    }
    if now.as_secs() > not_after.as_secs() {
        return Err(Error::CertExpired {
            time: now,
            not_after,
        });
    }
    Ok(())
}

fn unix_time(time: SystemTime) -> UnixTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    UnixTime::since_unix_epoch(since.unwrap_or_default())
}

/// The depth and what is wrong there; webpki doesn't say where it found an error, so that of the
/// peer's own certificate is told.
fn describe(
    error: &Error,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> String {
    let own = "0: ";
    let what = match error {
        Error::CertExpired { .. } => "certificate has expired",
        Error::CertNotValidYet { .. } => "certificate is not yet valid",
        Error::CertRevoked => {
            "certificate revocation check against provided CRLs failed: certificate revoked"
        }
        Error::UnknownRevocationStatus => {
            "certificate revocation check against provided CRLs failed: unable to get certificate CRL"
        }
        Error::CrlExpired { .. } => {
            "certificate revocation check against provided CRLs failed: CRL has expired"
        }
        Error::InvalidSignatureForPublicKey => "certificate signature failure",
        Error::RequiredEkuNotFoundContext(_) => "unsuitable certificate purpose",
        Error::MaximumPathDepthExceeded => "certificate chain too long",
        Error::NameConstraintViolation => "permitted subtree violation",
        _ if certificate::is_self_issued(leaf) => "self signed certificate",
        Error::UnknownIssuer => {
            let mut others = intermediates.iter();
            match others.position(|der| certificate::is_self_issued(der)) {
                Some(at) => {
                    return format!("{}: self signed certificate in certificate chain", at + 1);
                }
                None => "unable to get local issuer certificate",
            }
        }
        _ => "invalid certificate",
    };
    format!("{own}{what}")
}
