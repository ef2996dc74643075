//! Begins the handshakes of accepted connections on one worker.

use super::choice::{Choice, GivesCertificate, Wishes, is_ecdsa};
use super::context::{ServerContext, ServerSpec};
use super::staple::StapleAction;
use crate::tls::error::ConnectionRejected;
use crate::tls::facts::{failed_check, failure_info, tls_info};
use crate::tls::key_log::OptionalKeyLog;
use crate::tls::session::Session;
use crate::tls::socket::Handshaker;
use crate::tls::stats::LocalStats;
use crate::tls::validation::PeerSide;
use nuncio_base::time::wall;
use nuncio_codec::client_hello::{ClientHello, FirstFlightError, Inspection, inspect};
use nuncio_stream_info::{CertificateInfo, ConnectionInfo, TlsInfo};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::UnbufferedStatus;
use rustls::{CipherSuite, CommonState, Error, OtherError, ServerConfig};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// How long a ClientHello may be: what rustls takes at most.
const HELLO_BYTES: usize = 64 * 1024;

/// TLS 1.3 on the wire.
const TLS_1_3: u16 = 0x0304;

/// A context on one worker.
pub struct ServerHandshaker {
    context: Arc<ServerContext>,
    configs: Configs,
    gives: Arc<GivesCertificate>,
    stats: Rc<LocalStats>,
    /// The same for connections whose secrets are logged.
    logging: Option<Rc<Self>>,
}

/// What rustls can't decide by client: Envoy goes on without ALPN where no protocol is common, and
/// for TLS 1.2 its own order of suites counts, for TLS 1.3 the client's.
struct Configs {
    plain: [Arc<ServerConfig>; 2],
    alpn: [Arc<ServerConfig>; 2],
    protocols: Vec<Vec<u8>>,
    tls13: bool,
    /// Those for clients that get a suite which is not the first of its equals, by that suite,
    /// each without and with ALPN: no more than there are suites.
    led: RefCell<Vec<(CipherSuite, [Arc<ServerConfig>; 2])>>,
}

impl Configs {
    fn new(config: ServerConfig, spec: &ServerSpec) -> Self {
        let protocols = &spec.alpn;
        let variant = |own_order: bool, protocols: &[Vec<u8>]| {
            let mut config = config.clone();
            config.ignore_client_order = own_order && !spec.prefer_client_ciphers;
            config.alpn_protocols = protocols.to_vec();
            Arc::new(config)
        };
        Self {
            plain: [false, true].map(|own_order| variant(own_order, &[])),
            alpn: [false, true].map(|own_order| variant(own_order, protocols)),
            protocols: protocols.clone(),
            tls13: spec.params.tls13,
            led: RefCell::default(),
        }
    }

    /// `ecdsa`: what the certificate signs by.
    fn find(&self, hello: &ClientHello, ecdsa: bool, context: &ServerContext) -> Arc<ServerConfig> {
        let mut offered = hello.alpn.iter();
        let has_alpn = offered.any(|protocol| self.protocols.contains(protocol));
        let configs = if has_alpn { &self.alpn } else { &self.plain };
        if self.tls13 && hello.max_version >= TLS_1_3 {
            return Arc::clone(&configs[0]);
        }
        let of_equals = || {
            let spec = &context.spec;
            if spec.prefer_client_ciphers {
                return None;
            }
            let usable = |suite| is_ecdsa(suite) == ecdsa;
            let agreed = spec.params.agreed(&hello.cipher_suites, usable)?;
            let mut lists = spec.params.cipher_suites.iter();
            let equals = lists.find(|equals| equals.contains(&agreed))?;
            (equals.first() != Some(&agreed)).then_some(agreed)
        };
        let led = of_equals().and_then(|first| self.led_by(first, has_alpn, context));
        led.unwrap_or_else(|| Arc::clone(&configs[1]))
    }

    fn led_by(
        &self,
        first: CipherSuite,
        has_alpn: bool,
        context: &ServerContext,
    ) -> Option<Arc<ServerConfig>> {
        let mut led = self.led.borrow_mut();
        let at = match led.iter().position(|(suite, _)| *suite == first) {
            Some(at) => at,
            None => {
                let plain = context.led_by(first, &self.plain[1])?;
                let alpn = context.led_by(first, &self.alpn[1])?;
                led.push((first, [plain, alpn].map(Arc::new)));
                led.len() - 1
            }
        };
        Some(Arc::clone(&led[at].1[usize::from(has_alpn)]))
    }
}

