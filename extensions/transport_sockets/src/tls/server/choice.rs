//! Which of several certificates a client gets: by the name it asks for, the kind of signatures it
//! understands, and whether it wants an OCSP response (Envoy's default certificate selector).

use super::staple::{Staple, StapleAction};
use crate::tls::identity::Identity;
use crate::tls::params::TlsParams;
use nuncio_codec::client_hello::ClientHello;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, NamedGroup};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::SystemTime;

const SUPPORTED_VERSIONS: u16 = 43;
const TLS_1_2: u16 = 0x0303;

/// Curves of certificates, with the scheme of their signatures since TLS 1.3.
const CURVES: [(NamedGroup, u16); 3] = [
    (NamedGroup::secp256r1, 0x0403),
    (NamedGroup::secp384r1, 0x0503),
    (NamedGroup::secp521r1, 0x0603),
];

/// What counts of a client.
#[derive(Debug, Default, PartialEq)]
pub struct Wishes<'a> {
    /// The name it asks for.
    pub name: Option<&'a str>,
    /// The curves that it can check ECDSA signatures on.
    pub curves: Vec<NamedGroup>,
    /// Whether it asks for an OCSP response.
    pub asks_for_status: bool,
}

impl<'a> Wishes<'a> {
    /// What a client asks for of a context with these parameters.
    pub fn of(hello: &'a ClientHello, params: &TlsParams) -> Self {
        let since_tls13 = hello.legacy_version == TLS_1_2
            && params.tls13
            && hello.extensions.contains(&SUPPORTED_VERSIONS);
        let curves = CURVES.iter().filter(|(curve, scheme)| match since_tls13 {
            true => hello.signature_schemes.contains(scheme),
            false => hello.groups.contains(&u16::from(*curve)),
        });
        let is_capable = since_tls13 || {
            let mut suites = hello.cipher_suites.iter();
            suites.any(|suite| {
                let suite = CipherSuite::from(*suite);
                let mut own = params.cipher_suites.iter();
                is_ecdsa(suite) && own.any(|equals| equals.contains(&suite))
            })
        };
        Self {
            name: hello.server_name.as_deref(),
            curves: match is_capable {
                true => curves.map(|(curve, _)| *curve).collect(),
                false => Vec::new(),
            },
            asks_for_status: hello.asks_for_status,
        }
    }
}

/// Whether a suite of TLS 1.2 is for certificates that sign by ECDSA.
pub(super) fn is_ecdsa(suite: CipherSuite) -> bool {
    let name = suite.as_str().unwrap_or_default();
    name.contains("_ECDSA_")
}

/// What was chosen for a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// The certificate's place.
    pub at: usize,
    /// What is done about its OCSP response.
    pub staple: StapleAction,
}

/// The certificates of a context.
pub struct Certificates {
    /// The certificates, at least one.
    pub identities: Arc<[Identity]>,
    /// The OCSP response of each.
    pub staples: Vec<Staple>,
    /// Whether all are considered where none is for the name.
    pub full_scan: bool,
}

impl Certificates {
    /// Chooses for a client.
    pub fn choose(&self, wishes: &Wishes<'_>, now: SystemTime) -> Choice {
        let first = Choice {
            at: 0,
            staple: self.staple(0, wishes, now),
        };
        if let Some(name) = wishes.name {
            let exact = || self.named(wishes, now, |own| own == name);
            let wildcard = || {
                let (_, parent) = name.split_once('.')?;
                self.named(wishes, now, |own| own.strip_prefix("*.") == Some(parent))
            };
            if let Some(found) = exact().or_else(wildcard) {
                return found;
            }
            if !self.full_scan {
                return first;
            }
        }
        self.best(0..self.identities.len(), wishes, now)
            .unwrap_or(first)
    }

    /// The best of those for a name, of which the first of each kind counts.
    fn named(
        &self,
        wishes: &Wishes<'_>,
        now: SystemTime,
        is_for: impl Fn(&str) -> bool,
    ) -> Option<Choice> {
        let of_kind = |ecdsa: bool| {
            let mut identities = self.identities.iter();
            identities.position(|own| {
                own.curve.is_some() == ecdsa && own.names.iter().any(|name| is_for(name))
            })
        };
        self.best([true, false].into_iter().filter_map(of_kind), wishes, now)
    }

    /// The first that fits, else the first that a client takes which prefers another kind.
    fn best(
        &self,
        places: impl Iterator<Item = usize>,
        wishes: &Wishes<'_>,
        now: SystemTime,
    ) -> Option<Choice> {
        let mut second = None;
        for at in places {
            let staple = self.staple(at, wishes, now);
            if staple == StapleAction::Fail {
                continue;
            }
            let choice = Choice { at, staple };
            match self.identities.get(at)?.curve {
                Some(curve) if wishes.curves.contains(&curve) => return Some(choice),
                Some(_) => {}
                None if wishes.curves.is_empty() => return Some(choice),
                None => {
                    second.get_or_insert(choice);
                }
            }
        }
        second
    }

    fn staple(&self, at: usize, wishes: &Wishes<'_>, now: SystemTime) -> StapleAction {
        match self.staples.get(at) {
            Some(staple) if wishes.asks_for_status => staple.action(now),
            _ => StapleAction::NotAsked,
        }
    }
}

/// Gives rustls what was chosen, on one worker.
pub struct GivesCertificate {
    identities: Arc<[Identity]>,
    /// The certificates without their responses.
    plain: Vec<Arc<CertifiedKey>>,
    next: AtomicUsize,
}

impl fmt::Debug for GivesCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GivesCertificate").finish_non_exhaustive()
    }
}

impl GivesCertificate {
    /// Gives one of these.
    pub fn new(identities: &Arc<[Identity]>) -> Self {
        let plain = identities.iter().map(|own| match own.key.ocsp {
            None => Arc::clone(&own.key),
            Some(_) => Arc::new(CertifiedKey {
                ocsp: None,
                ..CertifiedKey::clone(&own.key)
            }),
        });
        Self {
            plain: plain.collect(),
            identities: Arc::clone(identities),
            next: AtomicUsize::new(0),
        }
    }

    /// What the connection gets whose records are processed next.
    pub fn prepare(&self, choice: Choice) {
        let stapled = usize::from(choice.staple == StapleAction::Staple);
        self.next.store(choice.at << 1 | stapled, Relaxed);
    }
}

impl ResolvesServerCert for GivesCertificate {
    fn resolve(&self, _hello: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let next = self.next.load(Relaxed);
        let at = next >> 1;
        let key = match next & 1 {
            0 => self.plain.get(at)?,
            _ => &self.identities.get(at)?.key,
        };
        Some(Arc::clone(key))
    }
}
