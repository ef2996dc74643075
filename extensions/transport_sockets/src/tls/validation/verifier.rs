//! A validation as rustls asks for it, for clients and servers.

use super::{ExpectedNames, PeerSide, Validation, VerifyError};
use crate::tls::stats::ContextStats;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerMisbehaved,
    SignatureScheme,
};
use std::fmt;
use std::sync::Arc;

/// A validation in use.
#[derive(Clone)]
pub struct Verifier {
    /// What is asked.
    pub validation: Arc<Validation>,
    /// Whether a client must show a certificate.
    pub mandatory: bool,
    /// Whether a server's certificate must be for the name that was asked for.
    pub match_server_name: bool,
    /// A name that a server's certificate must have besides, whatever was asked for.
    pub subject_alt_name: Option<Arc<str>>,
    /// The authorities that clients are told of.
    pub hints: Vec<DistinguishedName>,
    /// Signatures that are understood.
    pub algorithms: WebPkiSupportedAlgorithms,
    /// Those that peers may give.
    pub schemes: Vec<SignatureScheme>,
    /// Counts what peers sign with.
    pub stats: Arc<ContextStats>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl Verifier {
    fn verify(
        &self,
        chain: (&CertificateDer<'_>, &[CertificateDer<'_>]),
        peer: PeerSide,
        now: UnixTime,
        names: ExpectedNames<'_>,
    ) -> Result<(), Error> {
        match self.validation.verify(chain, peer, now, names) {
            Err(_) if self.validation.accept_untrusted => Ok(()),
            result => result.map_err(|error| refused(error.of(chain))),
        }
    }

    /// Lets through what peers were told of.
    fn allow(&self, signed: &DigitallySignedStruct) -> Result<(), Error> {
        match self.schemes.contains(&signed.scheme) {
            true => Ok(()),
            false => Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into()),
        }
    }

    fn count(
        &self,
        signed: &DigitallySignedStruct,
        result: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        if result.is_ok() {
            self.stats.count_scheme(signed.scheme);
        }
        result
    }
}

fn refused(error: VerifyError) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}

impl ClientCertVerifier for Verifier {
    fn offer_client_auth(&self) -> bool {
        self.validation.asks() || self.validation.accept_untrusted
    }

    /// As with Envoy nobody is asked where nothing would be checked, and whoever is asked for more
    /// than a chain must show something.
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory || (self.validation.asks_for_more() && !self.validation.accept_untrusted)
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(
            (leaf, intermediates),
            PeerSide::Client,
            now,
            ExpectedNames::default(),
        )?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.allow(signed)?;
        let result = verify_tls12_signature(message, certificate, signed, &self.algorithms);
        self.count(signed, result)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.allow(signed)?;
        let result = verify_tls13_signature(message, certificate, signed, &self.algorithms);
        self.count(signed, result)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let asked = server_name.to_str();
        let names = ExpectedNames {
            asked: Some(&*asked).filter(|_| self.match_server_name),
            listed: self.subject_alt_name.as_deref(),
        };
        self.verify((leaf, intermediates), PeerSide::Server, now, names)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls12_signature(self, message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ClientCertVerifier::verify_tls13_signature(self, message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
