//! How a cluster speaks HTTP: `envoy.extensions.upstreams.http.v3.HttpProtocolOptions`, or the
//! older fields of the cluster itself.

use crate::cluster_target::header_to_ask;
use crate::http_filters;
use crate::repeated::Repeated;
use crate::{duration, h1, h2, tcp_protocol_options};
use nuncio_codec::h1::H1Settings;
use nuncio_codec::h2::H2Settings;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::cluster::v3::Cluster;
use nuncio_proto::envoy::config::cluster::v3::cluster::ClusterProtocolSelection;
use nuncio_proto::envoy::config::core::v3::{
    Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions as Common,
    UpstreamHttpProtocolOptions,
};
use nuncio_proto::envoy::extensions::upstreams::http::v3 as proto;
use nuncio_upstream::cluster::{HttpOptions, UpstreamProtocol};
use nuncio_upstream::peer_names::PeerNameRules;
use proto::http_protocol_options::explicit_http_config::ProtocolConfig;
use proto::http_protocol_options::{ExplicitHttpConfig, UpstreamProtocolOptions};
use std::any::Any;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

static HTTP1: Repeated<H1Settings> = Repeated::new();
static HTTP2: Repeated<H2Settings> = Repeated::new();

const NAME: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const OLD_NAME: &str = "envoy.upstreams.http.http_protocol_options";

/// Converts what a cluster says of HTTP.
///
/// # Errors
/// Recorded in `cx`.
pub fn of_cluster(cx: &mut ParseCx, cluster: &Cluster) -> Parsed<HttpOptions> {
    let requests = cluster
        .max_requests_per_connection
        .as_ref()
        .map(|value| value.value);
    let mut typed = None;
    for (key, any) in &cluster.typed_extension_protocol_options {
        cx.field("typed_extension_protocol_options", |cx| {
            cx.key(key, |cx| {
                let name = nuncio_proto::any::type_name(any);
                // Envoy finds them by their names in this map.
                if tcp_protocol_options::is(key, any) {
                    return Ok(());
                }
                if name != NAME || !matches!(&**key, NAME | OLD_NAME) {
                    return Err(cx.error(format!(
                        "Didn't find a registered network or http filter or protocol options \
                         implementation for name: '{key}'"
                    )));
                }
                typed = Some((key.clone(), cx.unpack::<proto::HttpProtocolOptions>(any)?));
                Ok(())
            })
        })?;
    }
    match typed {
        Some((key, options)) => cx.field("typed_extension_protocol_options", |cx| {
            cx.key(&key, |cx| of_typed(cx, options, requests, &cluster.name))
        }),
        None => {
            let versions = of_older_fields(cx, cluster)?;
            let common = cluster.common_http_protocol_options;
            let options = options(cx, common, versions, requests)?;
            let names = cluster.upstream_http_protocol_options.as_ref();
            Ok(HttpOptions {
                peer_names: names.and_then(peer_names),
                ..options
            })
        }
    }
}

/// What is said of each version, and which is spoken.
#[derive(Default)]
struct Versions {
    protocol: UpstreamProtocol,
    http1: Option<Http1ProtocolOptions>,
    http2: Option<H2Settings>,
}

/// The older fields: HTTP/2 where its options are there, unless the downstream's protocol counts.
fn of_older_fields(cx: &mut ParseCx, cluster: &Cluster) -> Parsed<Versions> {
    let configured =
        cluster.protocol_selection() == ClusterProtocolSelection::UseConfiguredProtocol;
    let has_http2 = cluster.http2_protocol_options.is_some();
    if configured && has_http2 && cluster.http_protocol_options.is_some() {
        return Err(cx.error(
            "cluster: Both HTTP1 and HTTP2 options may only be configured with non-default \
             'protocol_selection' values",
        ));
    }
    Ok(Versions {
        protocol: match configured {
            false => UpstreamProtocol::Downstream { http2: has_http2 },
            true if has_http2 => UpstreamProtocol::Http2,
            true => UpstreamProtocol::Http1,
        },
        http1: cluster.http_protocol_options.clone(),
        http2: http2(cx, cluster.http2_protocol_options.as_ref())?,
    })
}

fn http2(cx: &mut ParseCx, options: Option<&Http2ProtocolOptions>) -> Parsed<Option<H2Settings>> {
    let convert = |options| {
        cx.field("http2_protocol_options", |cx| {
            h2::settings(cx, options, None)
        })
    };
    options.map(convert).transpose()
}

