//! The stats of a TLS context (`ssl.*`, Envoy's "TLS statistics").

use nuncio_stats::{Group, Scope, SharedCounter, stat_group};
use rustls::{CertificateError, CommonState, Error, HandshakeKind};
use std::cell::RefCell;

use super::names::{cipher_name, group_name, version_name};
use super::validation::{Check, VerifyError};

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
    _factory: Group<SocketFactoryStats>,
}

impl ContextStats {
    /// The stats below `scope`, the listener's or the cluster's; `factory` is `server` or `client`.
    pub fn new(scope: &Scope, factory: &str) -> Self {
        let ssl = scope.scope("ssl");
        let factory = format!("{factory}_ssl_socket_factory");
        Self {
            ssl: ssl.group(),
            _factory: scope.scope(&factory).group(),
            scope: ssl,
        }
    }

    /// When a certificate expires.
    pub fn expiration(&self, name: &str, seconds: u64) {
        let name = format!("certificate.{name}.expiration_unix_time_seconds");
        self.scope.gauge(&name).set(seconds);
    }

    /// Counts what a peer signed with.
    pub fn count_scheme(&self, scheme: &'static str) {
        self.scope.counter(&format!("sigalgs.{scheme}")).inc();
    }

    /// One worker's.
    pub fn local(&self) -> LocalStats {
        LocalStats {
            ssl: self.ssl.local(),
            scope: self.scope.clone(),
            named: RefCell::default(),
        }
    }
}

/// A context's stats on one worker.
pub struct LocalStats {
    ssl: SslStats,
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

    /// Counts a handshake that failed.
    pub fn count_failure(&self, error: &Error) {
        match error {
            Error::NoCertificatesPresented => self.ssl.fail_verify_no_cert().inc(),
            Error::InvalidCertificate(CertificateError::Other(other)) => {
                match other
                    .0
                    .downcast_ref::<VerifyError>()
                    .map(VerifyError::check)
                {
                    Some(Check::Pins) => self.ssl.fail_verify_cert_hash().inc(),
                    Some(Check::SubjectAltNames) => self.ssl.fail_verify_san().inc(),
                    Some(Check::Chain) | None => self.ssl.fail_verify_error().inc(),
                }
            }
            _ => self.ssl.connection_error().inc(),
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
