//! Resolves names: a shell around the resolver library, which knows `/etc/resolv.conf`,
//! `/etc/hosts`, search domains, retries and TCP.

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use nuncio_worker::Worker;
use std::cell::RefCell;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

/// Which addresses of a name count (`Cluster.DnsLookupFamily`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LookupFamily {
    /// IPv6, or IPv4 where there is none.
    #[default]
    Auto,
    /// IPv4 alone.
    V4Only,
    /// IPv6 alone.
    V6Only,
    /// IPv4, or IPv6 where there is none.
    V4Preferred,
    /// Both.
    All,
}

/// How names are resolved.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ResolverSettings {
    /// These servers are asked; none: those of the system.
    pub servers: Vec<SocketAddr>,
    /// `servers` are asked only where the system names none.
    pub servers_as_fallback: bool,
    /// By TCP alone.
    pub tcp: bool,
    /// The system's search domains are left out.
    pub no_search: bool,
    /// Servers take turns.
    pub rotate: bool,
    /// How long one query may take.
    pub timeout: Option<Duration>,
    /// How often a query is tried.
    pub tries: Option<u32>,
    /// The largest answer accepted over UDP; `None`: without EDNS.
    pub edns_payload: Option<u16>,
}

/// What a name resolved to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resolution {
    /// The addresses with their times to live, none where the name has none.
    Completed(Vec<(IpAddr, Duration)>),
    /// Nobody could tell: why.
    Failed(String),
}

/// A resolver with its settings. Not cached: who asks says how often.
pub struct DnsResolver {
    settings: ResolverSettings,
    built: RefCell<Option<Built>>,
}

/// The library's resolver, and how old the system's files were that it read.
struct Built {
    files: [Option<SystemTime>; 2],
    resolver: Result<TokioResolver, String>,
}

/// The resolvers of the main worker: clusters with the same settings share one.
#[derive(Default)]
pub struct DnsResolvers(RefCell<Vec<Rc<DnsResolver>>>);

impl DnsResolvers {
    /// The resolver with these settings.
    pub fn get(worker: &Worker, settings: &ResolverSettings) -> Rc<DnsResolver> {
        let resolvers = worker.services().get_or_default::<Self>();
        let mut list = resolvers.0.borrow_mut();
        if let Some(resolver) = list.iter().find(|one| one.settings == *settings) {
            return Rc::clone(resolver);
        }
        let resolver = Rc::new(DnsResolver {
            settings: settings.clone(),
            built: RefCell::new(None),
        });
        list.push(Rc::clone(&resolver));
        resolver
    }
}

impl DnsResolver {
    /// Resolves `name`.
    pub async fn resolve(&self, name: &str, family: LookupFamily) -> Resolution {
        use RecordType::{A, AAAA};
        match family {
            LookupFamily::V4Only => self.records(name, A).await,
            LookupFamily::V6Only => self.records(name, AAAA).await,
            LookupFamily::Auto => self.first_of(name, [AAAA, A]).await,
            LookupFamily::V4Preferred => self.first_of(name, [A, AAAA]).await,
            LookupFamily::All => {
                let (v4, v6) = (self.records(name, A).await, self.records(name, AAAA).await);
                match (v4, v6) {
                    (Resolution::Completed(mut v4), Resolution::Completed(v6)) => {
                        v4.extend(v6);
                        Resolution::Completed(v4)
                    }
                    (Resolution::Completed(found), _) | (_, Resolution::Completed(found))
                        if !found.is_empty() =>
                    {
                        Resolution::Completed(found)
                    }
                    (failed @ Resolution::Failed(_), _) | (_, failed) => failed,
                }
            }
        }
    }

    async fn first_of(&self, name: &str, types: [RecordType; 2]) -> Resolution {
        match self.records(name, types[0]).await {
            Resolution::Completed(found) if !found.is_empty() => Resolution::Completed(found),
            _ => self.records(name, types[1]).await,
        }
    }

