//! `envoy.config.core.v3.ConfigSource`: where resources come from.

use crate::duration;
use crate::grpc_service::grpc_service;
use nuncio_extension::{ParseCx, Parsed, ServerEnv};
use nuncio_grpc::GrpcService;
use nuncio_proto::envoy::config::core::v3 as proto;
use nuncio_xds::{ApiSource, ConfigSource, PathSource, RateLimit, ResourceType, RestSource};
use proto::ApiVersion;
use proto::api_config_source::ApiType;
use proto::config_source::ConfigSourceSpecifier;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Converts where resources come from. For files, which are there or not, `initial_fetch_timeout`
/// means nothing.
///
/// # Errors
/// Recorded in `cx`.
pub fn config_source(
    cx: &mut ParseCx,
    proto: &proto::ConfigSource,
    kind: ResourceType,
) -> Parsed<ConfigSource> {
    check_local_info(cx, &kind.type_url())?;
    sound_config_source(cx, proto)
}

/// As [`config_source`], whoever asks.
///
/// # Errors
/// Recorded in `cx`.
pub fn sound_config_source(cx: &mut ParseCx, proto: &proto::ConfigSource) -> Parsed<ConfigSource> {
    let converted = unchecked_config_source(cx, proto)?;
    let cluster = match &converted {
        // One that is named by its address is there.
        ConfigSource::Api(source, _) if source.service.google.is_some() => return Ok(converted),
        ConfigSource::Api(source, _) => &source.service.cluster,
        ConfigSource::Rest(source, _) => &source.cluster,
        ConfigSource::Path(_) | ConfigSource::Ads(_) => return Ok(converted),
    };
    cx.field("api_config_source", |cx| check_cluster(cx, cluster))?;
    Ok(converted)
}

/// As [`sound_config_source`], but a control plane's cluster need not be there, as with SDS: its
/// secrets are asked for when everything else is there.
///
/// # Errors
/// Recorded in `cx`.
pub fn unchecked_config_source(
    cx: &mut ParseCx,
    proto: &proto::ConfigSource,
) -> Parsed<ConfigSource> {
    cx.refuse("authorities", !proto.authorities.is_empty())?;
    match &proto.config_source_specifier {
        None => Err(cx.error("value is required")),
        Some(ConfigSourceSpecifier::Path(path)) => path_source(cx, "path", path, None),
        Some(ConfigSourceSpecifier::PathConfigSource(source)) => {
            cx.field("path_config_source", |cx| {
                let directory = source.watched_directory.as_ref();
                let directory = directory.map(|directory| PathBuf::from(&directory.path));
                if let Some(missing) = directory.as_ref().filter(|it| !it.exists()) {
                    let message = format!(
                        "unable to add filesystem watch for file {}/: No such file or directory",
                        missing.display()
                    );
                    return Err(cx.error_at("watched_directory", message));
                }
                path_source(cx, "path", &source.path, directory)
            })
        }
        Some(ConfigSourceSpecifier::ApiConfigSource(source)) => {
            let timeout = first_fetch(cx, proto)?;
            cx.field("api_config_source", |cx| {
                if matches!(
                    source.api_type(),
                    ApiType::AggregatedGrpc | ApiType::AggregatedDeltaGrpc
                ) {
                    let kind = source.api_type().as_str_name();
                    let message = format!("Unsupported config source {kind}");
                    return Err(cx.error_at("api_type", message));
                }
                if source.api_type() == ApiType::Rest {
                    return Ok(ConfigSource::Rest(rest_source(cx, source)?, timeout));
                }
                Ok(ConfigSource::Api(api_source(cx, source)?, timeout))
            })
        }
        Some(ConfigSourceSpecifier::Ads(_)) => Ok(ConfigSource::Ads(first_fetch(cx, proto)?)),
        Some(ConfigSourceSpecifier::Self_(_)) => {
            let message =
                "Missing config source specifier in envoy::config::core::v3::ConfigSource";
            Err(cx.error_at("self", message))
        }
    }
}

/// How long the first answer may take; zero for any time.
fn first_fetch(cx: &mut ParseCx, proto: &proto::ConfigSource) -> Parsed<Duration> {
    let timeout = duration::optional(cx, "initial_fetch_timeout", proto.initial_fetch_timeout)?;
    Ok(timeout.unwrap_or(Duration::from_secs(15)))
}

/// Control planes are behind clusters that are there before any of them has answered.
fn check_cluster(cx: &mut ParseCx, name: &str) -> Parsed<()> {
    if cx.env().is_primary_cluster(name) {
        return Ok(());
    }
    Err(cx.error(format!(
        "envoy.config.core.v3.ApiConfigSource must have a statically defined non-EDS cluster: \
         '{name}' does not exist, was added via api, or is an EDS cluster"
    )))
}

