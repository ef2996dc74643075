//! How names are resolved: `typed_dns_resolver_config`, or the older fields of a cluster.

use crate::address::address;
use crate::duration;
use crate::unknown_extension::unknown_extension;
use nuncio_base::address::Address;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::cluster::v3::Cluster;
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::envoy::extensions::network::dns_resolver as proto;
use nuncio_upstream::discovery::ResolverSettings;
use proto::cares::v3::CaresDnsResolverConfig;
use proto::getaddrinfo::v3::GetAddrInfoDnsResolverConfig;
use proto::hickory::v3::HickoryDnsResolverConfig;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

/// The bootstrap's `typed_dns_resolver_config`, shared by what is parsed for one server.
#[derive(Default)]
pub struct DefaultResolver(pub RefCell<ResolverSettings>);

/// The resolver of clusters that ask for none of their own.
pub fn of_server(cx: &ParseCx) -> ResolverSettings {
    let default = cx.env().shared(DefaultResolver::default);
    let settings = default.0.borrow();
    settings.clone()
}

/// The resolver of a cluster: of several ways to say it the newest counts, as in Envoy.
///
/// # Errors
/// Recorded in `cx`.
pub fn of_cluster(cx: &mut ParseCx, cluster: &Cluster) -> Parsed<ResolverSettings> {
    if let Some(typed) = &cluster.typed_dns_resolver_config {
        return cx.field("typed_dns_resolver_config", |cx| of_typed(cx, typed));
    }
    if let Some(config) = &cluster.dns_resolution_config {
        return cx.field("dns_resolution_config", |cx| {
            let servers = servers(cx, "resolvers", &config.resolvers)?;
            Ok(with_options(servers, config.dns_resolver_options.as_ref()))
        });
    }
    if cluster.dns_resolvers.is_empty() && !cluster.use_tcp_for_dns_lookups {
        return Ok(of_server(cx));
    }
    Ok(ResolverSettings {
        servers: servers(cx, "dns_resolvers", &cluster.dns_resolvers)?,
        tcp: cluster.use_tcp_for_dns_lookups,
        ..ResolverSettings::default()
    })
}

/// A resolver as an extension's configuration. All of Envoy's resolvers are this build's one.
///
/// # Errors
/// Recorded in `cx`.
pub fn of_typed(cx: &mut ParseCx, typed: &core::TypedExtensionConfig) -> Parsed<ResolverSettings> {
    let Some(config) = &typed.typed_config else {
        return Ok(ResolverSettings::default());
    };
    cx.field("typed_config", |cx| {
        match nuncio_proto::any::type_name(config) {
            "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig" => {
                let config = cx.unpack(config)?;
                cares(cx, &config)
            }
            "envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig" => {
                let config: GetAddrInfoDnsResolverConfig = cx.unpack(config)?;
                // Its threads are those of the C library's resolver, which this is not.
                Ok(ResolverSettings {
                    tries: config
                        .num_retries
                        .map(|retries| retries.value.saturating_add(1)),
                    ..ResolverSettings::default()
                })
            }
            "envoy.extensions.network.dns_resolver.hickory.v3.HickoryDnsResolverConfig" => {
                let config = cx.unpack(config)?;
                hickory(cx, &config)
            }
            _ => Err(unknown_extension(cx, &typed.name, config)),
        }
    })
}

fn cares(cx: &mut ParseCx, config: &CaresDnsResolverConfig) -> Parsed<ResolverSettings> {
    cx.refuse(
        "filter_unroutable_families",
        config.filter_unroutable_families,
    )?;
    let servers = servers(cx, "resolvers", &config.resolvers)?;
    // What is left concerns the library's sockets and its cache: a query has a socket of its own
    // here, and answers are not cached.
    Ok(ResolverSettings {
        servers_as_fallback: config.use_resolvers_as_fallback,
        rotate: config.rotate_nameservers,
        timeout: config
            .query_timeout_seconds
            .map(|value| Duration::from_secs(value.value)),
        tries: config.query_tries.map(|value| value.value),
        edns_payload: config
            .edns0_max_payload_size
            .and_then(|value| u16::try_from(value.value).ok()),
        ..with_options(servers, config.dns_resolver_options.as_ref())
    })
}

fn hickory(cx: &mut ParseCx, config: &HickoryDnsResolverConfig) -> Parsed<ResolverSettings> {
    cx.refuse("dns_over_tls", config.dns_over_tls.is_some())?;
    cx.refuse("dns_over_https", config.dns_over_https.is_some())?;
    cx.refuse("enable_dnssec", config.enable_dnssec)?;
    let no_system = config.use_system_config.is_some_and(|value| !value.value);
    cx.refuse(
        "use_system_config",
        no_system && config.resolvers.is_empty(),
    )?;
    Ok(ResolverSettings {
        servers: servers(cx, "resolvers", &config.resolvers)?,
        timeout: duration::optional(cx, "query_timeout", config.query_timeout)?,
        tries: config.query_tries.map(|value| value.value),
        ..ResolverSettings::default()
    })
}

fn servers(
    cx: &mut ParseCx,
    field: &'static str,
    protos: &[core::Address],
) -> Parsed<Vec<SocketAddr>> {
    cx.list(field, protos, |cx, proto| {
        match address(cx, proto.clone())?.address {
            // As Envoy: without a port it is the usual one.
            Address::Ip(at) if at.port() == 0 => Ok(SocketAddr::new(at.ip(), 53)),
            Address::Ip(at) => Ok(at),
            Address::Pipe(_) | Address::Internal(_) => {
                Err(cx.error("DNS resolvers must have IP addresses"))
            }
        }
    })
}

fn with_options(
    servers: Vec<SocketAddr>,
    options: Option<&core::DnsResolverOptions>,
) -> ResolverSettings {
    ResolverSettings {
        servers,
        tcp: options.is_some_and(|options| options.use_tcp_for_dns_lookups),
        no_search: options.is_some_and(|options| options.no_default_search_domain),
        ..ResolverSettings::default()
    }
}
