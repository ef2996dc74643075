//! `envoy.config.bootstrap.v3.Bootstrap`: what a process starts with.

use crate::config_source::LocalInfo;
use crate::dynamic_resources::{DynamicSources, dynamic_resources};
use crate::internal_listener::bootstrap_extensions;
use crate::overload::{Overload, overload};
use crate::unknown_extension::unknown_extension;
use crate::{config_source, dns_resolver, node, stats};
use nuncio_base::options::Options;
use nuncio_extension::server_env::NodeInfo;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_grpc::GrpcService;
use nuncio_proto::envoy::config::bootstrap::v3 as proto;
use nuncio_proto::envoy::config::core::v3::{Node, TypedExtensionConfig};
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::Secret;
use nuncio_stats::StatsConfig;
use nuncio_upstream::discovery::ResolverSettings;
use std::sync::Arc;
use std::time::Duration;

/// The bootstrap, taken apart: what is needed before anything else.
pub struct Bootstrap {
    /// Who this proxy is.
    pub node: NodeInfo,
    /// The same, as control planes are told.
    pub full_node: Node,
    /// How stats are named and which exist.
    pub stats: StatsConfig,
    /// How often histograms are merged.
    pub stats_flush_interval: Duration,
    /// Whether reading stats through the admin merges histograms first.
    pub stats_flush_on_admin: bool,
    /// How clusters resolve names that do not say so themselves.
    pub dns_resolver: ResolverSettings,
    /// `server.version`, where it is overridden.
    pub server_version: Option<u64>,
    /// The admin.
    pub admin: Option<proto::Admin>,
    /// Runtime layers.
    pub layered_runtime: Option<proto::LayeredRuntime>,
    /// The application log's format.
    pub application_log: Option<proto::bootstrap::ApplicationLogConfig>,
    /// Static secrets.
    pub secrets: Vec<Secret>,
    /// The file that ejections are logged to; empty for none.
    pub outlier_event_log: String,
    /// Who is told how much load hosts have (`cluster_manager.load_stats_config`).
    pub load_stats: Option<Arc<GrpcService>>,
    /// Who is told how hosts are that it wants checked (`hds_config`).
    pub hds: Option<Arc<GrpcService>>,
    /// The limits of the process.
    pub overload: Overload,
    /// Where clusters and listeners come from.
    pub dynamic: DynamicSources,
    /// What internal listeners need: how many bytes may wait in one direction of a connection.
    pub internal_buffer_limit: Option<usize>,
}

/// Takes the bootstrap apart. Static clusters and listeners are converted later, by themselves.
///
/// # Errors
/// Recorded in `cx`.
pub fn bootstrap(
    cx: &mut ParseCx,
    proto: proto::Bootstrap,
    options: &Options,
) -> Parsed<Bootstrap> {
    let full_node = node::node(proto.node.clone(), options);
    LocalInfo::set(cx.env(), &full_node.id, &full_node.cluster);
    let refused = refuse_not_built(cx, &proto);
    let interval = stats::flush_interval(cx, &proto);
    let resources = proto.static_resources.unwrap_or_default();
    let regex_engine = cx.optional(
        "default_regex_engine",
        proto.default_regex_engine,
        regex_engine,
    );
    let dns_resolver = cx.optional(
        "typed_dns_resolver_config",
        proto.typed_dns_resolver_config,
        |cx, typed| dns_resolver::of_typed(cx, &typed),
    );
    let stats = cx.field("stats_config", |cx| {
        stats::stats_config(cx, proto.stats_config, &options.stats_tags)
    });
    let overload = cx.optional("overload_manager", proto.overload_manager, overload);
    let dynamic = dynamic_resources(cx, proto.dynamic_resources.as_ref(), options.mode);
    let internal = bootstrap_extensions(cx, proto.bootstrap_extensions);
    let manager = proto.cluster_manager.unwrap_or_default();
    let load_stats = cx.field("cluster_manager", |cx| {
        let config = manager.load_stats_config.as_ref();
        cx.optional("load_stats_config", config, config_source::api_service)
    });
    let hds = cx.optional(
        "hds_config",
        proto.hds_config.as_ref(),
        config_source::api_service,
    );
    refused.and(regex_engine)?;
    Ok(Bootstrap {
        node: node::info(&full_node, &manager.local_cluster_name),
        outlier_event_log: manager.outlier_detection.unwrap_or_default().event_log_path,
        full_node,
        stats: stats?,
        stats_flush_interval: interval?,
        stats_flush_on_admin: matches!(
            proto.stats_flush,
            Some(proto::bootstrap::StatsFlush::StatsFlushOnAdmin(true))
        ),
        dns_resolver: dns_resolver?.unwrap_or_default(),
        server_version: proto.stats_server_version_override.map(|value| value.value),
        admin: proto.admin,
        layered_runtime: proto.layered_runtime,
        application_log: proto.application_log_config,
        secrets: resources.secrets,
        overload: overload?.unwrap_or_default(),
        dynamic: dynamic?,
        load_stats: load_stats?,
        hds: hds?,
        internal_buffer_limit: internal?,
    })
}

