//! A certificate of our own with its key.

use super::certificate;
use nuncio_stream_info::CertificateInfo;
use rustls::SignatureAlgorithm;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// A certificate of our own with its key.
pub struct Identity {
    /// For handshakes.
    pub key: Arc<CertifiedKey>,
    /// For logs.
    pub info: Arc<CertificateInfo>,
    /// The names it is for, in lower case.
    pub names: Vec<String>,
    /// What stands for it in stats.
    pub stat_name: String,
}

impl Identity {
    /// A chain and its key, both PEM; `path` is where the chain came from, if from a file.
    ///
    /// # Errors
    /// In Envoy's words where it has them.
    pub fn new(chain: &[u8], key: &[u8], path: &str) -> Result<Self, String> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let certificates = certificates.ok().filter(|chain| !chain.is_empty());
        let Some(certificates) = certificates else {
            return Err(format!("Failed to load certificate chain from {path}"));
        };
        let no_key = || format!("Failed to load private key from {path}");
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| no_key())?;
        let info = certificate::read(&certificates[0])
            .ok_or_else(|| format!("Failed to load certificate chain from {path}"))?;
        let names = certificate::server_names(&certificates[0]);
        let provider = aws_lc_rs::default_provider();
        let key =
            CertifiedKey::from_der(certificates, key, &provider).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!("Failed to load private key from {path}, Cause: KEY_VALUES_MISMATCH")
                }
                _ => no_key(),
            })?;
        Ok(Self {
            key: Arc::new(key),
            stat_name: "unnamed_cert_e3b0c442".to_owned(),
            info: Arc::new(info),
            names,
        })
    }

    /// Whether its key signs by ECDSA.
    pub fn is_ecdsa(&self) -> bool {
        self.key.key.algorithm() == SignatureAlgorithm::ECDSA
    }
}
