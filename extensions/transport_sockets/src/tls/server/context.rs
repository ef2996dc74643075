//! A server context: made on main, localized once per worker.

use super::choice::{Certificates, GivesCertificate};
use super::handshaker::ServerHandshaker;
use super::tickets::{ConfiguredTickets, TicketKey, Timed};
use crate::tls::dynamic::{ContextSource, LocalContext};
use crate::tls::key_log::OptionalKeyLog;
use crate::tls::not_ready::NotReadySocket;
use crate::tls::params::TlsParams;
use crate::tls::socket::TlsSocket;
use crate::tls::stats::ContextStats;
use crate::tls::validation::{Validation, Verifier};
use aws_lc_rs::digest;
use nuncio_config::certificates::ContextCertificates;
use nuncio_net::{LocalTransportSocketFactory, Socket, Transport, TransportSocketFactory};
use nuncio_stats::SharedGauge;
use nuncio_stream_info::ConnectionInfo;
use nuncio_worker::Worker;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{
    NoServerSessionStorage, ProducesTickets, ServerSessionMemoryCache, StoresServerSessions,
};
use rustls::{CipherSuite, DistinguishedName, Error, ServerConfig};
use std::rc::Rc;
use std::sync::Arc;

/// How many sessions are remembered for clients that take no tickets.
const SESSIONS: usize = 1024;

/// What a server context is configured with.
pub struct ServerSpec {
    /// What may be agreed on.
    pub params: TlsParams,
    /// The certificates.
    pub certificates: Certificates,
    /// Application protocols, in order of preference.
    pub alpn: Vec<Vec<u8>>,
    /// Whose secrets are logged.
    pub key_log: OptionalKeyLog,
    /// For the admin, for as long as the context is in use.
    pub in_use: Arc<ContextCertificates>,
    /// What clients' certificates are held against.
    pub validation: Arc<Validation>,
    /// The authorities that clients are told of.
    pub hints: Vec<DistinguishedName>,
    /// Whether clients must show a certificate.
    pub require_client_certificate: bool,
    /// Among suites, the client's order counts.
    pub prefer_client_ciphers: bool,
    /// What sessions are resumed by.
    pub tickets: Tickets,
    /// For how many seconds sessions may be resumed.
    pub session_timeout: u32,
    /// Sessions are remembered for clients without tickets.
    pub session_cache: bool,
}

/// What session tickets are sealed with.
pub enum Tickets {
    /// There are none.
    Off,
    /// Keys of the context's own, which change with time.
    Random,
    /// Configured keys, at least one: the first seals, all open.
    Configured(Vec<TicketKey>),
}

/// A server context.
pub struct ServerContext {
    pub(super) spec: ServerSpec,
    config: ServerConfig,
    verifier: Arc<Verifier>,
    _expirations: Vec<SharedGauge>,
}

impl ServerSpec {
    /// Stands for all that decides which clients are let in, and who they are let in by.
    fn digest(&self) -> [u8; 32] {
        let mut digest = digest::Context::new(&digest::SHA256);
        digest.update(&self.validation.digest);
        digest.update(&[u8::from(self.require_client_certificate)]);
        for identity in self.certificates.identities.iter() {
            digest.update(identity.info.sha256.as_bytes());
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.finish().as_ref());
        bytes
    }
}