/// RE2's syntax is what regexes have here, so its engine may be asked for.
fn regex_engine(cx: &mut ParseCx, typed: TypedExtensionConfig) -> Parsed<()> {
    let config = typed.typed_config.unwrap_or_default();
    match nuncio_proto::any::type_name(&config) {
        "envoy.extensions.regex_engines.v3.GoogleRE2" => Ok(()),
        _ => Err(unknown_extension(cx, &typed.name, &config)),
    }
}

fn refuse_outlier_service(cx: &mut ParseCx, manager: &proto::ClusterManager) -> Parsed<()> {
    let outliers = manager.outlier_detection.as_ref();
    let service = outliers.is_some_and(|outliers| outliers.event_service.is_some());
    cx.field("outlier_detection", |cx| {
        cx.refuse("event_service", service)
    })
}

fn refuse_not_built(cx: &mut ParseCx, proto: &proto::Bootstrap) -> Parsed<()> {
    let manager = proto.cluster_manager.clone().unwrap_or_default();
    let checks = [
        ("flags_path", !proto.flags_path.is_empty()),
        ("stats_sinks", !proto.stats_sinks.is_empty()),
        ("watchdog", proto.watchdog.is_some()),
        ("watchdogs", proto.watchdogs.is_some()),
        ("tracing", proto.tracing.is_some()),
        ("enable_dispatcher_stats", proto.enable_dispatcher_stats),
        ("header_prefix", !proto.header_prefix.is_empty()),
        ("use_tcp_for_dns_lookups", proto.use_tcp_for_dns_lookups),
        (
            "dns_resolution_config",
            proto.dns_resolution_config.is_some(),
        ),
        ("node_context_params", !proto.node_context_params.is_empty()),
        ("fatal_actions", !proto.fatal_actions.is_empty()),
        ("config_sources", !proto.config_sources.is_empty()),
        (
            "default_config_source",
            proto.default_config_source.is_some(),
        ),
        (
            "default_socket_interface",
            !proto.default_socket_interface.is_empty(),
        ),
        (
            "certificate_provider_instances",
            !proto.certificate_provider_instances.is_empty(),
        ),
        ("inline_headers", !proto.inline_headers.is_empty()),
        (
            "perf_tracing_file_path",
            !proto.perf_tracing_file_path.is_empty(),
        ),
        (
            "xds_delegate_extension",
            proto.xds_delegate_extension.is_some(),
        ),
        (
            "xds_config_tracker_extension",
            proto.xds_config_tracker_extension.is_some(),
        ),
        ("listener_manager", proto.listener_manager.is_some()),
        (
            "grpc_async_client_manager_config",
            proto.grpc_async_client_manager_config.is_some(),
        ),
        (
            "memory_allocator_manager",
            proto.memory_allocator_manager.is_some(),
        ),
        (
            "enable_worker_cpu_affinity",
            proto.enable_worker_cpu_affinity,
        ),
    ];
    let mut result = Ok(());
    for (field, used) in checks {
        result = result.and(cx.refuse(field, used));
    }
    let of_manager = [(
        "upstream_bind_config",
        manager.upstream_bind_config.is_some(),
    )];
    cx.field("cluster_manager", |cx| {
        result = result.and(refuse_outlier_service(cx, &manager));
        for (field, used) in of_manager {
            result = result.and(cx.refuse(field, used));
        }
    });
    // Clusters here hold nothing before their first request, and stats no cells before they move:
    // `enable_deferred_cluster_creation` and `deferred_stat_options` ask for what always is.
    result
}
