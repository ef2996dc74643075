//! A client context: made on main, localized once per worker.

use super::local::LocalClient;
use crate::tls::dynamic::{ContextSource, LocalContext};
use crate::tls::identity::Identity;
use crate::tls::key_log::OptionalKeyLog;
use crate::tls::not_ready::NotReadySocket;
use crate::tls::params::TlsParams;
use crate::tls::socket::TlsSocket;
use crate::tls::stats::ContextStats;
use crate::tls::validation::{Validation, Verifier};
use nuncio_config::certificates::ContextCertificates;
use nuncio_net::{
    LocalUpstreamSocketFactory, Socket, Transport, UpstreamConnection, UpstreamSocketFactory,
};
use nuncio_stats::SharedGauge;
use nuncio_worker::Worker;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, Error};
use std::rc::Rc;
use std::sync::Arc;

/// What a client context is configured with.
pub struct ClientSpec {
    /// What may be agreed on.
    pub params: TlsParams,
    /// The certificate shown to servers that ask for one.
    pub identities: Arc<[Identity]>,
    /// Application protocols, in order of preference.
    pub alpn: Vec<Vec<u8>>,
    /// Whose secrets are logged.
    pub key_log: OptionalKeyLog,
    /// For the admin, for as long as the context is in use.
    pub certificates: Arc<ContextCertificates>,
    /// What servers' certificates are held against.
    pub validation: Arc<Validation>,
    /// The name that is asked for.
    pub sni: Option<ServerName<'static>>,
    /// Where the host has a name, that is asked for.
    pub auto_host_sni: bool,
    /// The server's certificate must be for the name that is asked for.
    pub auto_sni_san_validation: bool,
    /// How many sessions are kept to be resumed.
    pub max_session_keys: usize,
}

/// A client context.
pub struct ClientContext {
    pub(super) spec: ClientSpec,
    pub(super) verifier: Arc<Verifier>,
    pub(super) config: ClientConfig,
    _expirations: Vec<SharedGauge>,
}

impl ClientContext {
    /// Makes a context.
    ///
    /// # Errors
    /// What rustls has against the parameters.
    pub fn new(spec: ClientSpec, stats: &Arc<ContextStats>) -> Result<Self, Error> {
        let provider = spec.params.provider();
        let verifier = Arc::new(Verifier {
            validation: Arc::clone(&spec.validation),
            mandatory: false,
            match_server_name: spec.auto_sni_san_validation,
            subject_alt_name: None,
            hints: Vec::new(),
            algorithms: provider.signature_verification_algorithms,
            schemes: spec.params.peer_schemes(),
            stats: Arc::clone(stats),
        });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&spec.params.versions())?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone());
        let mut config = match spec.identities.first() {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let shown = rustls::sign::SingleCertAndKey::from(Arc::clone(&identity.key));
                builder.with_client_cert_resolver(Arc::new(shown))
            }
        };
        config.alpn_protocols.clone_from(&spec.alpn);
        Ok(Self {
            _expirations: stats.expirations(&spec.identities, &spec.validation),
            spec,
            verifier,
            config,
        })
    }
}

/// A client context as a cluster's transport socket.
pub struct ClientSocketFactory {
    /// The context.
    pub context: ContextSource<ClientContext>,
    /// What all its versions count.
    pub stats: Arc<ContextStats>,
}

impl UpstreamSocketFactory for ClientSocketFactory {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalUpstreamSocketFactory> {
        let stats = self.stats.local();
        Rc::new(LocalClientSocketFactory {
            worker: Rc::clone(worker),
            context: LocalContext::new(&self.context, worker, stats, LocalClient::new),
        })
    }
}

struct LocalClientSocketFactory {
    worker: Rc<Worker>,
    context: LocalContext<ClientContext, LocalClient>,
}

impl LocalUpstreamSocketFactory for LocalClientSocketFactory {
    fn create(&self, socket: Socket, connection: &UpstreamConnection<'_>) -> Transport {
        Transport::Layered(match self.context.get() {
            Some(client) => {
                let handshaker = Rc::new(client.handshaker(&socket, connection));
                Box::new(TlsSocket::new(socket, &self.worker, handshaker))
            }
            None => {
                let stats = &self.context.stats.factory;
                stats.upstream_context_secrets_not_ready().inc();
                Box::new(NotReadySocket::new(socket))
            }
        })
    }

    fn is_secure(&self) -> bool {
        true
    }
}
