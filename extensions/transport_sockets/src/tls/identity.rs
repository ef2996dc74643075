//! A certificate of our own with its key.

use super::{certificate, encrypted_key};
use nuncio_stream_info::CertificateInfo;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{NamedGroup, SignatureAlgorithm, SignatureScheme};
use std::sync::Arc;

/// What stands for a secret in stats. Envoy adds a hash to the name of those without a name, which
/// is that of the empty text.
pub fn stat_name(name: &str, unnamed: &str) -> String {
    match name {
        "" => format!("{unnamed}_e3b0c442"),
        name => name.to_owned(),
    }
}

/// A certificate of our own with its key.
pub struct Identity {
    /// For handshakes.
    pub key: Arc<CertifiedKey>,
    /// For logs.
    pub info: Arc<CertificateInfo>,
    /// The curve of its key, if it signs by ECDSA.
    pub curve: Option<NamedGroup>,
    /// The names it is for, in lower case.
    pub names: Vec<String>,
    /// What stands for it in stats.
    pub stat_name: String,
    /// Where the chain came from.
    pub path: String,
}

/// A PEM text, and where it came from.
pub struct PemSource {
    /// The text.
    pub pem: Vec<u8>,
    /// The file's path, if it is from a file.
    pub path: String,
}

impl Identity {
    /// A chain and its key with its password, and an OCSP response if there is one; `name` is the
    /// secret's, empty where it is none.
    ///
    /// # Errors
    /// In Envoy's words where it has them.
    pub fn new(
        chain: &PemSource,
        (key, password): (&PemSource, &[u8]),
        ocsp: Option<Vec<u8>>,
        name: &str,
    ) -> Result<Self, String> {
        let (path, key_path) = (&chain.path, &key.path);
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain.pem).collect();
        let certificates = certificates.ok().filter(|chain| !chain.is_empty());
        let Some(certificates) = certificates else {
            return Err(format!("Failed to load certificate chain from {path}"));
        };
        let no_key = || format!("Failed to load private key from {key_path}");
        let key = match encrypted_key::is_encrypted(&key.pem) {
            false => PrivateKeyDer::from_pem_slice(&key.pem).map_err(|_| no_key())?,
            true => encrypted_key::decrypt(&key.pem, password)
                .map_err(|error| format!("{}, Cause: {}", no_key(), error.cause()))?,
        };
        let info = certificate::read(&certificates[0])
            .ok_or_else(|| format!("Failed to load certificate chain from {path}"))?;
        let names = certificate::server_names(&certificates[0]);
        let provider = aws_lc_rs::default_provider();
        let curve = certificate::curve(&certificates[0]);
        let mut key =
            CertifiedKey::from_der(certificates, key, &provider).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => format!(
                    "Failed to load private key from {key_path}, Cause: error:0b000074:X.509 \
                     certificate routines:OPENSSL_internal:KEY_VALUES_MISMATCH"
                ),
                _ => no_key(),
            })?;
        key.ocsp = ocsp;
        Ok(Self {
            key: Arc::new(key),
            stat_name: stat_name(name, "unnamed_cert"),
            path: path.clone(),
            info: Arc::new(info),
            curve,
            names,
        })
    }

    /// Has it sign with these only, in this order of preference; none for whatever it can.
    pub fn limit(&mut self, schemes: &[SignatureScheme]) {
        if schemes.is_empty() {
            return;
        }
        let own = CertifiedKey::clone(&self.key);
        let key = Limited {
            key: Arc::clone(&own.key),
            schemes: schemes.to_vec(),
        };
        self.key = Arc::new(CertifiedKey {
            key: Arc::new(key),
            ..own
        });
    }
}

/// A key that signs with some schemes only, the first of them that the peer understands.
#[derive(Debug)]
struct Limited {
    key: Arc<dyn SigningKey>,
    schemes: Vec<SignatureScheme>,
}

impl SigningKey for Limited {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let allowed = self.schemes.iter().filter(|own| offered.contains(own));
        allowed
            .into_iter()
            .find_map(|own| self.key.choose_scheme(&[*own]))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.key.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}