    async fn records(&self, name: &str, record_type: RecordType) -> Resolution {
        if let Some(address) = without_dns(name, record_type) {
            let found = address.map(|address| (address, Duration::ZERO));
            return Resolution::Completed(found.into_iter().collect());
        }
        let resolver = match self.resolver() {
            Ok(resolver) => resolver,
            Err(error) => return Resolution::Failed(error),
        };
        match resolver.lookup(name, record_type).await {
            Ok(lookup) => {
                let found = lookup.answers().iter().filter_map(|record| {
                    let ttl = Duration::from_secs(record.ttl.into());
                    record.data.ip_addr().map(|address| (address, ttl))
                });
                Resolution::Completed(found.collect())
            }
            // That there is none is an answer, too.
            Err(NetError::Dns(DnsError::NoRecordsFound(none)))
                if matches!(
                    none.response_code,
                    ResponseCode::NXDomain | ResponseCode::NoError
                ) =>
            {
                Resolution::Completed(Vec::new())
            }
            Err(error) => Resolution::Failed(error.to_string()),
        }
    }

    /// The library's resolver, made anew when the system's configuration has changed.
    fn resolver(&self) -> Result<TokioResolver, String> {
        let age = |path| fs::metadata(path).and_then(|file| file.modified()).ok();
        let files = ["/etc/resolv.conf", "/etc/hosts"].map(age);
        let mut built = self.built.borrow_mut();
        match &*built {
            Some(built) if built.files == files => built.resolver.clone(),
            _ => {
                let resolver = self.settings.build().map_err(|error| error.to_string());
                *built = Some(Built {
                    files,
                    resolver: resolver.clone(),
                });
                resolver
            }
        }
    }
}

impl ResolverSettings {
    fn build(&self) -> Result<TokioResolver, NetError> {
        let system = hickory_resolver::system_conf::read_system_conf();
        let (mut config, mut options) = match system {
            Ok(system) => system,
            Err(_) if !self.servers.is_empty() => {
                let none = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
                (none, ResolverOpts::default())
            }
            Err(error) => return Err(error),
        };
        let wanted = !self.servers_as_fallback || config.name_servers.is_empty();
        let own = wanted && !self.servers.is_empty();
        if own {
            config.name_servers = self.servers.iter().map(|at| self.server(*at)).collect();
        } else if self.tcp {
            for server in &mut config.name_servers {
                *server = NameServerConfig::tcp(server.ip);
            }
        }
        if self.no_search {
            config.domain = None;
            config.search.clear();
        }
        // Who asks decides how long an answer counts.
        options.cache_size = 0;
        options.timeout = self.timeout.unwrap_or(options.timeout);
        // The library counts the tries after the first.
        let tries = self.tries.map(|tries| tries.saturating_sub(1) as usize);
        options.attempts = tries.unwrap_or(options.attempts);
        if self.rotate {
            options.server_ordering_strategy = ServerOrderingStrategy::RoundRobin;
        } else if own {
            options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
        }
        options.edns0 = self.edns_payload.is_some();
        options.edns_payload_len = self.edns_payload.unwrap_or(options.edns_payload_len);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        builder.build()
    }

    fn server(&self, at: SocketAddr) -> NameServerConfig {
        let mut connections = vec![ConnectionConfig::tcp()];
        if !self.tcp {
            connections.insert(0, ConnectionConfig::udp());
        }
        for connection in &mut connections {
            connection.port = at.port();
        }
        NameServerConfig::new(at.ip(), true, connections)
    }
}

/// What needs no server: addresses themselves, and `localhost` (RFC 6761 section 6.3). The inner
/// `None` is an address of the other family.
fn without_dns(name: &str, record_type: RecordType) -> Option<Option<IpAddr>> {
    let is_v4 = record_type == RecordType::A;
    if let Ok(address) = name.parse::<IpAddr>() {
        return Some((address.is_ipv4() == is_v4).then_some(address));
    }
    let plain = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_local = plain == "localhost" || plain.ends_with(".localhost");
    is_local.then_some(Some(if is_v4 {
        Ipv4Addr::LOCALHOST.into()
    } else {
        Ipv6Addr::LOCALHOST.into()
    }))
}