impl ServerContext {
    /// Makes a context.
    ///
    /// # Errors
    /// What rustls has against the parameters.
    pub fn new(mut spec: ServerSpec, stats: &Arc<ContextStats>) -> Result<Self, Error> {
        let provider = spec.params.provider();
        let verifier = Arc::new(Verifier {
            validation: Arc::clone(&spec.validation),
            mandatory: spec.require_client_certificate,
            match_server_name: false,
            subject_alt_name: None,
            hints: std::mem::take(&mut spec.hints),
            algorithms: provider.signature_verification_algorithms,
            schemes: spec.params.peer_schemes(),
            stats: Arc::clone(stats),
        });
        let gives = GivesCertificate::new(&spec.certificates.identities);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&spec.params.versions())?
            .with_client_cert_verifier(verifier.clone())
            .with_cert_resolver(Arc::new(gives));
        let lifetime = spec.session_timeout;
        let inner: Option<Arc<dyn ProducesTickets>> =
            match std::mem::replace(&mut spec.tickets, Tickets::Off) {
                Tickets::Off => None,
                Tickets::Random => Some(Ticketer::new()?),
                Tickets::Configured(keys) => Some(Arc::new(ConfiguredTickets {
                    keys,
                    context: spec.digest(),
                })),
            };
        match inner {
            // As in Envoy sessions of TLS 1.3 are resumed by tickets alone.
            None => config.send_tls13_tickets = 0,
            Some(inner) => config.ticketer = Arc::new(Timed { lifetime, inner }),
        }
        config.session_storage = if spec.session_cache {
            let inner: Arc<dyn StoresServerSessions> = ServerSessionMemoryCache::new(SESSIONS);
            Arc::new(Timed { lifetime, inner })
        } else {
            Arc::new(NoServerSessionStorage {})
        };
        Ok(Self {
            _expirations: stats.expirations(&spec.certificates.identities, &spec.validation),
            verifier,
            spec,
            config,
        })
    }

    /// The same as `config`, with one of the suites of TLS 1.2 before the others; `None` where
    /// rustls has something against it.
    pub(super) fn led_by(&self, first: CipherSuite, config: &ServerConfig) -> Option<ServerConfig> {
        let provider = self.spec.params.provider_led_by(first);
        let mut fresh = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.spec.params.versions())
            .ok()?
            .with_client_cert_verifier(self.verifier.clone())
            .with_cert_resolver(Arc::clone(&config.cert_resolver));
        fresh.session_storage = Arc::clone(&config.session_storage);
        fresh.ticketer = Arc::clone(&config.ticketer);
        fresh.alpn_protocols.clone_from(&config.alpn_protocols);
        fresh.send_tls13_tickets = config.send_tls13_tickets;
        fresh.ignore_client_order = config.ignore_client_order;
        fresh.key_log = Arc::clone(&config.key_log);
        Some(fresh)
    }

    /// The configuration of one worker: what it gives is its own.
    pub(super) fn config(&self) -> (ServerConfig, Arc<GivesCertificate>) {
        let gives = GivesCertificate::new(&self.spec.certificates.identities);
        let gives = Arc::new(gives);
        let mut config = self.config.clone();
        config.cert_resolver = gives.clone();
        (config, gives)
    }
}

/// A server context as a listener's transport socket.
pub struct ServerSocketFactory {
    /// The context.
    pub context: ContextSource<ServerContext>,
    /// What all its versions count.
    pub stats: Arc<ContextStats>,
}

impl TransportSocketFactory for ServerSocketFactory {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalTransportSocketFactory> {
        let stats = self.stats.local();
        Rc::new(LocalServerSocketFactory {
            worker: Rc::clone(worker),
            context: LocalContext::new(&self.context, worker, stats, ServerHandshaker::new),
        })
    }
}

struct LocalServerSocketFactory {
    worker: Rc<Worker>,
    context: LocalContext<ServerContext, ServerHandshaker>,
}

impl LocalTransportSocketFactory for LocalServerSocketFactory {
    fn create(&self, socket: Socket, info: &ConnectionInfo) -> Transport {
        Transport::Layered(match self.context.get() {
            Some(handshaker) => {
                let handshaker = handshaker.logging(info).unwrap_or(handshaker);
                Box::new(TlsSocket::new(socket, &self.worker, handshaker))
            }
            None => {
                let stats = &self.context.stats.factory;
                stats.downstream_context_secrets_not_ready().inc();
                Box::new(NotReadySocket::new(socket))
            }
        })
    }
}
