//! Where a cluster's hosts come from: `type`, or `cluster_type` with its configuration.

use crate::aggregate_cluster;
use crate::eds::eds_hosts;
use crate::endpoint::{self, load_assignment};
use crate::unknown_extension::{is_envoys, not_in_this_build};
use crate::{dns_resolver, duration};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::cluster::v3 as proto;
use nuncio_proto::envoy::extensions::clusters::common::dns::v3::DnsLookupFamily;
use nuncio_proto::envoy::extensions::clusters::dns::v3::DnsCluster;
use nuncio_proto::google::protobuf::Duration as ProtoDuration;
use nuncio_upstream::discovery::dns_resolver::LookupFamily;
use nuncio_upstream::discovery::{
    Discovery, DnsHosts, DnsRefresh, FoundHosts, LoadAssignment, StaticHosts,
};
use proto::cluster::DnsLookupFamily as LegacyFamily;
use proto::cluster::{ClusterDiscoveryType, CustomClusterType, DiscoveryType};
use std::sync::Arc;
use std::time::Duration;

/// How often original destinations without connections are looked for.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(5);

/// Converts how a cluster finds its hosts, and what it says of them.
///
/// # Errors
/// Recorded in `cx`.
pub fn discovery(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<Arc<dyn Discovery>> {
    match &proto.cluster_discovery_type {
        None => of_type(cx, proto, DiscoveryType::Static),
        Some(ClusterDiscoveryType::Type(kind)) => match DiscoveryType::try_from(*kind) {
            Ok(kind) => of_type(cx, proto, kind),
            Err(_) => Err(cx.error_at("type", format!("unknown discovery type {kind}"))),
        },
        Some(ClusterDiscoveryType::ClusterType(custom)) => {
            if let Some(spec) = aggregate_cluster::aggregate(cx, proto)? {
                return Ok(Arc::new(spec));
            }
            cx.field("cluster_type", |cx| of_custom(cx, proto, custom))
        }
    }
}

fn of_type(
    cx: &mut ParseCx,
    proto: &proto::Cluster,
    kind: DiscoveryType,
) -> Parsed<Arc<dyn Discovery>> {
    if kind == DiscoveryType::Eds {
        return eds_hosts(cx, proto);
    }
    if proto.eds_cluster_config.is_some() {
        let message = "eds_cluster_config set in a non-EDS cluster";
        return Err(cx.error_at("eds_cluster_config", message));
    }
    match kind {
        DiscoveryType::OriginalDst => original_dst(cx, proto),
        DiscoveryType::Static | DiscoveryType::Eds => static_hosts(cx, proto),
        DiscoveryType::StrictDns | DiscoveryType::LogicalDns => {
            let settings = legacy(cx, proto, kind == DiscoveryType::LogicalDns);
            dns(cx, proto, settings)
        }
    }
}

/// A type by its extension's name. Those of the older types, and that of DNS clusters without a
/// configuration, read the cluster's own fields.
fn of_custom(
    cx: &mut ParseCx,
    proto: &proto::Cluster,
    custom: &CustomClusterType,
) -> Parsed<Arc<dyn Discovery>> {
    match (custom.name.as_str(), &custom.typed_config) {
        ("envoy.cluster.dns", Some(config)) => {
            let settings = cx.field("typed_config", |cx| {
                let config = cx.unpack(config)?;
                typed(cx, &config)
            });
            dns(cx, proto, settings)
        }
        ("envoy.cluster.dns" | "envoy.cluster.strict_dns", _) => {
            of_type(cx, proto, DiscoveryType::StrictDns)
        }
        ("envoy.cluster.logical_dns", _) => of_type(cx, proto, DiscoveryType::LogicalDns),
        ("envoy.cluster.static", _) => of_type(cx, proto, DiscoveryType::Static),
        ("envoy.cluster.eds", _) => of_type(cx, proto, DiscoveryType::Eds),
        ("envoy.cluster.original_dst", _) => of_type(cx, proto, DiscoveryType::OriginalDst),
        (name, Some(config)) if is_envoys(nuncio_proto::any::type_name(config)) => {
            Err(not_in_this_build(cx, unknown_type(name), name))
        }
        (name, _) => Err(cx.error(unknown_type(name))),
    }
}

fn unknown_type(name: &str) -> String {
    format!("Didn't find a registered cluster factory implementation for name: '{name}'")
}

/// A cluster without hosts of its own: they are found for each connection.
fn original_dst(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<Arc<dyn Discovery>> {
    if proto.lb_policy() != proto::cluster::LbPolicy::ClusterProvided {
        return Err(cx.error(format!(
            "cluster: LB policy {} is not valid for Cluster type ORIGINAL_DST. Only \
             'CLUSTER_PROVIDED' is allowed with cluster type 'ORIGINAL_DST'",
            proto.lb_policy().as_str_name()
        )));
    }
    if proto.load_assignment.is_some() {
        let message = "ORIGINAL_DST clusters must have no load assignment configured";
        return Err(cx.error_at("load_assignment", message));
    }
    let interval = duration::limit(cx, "cleanup_interval", proto.cleanup_interval, None)?;
    Ok(Arc::new(FoundHosts {
        cleanup_interval: interval.unwrap_or(CLEANUP_INTERVAL),
    }))
}

fn static_hosts(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<Arc<dyn Discovery>> {
    let assignment = assignment(cx, proto, "Static")?;
    let mut named = assignment.endpoints.iter().enumerate();
    let named = named.find_map(|(at, endpoint)| Some((at, endpoint.name.as_ref()?)));
    if let Some((at, (host, _))) = named {
        let message = endpoint::malformed(host);
        return Err(cx.field("load_assignment", |cx| {
            endpoint::error_at(cx, proto.load_assignment.as_ref(), at, message)
        }));
    }
    Ok(Arc::new(StaticHosts { assignment }))
}

fn assignment(cx: &mut ParseCx, proto: &proto::Cluster, kind: &str) -> Parsed<LoadAssignment> {
    let assignment = proto.load_assignment.clone().unwrap_or_default();
    cx.field("load_assignment", |cx| {
        let leds = assignment.endpoints.iter().any(|locality| {
            matches!(
                locality.lb_config,
                Some(endpoint::LbConfig::LedsClusterLocalityConfig(_))
            )
        });
        if leds {
            return Err(cx.error(format!(
                "LEDS is only supported when EDS is used. {kind} cluster {} cannot use LEDS.",
                proto.name
            )));
        }
        let assignment = load_assignment(cx, assignment)?;
        endpoint::check_local(cx, &proto.name, assignment)
    })
}

/// What of a DNS cluster two ways of configuring it have in common.
struct DnsSettings {
    logical: bool,
    family: LookupFamily,
    refresh: DnsRefresh,
    resolver: nuncio_upstream::discovery::ResolverSettings,
}

fn dns(
    cx: &mut ParseCx,
    proto: &proto::Cluster,
    settings: Parsed<DnsSettings>,
) -> Parsed<Arc<dyn Discovery>> {
    let logical = settings.as_ref().is_ok_and(|settings| settings.logical);
    let kind = if logical { "LOGICAL_DNS" } else { "STRICT_DNS" };
    check_resolver_names(cx, proto, kind)?;
    let assignment = assignment(
        cx,
        proto,
        if logical { "Logical DNS" } else { "Strict DNS" },
    );
    let (settings, assignment) = (settings?, assignment?);
    if logical {
        match (&proto.load_assignment, assignment.endpoints.len()) {
            (None, _) => return Err(cx.error("LOGICAL_DNS clusters must have a single host")),
            (Some(_), 1) => {}
            (Some(_), _) => {
                return Err(cx.error(
                    "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single \
                     lb_endpoint",
                ));
            }
        }
    }
    Ok(Arc::new(DnsHosts {
        assignment: Arc::new(assignment),
        logical,
        family: settings.family,
        refresh: settings.refresh,
        resolver: settings.resolver,
        wait_for_warm_on_init: proto.wait_for_warm_on_init.as_ref().is_none_or(|v| v.value),
    }))
}

fn check_resolver_names(cx: &mut ParseCx, proto: &proto::Cluster, kind: &str) -> Parsed<()> {
    let assignment = proto.load_assignment.iter();
    let endpoints = assignment
        .flat_map(|assignment| &assignment.endpoints)
        .flat_map(|locality| &locality.lb_endpoints);
    for endpoint in endpoints {
        if endpoint::resolver_name(endpoint).is_some_and(|name| !name.is_empty()) {
            let message = format!("{kind} clusters must NOT have a custom resolver name set");
            return Err(cx.error_at("load_assignment", message));
        }
    }
    Ok(())
}

/// The older fields of the cluster itself.
fn legacy(cx: &mut ParseCx, proto: &proto::Cluster, logical: bool) -> Parsed<DnsSettings> {
    let failure = proto.dns_failure_refresh_rate.as_ref();
    let refresh = Rates {
        rate: proto.dns_refresh_rate,
        failure: failure.map(|rate| (rate.base_interval, rate.max_interval)),
        respect_ttl: proto.respect_dns_ttl,
        jitter: proto.dns_jitter,
        least: None,
    };
    Ok(DnsSettings {
        logical,
        family: match proto.dns_lookup_family() {
            LegacyFamily::Auto => LookupFamily::Auto,
            LegacyFamily::V4Only => LookupFamily::V4Only,
            LegacyFamily::V6Only => LookupFamily::V6Only,
            LegacyFamily::V4Preferred => LookupFamily::V4Preferred,
            LegacyFamily::All => LookupFamily::All,
        },
        refresh: refresh.convert(cx)?,
        resolver: dns_resolver::of_cluster(cx, proto)?,
    })
}

/// `envoy.extensions.clusters.dns.v3.DnsCluster`.
fn typed(cx: &mut ParseCx, proto: &DnsCluster) -> Parsed<DnsSettings> {
    let failure = proto.dns_failure_refresh_rate.as_ref();
    let refresh = Rates {
        rate: proto.dns_refresh_rate,
        failure: failure.map(|rate| (rate.base_interval, rate.max_interval)),
        respect_ttl: proto.respect_dns_ttl,
        jitter: proto.dns_jitter,
        least: proto.dns_min_refresh_rate,
    };
    let resolver = proto.typed_dns_resolver_config.as_ref();
    let resolver = cx.optional("typed_dns_resolver_config", resolver, |cx, typed| {
        dns_resolver::of_typed(cx, typed)
    })?;
    Ok(DnsSettings {
        logical: proto.all_addresses_in_single_endpoint,
        family: match proto.dns_lookup_family() {
            DnsLookupFamily::Unspecified | DnsLookupFamily::Auto => LookupFamily::Auto,
            DnsLookupFamily::V4Only => LookupFamily::V4Only,
            DnsLookupFamily::V6Only => LookupFamily::V6Only,
            DnsLookupFamily::V4Preferred => LookupFamily::V4Preferred,
            DnsLookupFamily::All => LookupFamily::All,
        },
        refresh: refresh.convert(cx)?,
        resolver: resolver.unwrap_or_else(|| dns_resolver::of_server(cx)),
    })
}

/// How often names are resolved, as both ways of configuring it have it.
struct Rates {
    rate: Option<ProtoDuration>,
    failure: Option<(Option<ProtoDuration>, Option<ProtoDuration>)>,
    respect_ttl: bool,
    jitter: Option<ProtoDuration>,
    least: Option<ProtoDuration>,
}

impl Rates {
    fn convert(self, cx: &mut ParseCx) -> Parsed<DnsRefresh> {
        let default = DnsRefresh::default();
        let rate = duration::optional(cx, "dns_refresh_rate", self.rate)?.unwrap_or(default.rate);
        let failure = cx.optional(
            "dns_failure_refresh_rate",
            self.failure,
            |cx, (base, max)| {
                let base = duration::optional(cx, "base_interval", base)?.unwrap_or(rate);
                let max = duration::optional(cx, "max_interval", max)?.unwrap_or(base * 10);
                if max < base {
                    return Err(cx.error(
                    "dns_failure_refresh_rate must have max_interval greater than or equal to the \
                     base_interval",
                ));
                }
                Ok((base, max))
            },
        )?;
        let jitter = duration::optional(cx, "dns_jitter", self.jitter)?;
        let least = duration::optional(cx, "dns_min_refresh_rate", self.least)?;
        Ok(DnsRefresh {
            rate,
            failure,
            respect_ttl: self.respect_ttl,
            least_ttl: least.unwrap_or(Duration::ZERO),
            jitter: jitter.unwrap_or_default(),
        })
    }
}
