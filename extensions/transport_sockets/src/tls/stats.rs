//! The stats of a TLS context (`ssl.*`, Envoy's "TLS statistics").

use nuncio_base::time::since_epoch;
use nuncio_stats::{Group, Scope, SharedCounter, SharedGauge, stat_group};
use rustls::{CertificateError, CommonState, Error, HandshakeKind, SignatureScheme};
use std::cell::RefCell;
use std::sync::OnceLock;

use super::identity::Identity;
use super::names::{SCHEMES, cipher_name, group_name, version_name};
use super::server::StapleAction;
use super::validation::{Check, Validation, VerifyError};

stat_group! {
    /// `ssl.*`
    pub struct SslStats {
        counters {
            connection_error,
            fail_verify_cert_hash,
            fail_verify_error,
            fail_verify_no_cert,
            fail_verify_san,
            handshake,
            no_certificate,
            ocsp_staple_failed,
            ocsp_staple_omitted,
            ocsp_staple_requests,
            ocsp_staple_responses,
            session_reused,
        }
    }
}

stat_group! {
    /// `server_ssl_socket_factory.*` and `client_ssl_socket_factory.*`
    pub struct SocketFactoryStats {
        counters {
            downstream_context_secrets_not_ready,
            ssl_context_update_by_sds,
            upstream_context_secrets_not_ready,
        }
    }
}

/// A context's stats, shared by all workers.
pub struct ContextStats {
    scope: Scope,
    ssl: Group<SslStats>,
    /// What peers signed with, each made when it is counted first.
    schemes: [OnceLock<SharedCounter>; SCHEMES.len()],
    factory: Group<SocketFactoryStats>,
}

impl ContextStats {
    /// The stats below `scope`, the listener's or the cluster's; `factory` is `server` or `client`.
    pub fn new(scope: &Scope, factory: &str) -> Self {
        let ssl = scope.scope("ssl");
        let factory = format!("{factory}_ssl_socket_factory");
        Self {
            ssl: ssl.group(),
            schemes: Default::default(),
            factory: scope.scope(&factory).group(),
            scope: ssl,
        }
    }

    /// Tells when a context's certificates expire, in seconds of Unix time, for as long as what is
    /// given back lives.
    pub fn expirations(
        &self,
        identities: &[Identity],
        validation: &Validation,
    ) -> Vec<SharedGauge> {
        let own = identities.iter();
        let own = own.map(|own| {
            (
                own.stat_name.clone(),
                since_epoch(own.info.expires).as_secs(),
            )
        });
        let gauges = own.chain(validation.expirations()).map(|(name, seconds)| {
            let name = format!("certificate.{name}.expiration_unix_time_seconds");
            let gauge = self.scope.gauge(&name);
            gauge.set(seconds);
            gauge
        });
        gauges.collect()
    }

    /// A context was made anew because a secret had changed.
    pub fn count_update_by_sds(&self) {
        self.factory.local().ssl_context_update_by_sds().inc();
    }

    /// Counts what a peer signed with.
    pub fn count_scheme(&self, scheme: SignatureScheme) {
        let Some(at) = SCHEMES.iter().position(|(known, _)| *known == scheme) else {
            return;
        };
        let (_, name) = SCHEMES[at];
        let counter = || self.scope.counter(&format!("sigalgs.{name}"));
        self.schemes[at].get_or_init(counter).inc();
    }

    /// One worker's.
    pub fn local(&self) -> LocalStats {
        LocalStats {
            ssl: self.ssl.local(),
            factory: self.factory.local(),
            scope: self.scope.clone(),
            named: RefCell::default(),
        }
    }
}

/// A context's stats on one worker.
pub struct LocalStats {
    ssl: SslStats,
    /// The factory's.
    pub factory: SocketFactoryStats,
    scope: Scope,
    /// What is counted by a name that the handshake finds out.
    named: RefCell<Vec<((Named, &'static str), SharedCounter)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Ciphers,
    Curves,
    Versions,
}

impl Named {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ciphers => "ciphers",
            Self::Curves => "curves",
            Self::Versions => "versions",
        }
    }
}

impl LocalStats {
    /// Counts a handshake.
    pub fn count_handshake(&self, session: &CommonState) {
        self.ssl.handshake().inc();
        if session.handshake_kind() == Some(HandshakeKind::Resumed) {
            self.ssl.session_reused().inc();
        }
        if session.peer_certificates().is_none_or(<[_]>::is_empty) {
            self.ssl.no_certificate().inc();
        }
        let suite = session.negotiated_cipher_suite();
        self.count_named(
            Named::Ciphers,
            suite.map(|suite| cipher_name(suite.suite())),
        );
        self.count_named(
            Named::Versions,
            session.protocol_version().map(version_name),
        );
        let group = session.negotiated_key_exchange_group();
        self.count_named(Named::Curves, group.map(|group| group_name(group.name())));
    }

    /// Counts what a client gets beside a certificate.
    pub fn count_staple(&self, asked: bool, action: StapleAction) {
        if asked {
            self.ssl.ocsp_staple_requests().inc();
        }
        match action {
            StapleAction::Staple => self.ssl.ocsp_staple_responses().inc(),
            StapleAction::Omit => self.ssl.ocsp_staple_omitted().inc(),
            StapleAction::Fail => self.ssl.ocsp_staple_failed().inc(),
            StapleAction::NotAsked => {}
        }
    }

    /// Counts a handshake that failed.
    pub fn count_failure(&self, error: &Error) {
        match error {
            Error::NoCertificatesPresented => self.ssl.fail_verify_no_cert().inc(),
            Error::InvalidCertificate(CertificateError::Other(other)) => {
                let known = other.0.downcast_ref::<VerifyError>();
                self.count_refused(known.map_or(Check::Chain, VerifyError::check));
            }
            _ => self.ssl.connection_error().inc(),
        }
    }

    /// Counts a certificate that failed a check, even if its owner was let in all the same.
    pub fn count_refused(&self, check: Check) {
        match check {
            Check::Pins => self.ssl.fail_verify_cert_hash().inc(),
            Check::SubjectAltNames => self.ssl.fail_verify_san().inc(),
            Check::Chain => self.ssl.fail_verify_error().inc(),
            Check::Unfounded => {}
        }
    }

    fn count_named(&self, kind: Named, name: Option<&'static str>) {
        let Some(name) = name else {
            return;
        };
        let mut named = self.named.borrow_mut();
        if let Some((_, counter)) = named.iter().find(|(key, _)| *key == (kind, name)) {
            return counter.inc();
        }
        let counter = self.scope.counter(&format!("{}.{name}", kind.as_str()));
        counter.inc();
        named.push(((kind, name), counter));
    }
}