impl ServerHandshaker {
    /// `context` on the calling worker.
    pub fn new(context: &Arc<ServerContext>, stats: &Rc<LocalStats>) -> Self {
        let make = |key_log: OptionalKeyLog| {
            let (mut config, gives) = context.config();
            if let Some(key_log) = key_log {
                config.key_log = key_log;
            }
            Self {
                configs: Configs::new(config, &context.spec),
                gives,
                stats: Rc::clone(stats),
                context: Arc::clone(context),
                logging: None,
            }
        };
        let key_log = context.spec.key_log.clone();
        Self {
            logging: key_log.map(|key_log| Rc::new(make(Some(key_log)))),
            ..make(None)
        }
    }

    /// The one for a connection, where its secrets are logged.
    pub fn logging(&self, info: &ConnectionInfo) -> Option<Rc<Self>> {
        let logging = self.logging.as_ref()?;
        let key_log = self.context.spec.key_log.as_ref()?;
        let covers = key_log.covers(Some(&info.local_address), Some(&info.remote_address));
        covers.then(|| Rc::clone(logging))
    }
}

/// A connection, and what was chosen for it.
pub struct ServerSession {
    connection: UnbufferedServerConnection,
    gives: Arc<GivesCertificate>,
    choice: Choice,
    local: Arc<CertificateInfo>,
    server_name: Option<Arc<str>>,
}

impl Session for ServerSession {
    type Data = ServerConnectionData;

    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, ServerConnectionData> {
        self.gives.prepare(self.choice);
        self.connection.process_tls_records(incoming)
    }

    fn common(&self) -> &CommonState {
        &self.connection
    }
}

impl Handshaker<ServerSession> for ServerHandshaker {
    fn begin(&self, first: &[u8]) -> Result<Option<ServerSession>, Error> {
        let hello = match inspect(first, HELLO_BYTES) {
            Inspection::Incomplete => return Ok(None),
            Inspection::Hello(hello) => hello,
            Inspection::NotTls => match FirstFlightError::of(first) {
                None => return Ok(None),
                // It begins with a ClientHello; rustls finds out what is wrong with it.
                Some(FirstFlightError::ClientHelloParseFailed) => ClientHello::default(),
                Some(error) => return Err(Error::Other(OtherError(Arc::new(error)))),
            },
            Inspection::TooLarge => ClientHello::default(),
        };
        let spec = &self.context.spec;
        let wishes = Wishes::of(&hello, &spec.params);
        let choice = spec.certificates.choose(&wishes, wall());
        self.stats
            .count_staple(hello.asks_for_status, choice.staple);
        let chosen = spec.certificates.identities.get(choice.at);
        let Some(chosen) = chosen.filter(|_| choice.staple != StapleAction::Fail) else {
            return Err(Error::Other(OtherError(Arc::new(ConnectionRejected))));
        };
        let config = self
            .configs
            .find(&hello, chosen.curve.is_some(), &self.context);
        Ok(Some(ServerSession {
            connection: UnbufferedServerConnection::new(config)?,
            gives: Arc::clone(&self.gives),
            choice,
            local: Arc::clone(&chosen.info),
            server_name: hello.server_name.map(Into::into),
        }))
    }

    fn finished(&self, session: &ServerSession) -> TlsInfo {
        let (common, validation) = (session.common(), &self.context.spec.validation);
        self.stats.count_handshake(common);
        let failed = failed_check(common, validation, PeerSide::Client);
        if let Some(check) = failed {
            self.stats.count_refused(check);
        }
        TlsInfo {
            server_name: session.server_name.clone(),
            local: Some(Arc::clone(&session.local)),
            ..tls_info(common, validation, failed)
        }
    }

    fn failed(&self, session: Option<&ServerSession>, error: &Error) -> Option<TlsInfo> {
        self.stats.count_failure(error);
        Some(failure_info(session.map(Session::common), error))
    }
}
