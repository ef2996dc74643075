//! Which of several certificates a client gets: by the name it asks for, and by the kind of
//! signatures it understands (Envoy's default certificate selector).

use crate::tls::identity::Identity;
use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Nothing was chosen.
const NONE: usize = usize::MAX;

/// Chooses among the certificates of a context, on one worker.
pub struct ChoosesCertificate {
    identities: Arc<[Identity]>,
    full_scan: bool,
    chosen: AtomicUsize,
}

impl fmt::Debug for ChoosesCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChoosesCertificate").finish_non_exhaustive()
    }
}

impl ChoosesCertificate {
    /// Chooses among `identities`, of which there is one; `full_scan` says whether all are
    /// considered where none is for the name.
    pub fn new(identities: &Arc<[Identity]>, full_scan: bool) -> Self {
        Self {
            identities: Arc::clone(identities),
            full_scan,
            chosen: AtomicUsize::new(NONE),
        }
    }

    /// The certificate chosen since this was last asked.
    pub fn take_chosen(&self) -> Option<&Identity> {
        self.identities.get(self.chosen.swap(NONE, Relaxed))
    }

    /// The place of the certificate for a client.
    pub fn choose(&self, name: Option<&str>, ecdsa: bool) -> usize {
        if let Some(name) = name {
            let exact = self.best(ecdsa, |names| names.iter().any(|own| own == name));
            let wildcard = || {
                let (_, parent) = name.split_once('.')?;
                self.best(ecdsa, |names| {
                    let mut parents = names.iter().filter_map(|own| own.strip_prefix("*."));
                    parents.any(|own| own == parent)
                })
            };
            if let Some(found) = exact.or_else(wildcard) {
                return found;
            }
            if !self.full_scan {
                return 0;
            }
        }
        self.best(ecdsa, |_| true).unwrap_or(0)
    }

    /// The first certificate of the kind that the client prefers, else one that it takes.
    fn best(&self, ecdsa: bool, is_for: impl Fn(&[String]) -> bool) -> Option<usize> {
        let of_kind = |kind: bool| {
            let mut identities = self.identities.iter();
            identities.position(|own| own.is_ecdsa() == kind && is_for(&own.names))
        };
        of_kind(ecdsa).or_else(|| of_kind(false))
    }
}

impl ResolvesServerCert for ChoosesCertificate {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let ecdsa = hello.signature_schemes().iter().any(|scheme| {
            matches!(
                scheme,
                SignatureScheme::ECDSA_NISTP256_SHA256
                    | SignatureScheme::ECDSA_NISTP384_SHA384
                    | SignatureScheme::ECDSA_NISTP521_SHA512
            )
        });
        let chosen = self.choose(hello.server_name(), ecdsa);
        self.chosen.store(chosen, Relaxed);
        Some(Arc::clone(&self.identities.get(chosen)?.key))
    }
}
