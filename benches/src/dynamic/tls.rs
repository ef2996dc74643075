//! Certificates for what is served over TLS, and clients that trust them.

use std::io;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

/// What the certificates are for.
const NAME: &str = "service.example.com";

/// A certificate and its key, in PEM.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
    der: CertificateDer<'static>,
}

impl Identity {
    /// Signed by itself.
    pub fn new() -> io::Result<Identity> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let params = CertificateParams::new([NAME.to_owned()]).map_err(io::Error::other)?;
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        Ok(Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().clone(),
        })
    }
}

/// Who trusts these certificates, and no others.
pub struct Trust {
    /// For connections.
    pub config: Arc<ClientConfig>,
    /// Whom they ask for.
    pub name: ServerName<'static>,
}

impl Trust {
    /// In all of them.
    pub fn of(identities: &[Identity]) -> io::Result<Trust> {
        let mut roots = RootCertStore::empty();
        for identity in identities {
            roots.add(identity.der.clone()).map_err(io::Error::other)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Trust {
            config: Arc::new(config),
            name: ServerName::try_from(NAME).map_err(io::Error::other)?,
        })
    }
}