fn of_typed(
    cx: &mut ParseCx,
    typed: proto::HttpProtocolOptions,
    requests: Option<u32>,
    cluster: &str,
) -> Parsed<HttpOptions> {
    let peer_names = typed
        .upstream_http_protocol_options
        .as_ref()
        .map(peer_names);
    let has_filters = !typed.http_filters.is_empty();
    let filter_cx = HttpFilterCx::new(format!("cluster.{cluster}."), true);
    let chain = http_filters::chain(cx, "http_filters", typed.http_filters, &filter_cx)?;
    cx.refuse(
        "header_validation_config",
        typed.header_validation_config.is_some(),
    )?;
    cx.refuse("outlier_detection", typed.outlier_detection.is_some())?;
    cx.refuse(
        "request_mirror_policies",
        !typed.request_mirror_policies.is_empty(),
    )?;
    cx.refuse("hash_policy", !typed.hash_policy.is_empty())?;
    cx.refuse("retry_policy", typed.retry_policy.is_some())?;
    let versions = match typed.upstream_protocol_options {
        Some(UpstreamProtocolOptions::ExplicitHttpConfig(explicit)) => {
            cx.field("explicit_http_config", |cx| explicit_versions(cx, explicit))?
        }
        Some(UpstreamProtocolOptions::UseDownstreamProtocolConfig(config)) => {
            cx.field("use_downstream_protocol_config", |cx| {
                let has_http3 = config.http3_protocol_options.is_some();
                cx.refuse("http3_protocol_options", has_http3)?;
                Ok(Versions {
                    protocol: UpstreamProtocol::Downstream {
                        http2: config.http2_protocol_options.is_some(),
                    },
                    http1: config.http_protocol_options,
                    http2: http2(cx, config.http2_protocol_options.as_ref())?,
                })
            })?
        }
        Some(UpstreamProtocolOptions::AutoConfig(config)) => cx.field("auto_config", |cx| {
            let has_http3 = config.http3_protocol_options.is_some();
            cx.refuse("http3_protocol_options", has_http3)?;
            cx.refuse(
                "alternate_protocols_cache_options",
                config.alternate_protocols_cache_options.is_some(),
            )?;
            Ok(Versions {
                protocol: UpstreamProtocol::Auto,
                http1: config.http_protocol_options,
                http2: http2(cx, config.http2_protocol_options.as_ref())?,
            })
        })?,
        None => Versions::default(),
    };
    let options = options(cx, typed.common_http_protocol_options, versions, requests)?;
    let filters: Arc<dyn Any + Send + Sync> = Arc::new(chain);
    Ok(HttpOptions {
        peer_names: peer_names.flatten(),
        filters: has_filters.then_some(filters),
        ..options
    })
}

/// What becomes of the host header in handshakes; `None` where nothing does.
fn peer_names(proto: &UpstreamHttpProtocolOptions) -> Option<PeerNameRules> {
    let header = Some(&proto.override_auto_sni_header).filter(|name| !name.is_empty());
    (proto.auto_sni || proto.auto_san_validation).then(|| PeerNameRules {
        auto_sni: proto.auto_sni,
        auto_san_validation: proto.auto_san_validation,
        header: header.map(|name| header_to_ask(name)),
    })
}

fn explicit_versions(cx: &mut ParseCx, explicit: ExplicitHttpConfig) -> Parsed<Versions> {
    match explicit.protocol_config {
        Some(ProtocolConfig::HttpProtocolOptions(options)) => Ok(Versions {
            http1: Some(options),
            ..Versions::default()
        }),
        Some(ProtocolConfig::Http2ProtocolOptions(options)) => Ok(Versions {
            protocol: UpstreamProtocol::Http2,
            http1: None,
            http2: http2(cx, Some(&options))?,
        }),
        Some(ProtocolConfig::Http3ProtocolOptions(_)) => {
            Err(cx.not_built("http3_protocol_options"))
        }
        None => Ok(Versions::default()),
    }
}

fn options(
    cx: &mut ParseCx,
    common: Option<Common>,
    versions: Versions,
    requests: Option<u32>,
) -> Parsed<HttpOptions> {
    let common = common.unwrap_or_default();
    let mut settings = h1::settings(cx, versions.http1)?;
    let mut http2 = versions.http2.unwrap_or_default();
    let client = H1Settings::client();
    settings.max_headers_kb = common
        .max_response_headers_kb
        .as_ref()
        .map_or(client.max_headers_kb, |v| v.value);
    settings.max_headers_count = common
        .max_headers_count
        .as_ref()
        .map_or(client.max_headers_count, |v| v.value);
    http2.max_headers_kb = settings.max_headers_kb;
    http2.max_headers_count = settings.max_headers_count;
    cx.field("common_http_protocol_options", |cx| {
        cx.refuse(
            "max_connection_duration_jitter",
            common.max_connection_duration_jitter.is_some(),
        )?;
        let hour = Duration::from_secs(3600);
        let of_common = common
            .max_requests_per_connection
            .as_ref()
            .map(|value| value.value);
        Ok(HttpOptions {
            idle_timeout: duration::limit(cx, "idle_timeout", common.idle_timeout, Some(hour))?,
            max_connection_duration: duration::limit(
                cx,
                "max_connection_duration",
                common.max_connection_duration,
                None,
            )?,
            max_stream_duration: duration::limit(
                cx,
                "max_stream_duration",
                common.max_stream_duration,
                None,
            )?,
            max_requests_per_connection: of_common.or(requests).and_then(NonZeroU32::new),
            peer_names: None,
            protocol: versions.protocol,
            http2: HTTP2.share(http2),
            http1: HTTP1.share(settings),
            filters: None,
        })
    })
}