/// Whether the node says who it is, as far as that is known: control planes are told.
#[derive(Default)]
pub struct LocalInfo(Cell<Option<bool>>);

impl LocalInfo {
    /// Says whose configuration is parsed.
    pub fn set(env: &ServerEnv, id: &str, cluster: &str) {
        let named = !id.is_empty() && !cluster.is_empty();
        env.shared(Self::default).0.set(Some(named));
    }
}

/// Whoever asks for resources has a name, and belongs to a cluster.
///
/// # Errors
/// Recorded in `cx`.
pub fn check_local_info(cx: &mut ParseCx, what: &str) -> Parsed<()> {
    if cx.env().shared(LocalInfo::default).0.get() != Some(false) {
        return Ok(());
    }
    Err(cx.error(format!(
        "{what}: node 'id' and 'cluster' are required. Set it either in 'node' config or via \
         --service-node and --service-cluster options."
    )))
}

/// The old version of the protocol is gone.
fn check_version(cx: &mut ParseCx, proto: &proto::ApiConfigSource) -> Parsed<()> {
    if proto.transport_api_version() != ApiVersion::V2 {
        return Ok(());
    }
    let message = "V2 xDS transport protocol version is deprecated in this field: it is gone";
    Err(cx.error_at("transport_api_version", message))
}

/// Converts a control plane that is asked over HTTP.
fn rest_source(cx: &mut ParseCx, proto: &proto::ApiConfigSource) -> Parsed<Arc<RestSource>> {
    if !proto.grpc_services.is_empty() {
        let message = "envoy.config.core.v3.ApiConfigSource, if not a gRPC type, must not have a \
                       gRPC service specified";
        return Err(cx.error_at("grpc_services", message));
    }
    check_version(cx, proto)?;
    let cluster = match &proto.cluster_names[..] {
        [] => {
            let message = "API configs must have either a gRPC service or a cluster name defined";
            return Err(cx.error(message));
        }
        [cluster] => cluster,
        _ => {
            let message = "envoy.config.core.v3.ApiConfigSource must have a singleton cluster \
                           name specified";
            return Err(cx.error_at("cluster_names", message));
        }
    };
    cx.refuse("config_validators", !proto.config_validators.is_empty())?;
    let delay = duration::optional(cx, "refresh_delay", proto.refresh_delay)?;
    let Some(refresh_delay) = delay else {
        let message = "refresh_delay is required for REST API configuration sources";
        return Err(cx.error_at("refresh_delay", message));
    };
    let timeout = duration::optional(cx, "request_timeout", proto.request_timeout)?;
    Ok(Arc::new(RestSource {
        cluster: cluster.as_str().into(),
        refresh_delay,
        request_timeout: timeout.unwrap_or(Duration::from_secs(1)),
    }))
}

/// Converts a control plane that is told of this process instead of being asked for resources.
///
/// # Errors
/// Recorded in `cx`.
pub fn api_service(cx: &mut ParseCx, proto: &proto::ApiConfigSource) -> Parsed<Arc<GrpcService>> {
    Ok(Arc::clone(&api_source(cx, proto)?.service))
}

/// Converts a control plane that is asked over gRPC.
///
/// # Errors
/// Recorded in `cx`.
pub fn api_source(cx: &mut ParseCx, proto: &proto::ApiConfigSource) -> Parsed<Arc<ApiSource>> {
    check_version(cx, proto)?;
    let delta = match proto.api_type() {
        ApiType::Grpc | ApiType::AggregatedGrpc => false,
        ApiType::DeltaGrpc | ApiType::AggregatedDeltaGrpc => true,
        ApiType::Rest => return Err(cx.not_built("api_type")),
        ApiType::DeprecatedAndUnavailableDoNotUse => {
            let message = "REST_LEGACY no longer a supported ApiConfigSource. Please specify an \
                           explicit supported api_type";
            return Err(cx.error_at("api_type", message));
        }
    };
    if !proto.cluster_names.is_empty() {
        let message = "envoy.config.core.v3.ApiConfigSource::(AGGREGATED_)(DELTA_)GRPC must not \
                       have a cluster name specified";
        return Err(cx.error_at("cluster_names", message));
    }
    let validators = !proto.config_validators.is_empty();
    cx.refuse("config_validators", validators)?;
    let [service] = &proto.grpc_services[..] else {
        return Err(cx.error(match proto.grpc_services.len() {
            0 => "API configs must have either a gRPC service or a cluster name defined",
            _ => {
                "envoy.config.core.v3.ApiConfigSource::(AGGREGATED_)(DELTA_)GRPC must have no more \
                 than 1 gRPC services specified"
            }
        }));
    };
    let service = cx.field("grpc_services", |cx| {
        cx.index(0, |cx| grpc_service(cx, service.clone()))
    })?;
    Ok(Arc::new(ApiSource {
        service,
        delta,
        node_on_first_message_only: proto.set_node_on_first_message_only,
        rate_limit: proto.rate_limit_settings.as_ref().map(rate_limit),
    }))
}

