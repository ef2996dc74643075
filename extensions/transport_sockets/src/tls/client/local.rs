//! A client context on one worker: begins the handshakes of connections to hosts.

use super::context::ClientContext;
use crate::tls::error::NameTooLong;
use crate::tls::facts::{failed_check, tls_info};
use crate::tls::socket::Handshaker;
use crate::tls::stats::LocalStats;
use crate::tls::validation::{PeerSide, Verifier};
use nuncio_base::address::Address;
use nuncio_net::{AlpnFallback, Socket, UpstreamConnection};
use nuncio_stream_info::TlsInfo;
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, Error, OtherError};
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;

/// A configuration without SNI, and one with it.
type Pair<T> = [T; 2];

/// The longest name that BoringSSL sends, in bytes.
const LONGEST_NAME: usize = 255;

/// A client context on one worker.
pub struct LocalClient {
    /// What is offered is what the configuration says.
    without: Pair<ClientConfig>,
    /// By what pools offer where the configuration offers nothing, made with the first connection;
    /// there are as many as kinds of pools.
    by_fallback: RefCell<Vec<(AlpnFallback, Pair<Arc<ClientConfig>>)>>,
    /// Sessions with hosts whose certificates had the name that was asked for.
    verified: Resumption,
    stats: Rc<LocalStats>,
    context: Arc<ClientContext>,
}

impl LocalClient {
    /// `context` on the calling worker, whose sessions it keeps.
    pub fn new(context: &Arc<ClientContext>, stats: &Rc<LocalStats>) -> Self {
        let sessions = || match context.spec.max_session_keys {
            0 => Resumption::disabled(),
            most => Resumption::in_memory_sessions(most),
        };
        let mut named = context.config.clone();
        named.resumption = sessions();
        let mut unnamed = named.clone();
        unnamed.enable_sni = false;
        Self {
            without: [unnamed, named],
            verified: sessions(),
            by_fallback: RefCell::default(),
            stats: Rc::clone(stats),
            context: Arc::clone(context),
        }
    }

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

    fn config_for(
        &self,
        connection: &UpstreamConnection<'_>,
        name: Option<&ServerName<'_>>,
    ) -> Arc<ClientConfig> {
        let config = self.config(connection.alpn_fallback, name.is_some());
        let Some(wanted) = &connection.options.subject_alt_name else {
            return config;
        };
        let mut config = ClientConfig::clone(&config);
        let mut verifier = Verifier::clone(&self.context.verifier);
        verifier.subject_alt_name = Some(Arc::clone(wanted));
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(verifier));
        // Sessions are taken up without another look at the certificate: of those that were begun
        // with the same name alone, by which they are kept.
        config.resumption = match name {
            Some(name) if *name.to_str() == **wanted => self.verified.clone(),
            _ => Resumption::disabled(),
        };
        Arc::new(config)
    }

    /// `config`, with the log of secrets where it covers the connection.
    fn logging(&self, config: Arc<ClientConfig>, socket: &Socket) -> Arc<ClientConfig> {
        let Some(key_log) = &self.context.spec.key_log else {
            return config;
        };
        let (local, remote) = (socket.local_address(), socket.peer_address());
        if !key_log.covers(local.as_ref(), remote.as_ref()) {
            return config;
        }
        let mut config = ClientConfig::clone(&config);
        config.key_log = key_log.clone();
        Arc::new(config)
    }

    /// Begins the handshake of one connection.
    pub fn handshaker(
        &self,
        socket: &Socket,
        connection: &UpstreamConnection<'_>,
    ) -> ClientHandshaker {
        let spec = &self.context.spec;
        let of_host =
            Some(connection.host_name).filter(|name| spec.auto_host_sni && !name.is_empty());
        let of_request = connection.options.server_name.as_deref();
        let wanted = of_request.or(of_host);
        let is_too_long = wanted.is_some_and(|name| name.len() > LONGEST_NAME);
        let wanted = wanted.and_then(|name| ServerName::try_from(name.to_owned()).ok());
        let name = wanted.or_else(|| spec.sni.clone());
        // rustls keeps sessions by name, and wants one even if it isn't sent.
        let unsent = || {
            let address = socket.peer_address().as_ref().and_then(Address::ip_only);
            let ip = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            ServerName::IpAddress(ip.into())
        };
        ClientHandshaker {
            config: self.logging(self.config_for(connection, name.as_ref()), socket),
            is_too_long,
            asked: name.as_ref().map(|name| name.to_str().into()),
            name: name.unwrap_or_else(unsent),
            stats: Rc::clone(&self.stats),
            context: Arc::clone(&self.context),
        }
    }
}

/// One connection's.
pub struct ClientHandshaker {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// What was asked for can't be sent, which is no reason to ask for less (CVE-2024-32475).
    is_too_long: bool,
    asked: Option<Arc<str>>,
    stats: Rc<LocalStats>,
    context: Arc<ClientContext>,
}

impl Handshaker<UnbufferedClientConnection> for ClientHandshaker {
    fn begin(&self, _first: &[u8]) -> Result<Option<UnbufferedClientConnection>, Error> {
        if self.is_too_long {
            return Err(Error::Other(OtherError(Arc::new(NameTooLong))));
        }
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
        // Envoy has no connection yet that could fail.
        if !self.is_too_long {
            self.stats.count_failure(error);
        }
        None
    }
}
