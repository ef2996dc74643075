//! A client context: made on main, localized once per worker.

use crate::tls::facts::{failed_check, tls_info};
use crate::tls::identity::Identity;
use crate::tls::params::TlsParams;
use crate::tls::socket::{Handshaker, TlsSocket};
use crate::tls::stats::{ContextStats, LocalStats};
use crate::tls::validation::{PeerSide, Validation, Verifier};
use nuncio_base::address::Address;
use nuncio_config::certificates::ContextCertificates;
use nuncio_net::{
    AlpnFallback, LocalUpstreamSocketFactory, Socket, Transport, UpstreamConnection,
    UpstreamSocketFactory,
};
use nuncio_stream_info::TlsInfo;
use nuncio_worker::Worker;
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, Error};
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
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
    spec: ClientSpec,
    stats: Arc<ContextStats>,
    config: ClientConfig,
}

impl ClientContext {
    /// Makes a context.
    ///
    /// # Errors
    /// What rustls has against the parameters.
    pub fn new(spec: ClientSpec, mut stats: ContextStats) -> Result<Self, Error> {
        stats.set_expirations(&spec.identities, &spec.validation);
        let stats = Arc::new(stats);
        let provider = spec.params.provider();
        let verifier = Verifier {
            validation: Arc::clone(&spec.validation),
            mandatory: false,
            match_server_name: spec.auto_sni_san_validation,
            hints: Vec::new(),
            algorithms: provider.signature_verification_algorithms,
            stats: Arc::clone(&stats),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&spec.params.versions())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match spec.identities.first() {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let shown = rustls::sign::SingleCertAndKey::from(Arc::clone(&identity.key));
                builder.with_client_cert_resolver(Arc::new(shown))
            }
        };
        config.alpn_protocols.clone_from(&spec.alpn);
        Ok(Self {
            spec,
            stats,
            config,
        })
    }
}

/// A client context as a cluster's transport socket.
pub struct ClientSocketFactory(pub Arc<ClientContext>);

impl UpstreamSocketFactory for ClientSocketFactory {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalUpstreamSocketFactory> {
        let (spec, mut named) = (&self.0.spec, self.0.config.clone());
        named.resumption = match spec.max_session_keys {
            0 => Resumption::disabled(),
            most => Resumption::in_memory_sessions(most),
        };
        let mut unnamed = named.clone();
        unnamed.enable_sni = false;
        Rc::new(LocalClientSocketFactory {
            without: [unnamed, named],
            by_fallback: RefCell::default(),
            worker: Rc::clone(worker),
            stats: Rc::new(self.0.stats.local()),
            context: Arc::clone(&self.0),
        })
    }
}

/// A configuration without SNI, and one with it.
type Pair<T> = [T; 2];

/// A client context on one worker.
struct LocalClientSocketFactory {
    /// What is offered is what the configuration says.
    without: Pair<ClientConfig>,
    /// By what pools offer where the configuration offers nothing, made with the first connection;
    /// there are as many as kinds of pools.
    by_fallback: RefCell<Vec<(AlpnFallback, Pair<Arc<ClientConfig>>)>>,
    worker: Rc<Worker>,
    stats: Rc<LocalStats>,
    context: Arc<ClientContext>,
}

impl LocalClientSocketFactory {
    fn config(&self, fallback: AlpnFallback, is_named: bool) -> Arc<ClientConfig> {
        let mut configs = self.by_fallback.borrow_mut();
        let at = configs.iter().position(|(of, _)| *of == fallback);
        let at = at.unwrap_or_else(|| {
            let with_fallback = |config: &ClientConfig| {
                let mut config = config.clone();
                if config.alpn_protocols.is_empty() {
                    config.alpn_protocols = fallback.iter().map(|name| name.to_vec()).collect();
                }
                Arc::new(config)
            };
            configs.push((fallback, self.without.each_ref().map(with_fallback)));
            configs.len() - 1
        });
        Arc::clone(&configs[at].1[usize::from(is_named)])
    }
}

impl LocalUpstreamSocketFactory for LocalClientSocketFactory {
    fn create(&self, socket: Socket, connection: &UpstreamConnection<'_>) -> Transport {
        let spec = &self.context.spec;
        let of_host =
            Some(connection.host_name).filter(|name| spec.auto_host_sni && !name.is_empty());
        let of_host = of_host.and_then(|name| ServerName::try_from(name.to_owned()).ok());
        let name = of_host.or_else(|| spec.sni.clone());
        // rustls keeps sessions by name, and wants one even if it isn't sent.
        let unsent = || {
            let address = socket.peer_address().as_ref().and_then(Address::ip_only);
            let ip = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            ServerName::IpAddress(ip.into())
        };
        let handshaker = Rc::new(ClientHandshaker {
            config: self.config(connection.alpn_fallback, name.is_some()),
            asked: name.as_ref().map(|name| name.to_str().into()),
            name: name.unwrap_or_else(unsent),
            stats: Rc::clone(&self.stats),
            context: Arc::clone(&self.context),
        });
        Transport::Layered(Box::new(TlsSocket::new(socket, &self.worker, handshaker)))
    }
}

/// One connection's.
struct ClientHandshaker {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    asked: Option<Arc<str>>,
    stats: Rc<LocalStats>,
    context: Arc<ClientContext>,
}

impl Handshaker<UnbufferedClientConnection> for ClientHandshaker {
    fn begin(&self, _first: &[u8]) -> Result<Option<UnbufferedClientConnection>, Error> {
        let config = Arc::clone(&self.config);
        UnbufferedClientConnection::new(config, self.name.clone()).map(Some)
    }

    fn finished(&self, session: &UnbufferedClientConnection) -> TlsInfo {
        self.stats.count_handshake(session);
        let spec = &self.context.spec;
        let failed = failed_check(session, &spec.validation, PeerSide::Server);
        if let Some(check) = failed {
            self.stats.count_refused(check);
        }
        TlsInfo {
            server_name: self.asked.clone(),
            local: spec.identities.first().map(|own| Arc::clone(&own.info)),
            ..tls_info(session, &spec.validation, failed)
        }
    }

    fn failed(
        &self,
        _session: Option<&UnbufferedClientConnection>,
        error: &Error,
    ) -> Option<TlsInfo> {
        self.stats.count_failure(error);
        None
    }
}