/// 100 at once and 10 a second where nothing is said.
fn rate_limit(proto: &proto::RateLimitSettings) -> RateLimit {
    let fill_rate = proto.fill_rate.map_or(10.0, |rate| rate.value);
    // Envoy fills no slower than once a year either.
    let seconds = (1.0 / fill_rate).clamp(0.0, 31_536_000.0);
    RateLimit {
        max_tokens: proto.max_tokens.map_or(100, |tokens| tokens.value),
        interval: Duration::from_secs_f64(seconds),
    }
}

fn path_source(
    cx: &mut ParseCx,
    field: &'static str,
    path: &str,
    watched_directory: Option<PathBuf>,
) -> Parsed<ConfigSource> {
    if !Path::new(path).exists() {
        let message =
            format!("paths must refer to an existing path in the system: '{path}' does not exist");
        return Err(cx.error_at(field, message));
    }
    Ok(ConfigSource::Path(Arc::new(PathSource {
        path: path.into(),
        watched_directory,
        is_collection: false,
    })))
}

/// Converts a resource locator that leads to a file; of others there is no transport here.
///
/// # Errors
/// Recorded in `cx`.
pub fn locator(cx: &mut ParseCx, field: &'static str, locator: &str) -> Parsed<ConfigSource> {
    let Some(path) = locator
        .strip_prefix("file://")
        .filter(|path| path.starts_with('/'))
    else {
        return Err(cx.not_built(field));
    };
    Ok(ConfigSource::Path(Arc::new(PathSource {
        path: path.into(),
        watched_directory: None,
        is_collection: true,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::convert;

    #[test]
    fn what_is_refused() {
        let service = "grpc_services: [{envoy_grpc: {cluster_name: c}}]";
        for (yaml, error) in [
            (
                format!("api_type: GRPC, transport_api_version: V2, {service}"),
                "V2 xDS transport",
            ),
            (
                format!("api_type: AGGREGATED_GRPC, {service}"),
                "source AGGREGATED_GRPC",
            ),
            (
                format!("api_type: AGGREGATED_DELTA_GRPC, {service}"),
                "source AGGREGATED_DELTA_GRPC",
            ),
            (
                "api_type: DEPRECATED_AND_UNAVAILABLE_DO_NOT_USE".to_owned(),
                "REST_LEGACY no longer a supported ApiConfigSource",
            ),
            (
                "api_type: GRPC".to_owned(),
                "must have either a gRPC service or a cluster name",
            ),
            (
                format!("api_type: GRPC, cluster_names: [c], {service}"),
                "must not have a cluster name specified",
            ),
            (
                "api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: c}},
                 {envoy_grpc: {cluster_name: d}}]"
                    .to_owned(),
                "must have no more than 1 gRPC services specified",
            ),
        ] {
            let yaml = format!("{{api_config_source: {{{yaml}}}}}");
            let found = convert(&yaml, |cx, source: proto::ConfigSource| {
                config_source(cx, &source, ResourceType::Cluster)
            });
            let found = found.unwrap_err();
            assert!(found.contains(error), "{yaml}: {found}");
        }
        let missing = "{path_config_source: {path: /dev/null, watched_directory: {path: /nope}}}";
        for (yaml, error) in [
            ("{self: {}}", "Missing config source specifier"),
            (
                missing,
                "unable to add filesystem watch for file /nope/: No such file or directory",
            ),
        ] {
            let found = convert(yaml, |cx, source: proto::ConfigSource| {
                sound_config_source(cx, &source)
            });
            let found = found.unwrap_err();
            assert!(found.contains(error), "{yaml}: {found}");
        }
    }

    #[test]
    fn who_asks_has_a_name() {
        for (id, cluster, is_known) in [("a", "b", true), ("a", "", false), ("", "b", false)] {
            let found = convert("{ads: {}}", |cx, source: proto::ConfigSource| {
                LocalInfo::set(cx.env(), id, cluster);
                config_source(cx, &source, ResourceType::Cluster)
            });
            let text = "envoy.config.cluster.v3.Cluster: node 'id' and 'cluster' are required.";
            assert_eq!(found.is_ok(), is_known);
            assert!(found.err().is_none_or(|error| error.contains(text)));
        }
    }
}
