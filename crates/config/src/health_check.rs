//! `envoy.config.core.v3.HealthCheck`.

use crate::common::structure;
use crate::health_check_http::{header, http_probe};
use crate::unknown_extension::unknown_extension;
use crate::{address, duration};
use bytes::Bytes;
use nuncio_base::metadata::{Fields, Value};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3 as proto;
use nuncio_proto::envoy::config::endpoint::v3::endpoint::HealthCheckConfig;
use nuncio_proto::envoy::extensions::health_check::event_sinks::file::v3::HealthCheckEventFileSink;
use nuncio_proto::google::protobuf::Any;
use nuncio_upstream::cluster::UpstreamProtocol;
use nuncio_upstream::health_check::{
    EndpointCheck, GrpcProbe, HealthCheckSpec, HealthEventSink, Intervals, Payload, Probe, TcpProbe,
};
use proto::health_check::{HealthChecker, TcpHealthCheck};
use std::sync::Arc;
use std::time::Duration;

/// The health check of a cluster.
///
/// # Errors
/// More than one; what the data plane can't do.
pub fn of_cluster(
    cx: &mut ParseCx,
    checks: &[proto::HealthCheck],
) -> Parsed<Option<Arc<HealthCheckSpec>>> {
    let parsed = cx.list(
        "health_checks",
        checks.iter().enumerate(),
        |cx, (at, check)| {
            if at > 0 {
                let message = "more than one health check is not supported by this build";
                return Err(cx.error(message));
            }
            health_check(cx, check)
        },
    )?;
    Ok(parsed.into_iter().next().map(Arc::new))
}

fn health_check(cx: &mut ParseCx, proto: &proto::HealthCheck) -> Parsed<HealthCheckSpec> {
    cx.refuse("event_service", proto.event_service.is_some())?;
    cx.refuse("tls_options", proto.tls_options.is_some())?;
    let criteria = proto.transport_socket_match_criteria.clone().map(structure);
    let criteria = criteria.map(|criteria| match criteria {
        Value::Struct(fields) => (*fields).clone(),
        _ => Fields::new(),
    });
    let timeout = duration::optional(cx, "timeout", proto.timeout)?;
    let intervals = intervals(cx, proto)?;
    let probe = match &proto.health_checker {
        Some(HealthChecker::HttpHealthCheck(http)) => {
            let http = cx.field("http_health_check", |cx| http_probe(cx, http))?;
            Probe::Http(Box::new(http))
        }
        Some(HealthChecker::TcpHealthCheck(tcp)) => {
            let tcp = cx.field("tcp_health_check", |cx| tcp_probe(cx, tcp))?;
            Probe::Tcp(tcp)
        }
        Some(HealthChecker::GrpcHealthCheck(grpc)) => {
            let add = &grpc.initial_metadata;
            let metadata = cx.field("grpc_health_check", |cx| {
                cx.list("initial_metadata", add, header)
            })?;
            Probe::Grpc(Box::new(GrpcProbe {
                service_name: grpc.service_name.clone(),
                authority: grpc.authority.as_str().into(),
                initial_metadata: metadata,
            }))
        }
        Some(HealthChecker::CustomHealthCheck(_)) => {
            return Err(cx.not_built("custom_health_check"));
        }
        None => return Err(cx.error("field: 'health_checker', reason: is required")),
    };
    Ok(HealthCheckSpec {
        timeout: timeout.unwrap_or_default(),
        intervals,
        unhealthy_threshold: proto.unhealthy_threshold.as_ref().map_or(0, |v| v.value),
        healthy_threshold: proto.healthy_threshold.as_ref().map_or(0, |v| v.value),
        reuse_connection: proto.reuse_connection.as_ref().is_none_or(|v| v.value),
        transport_socket_match_criteria: criteria,
        probe,
        sinks: sinks(cx, proto)?,
        always_log_failures: proto.always_log_health_check_failures,
        always_log_successes: proto.always_log_health_check_success,
    })
}

/// gRPC needs a cluster that speaks HTTP/2.
///
/// # Errors
/// Where it does not.
pub fn check_protocol(
    cx: &mut ParseCx,
    cluster: &str,
    check: Option<&HealthCheckSpec>,
    protocol: UpstreamProtocol,
) -> Parsed<()> {
    let grpc = check.is_some_and(|check| matches!(check.probe, Probe::Grpc(_)));
    let http1 = matches!(
        protocol,
        UpstreamProtocol::Http1 | UpstreamProtocol::Downstream { http2: false }
    );
    if grpc && http1 {
        let message = format!("{cluster} cluster must support HTTP/2 for gRPC healthchecking");
        return Err(cx.error_at("health_checks", message));
    }
    Ok(())
}

fn intervals(cx: &mut ParseCx, proto: &proto::HealthCheck) -> Parsed<Intervals> {
    let mut optional = |field, value| duration::optional(cx, field, value);
    let healthy = optional("interval", proto.interval)?.unwrap_or_default();
    let unhealthy = optional("unhealthy_interval", proto.unhealthy_interval)?;
    let unhealthy = unhealthy.unwrap_or(healthy);
    let healthy_edge = optional("healthy_edge_interval", proto.healthy_edge_interval)?;
    let unhealthy_edge = optional("unhealthy_edge_interval", proto.unhealthy_edge_interval)?;
    let no_traffic = optional("no_traffic_interval", proto.no_traffic_interval)?;
    let no_traffic = no_traffic.unwrap_or(Duration::from_secs(60));
    let field = "no_traffic_healthy_interval";
    let no_traffic_healthy = optional(field, proto.no_traffic_healthy_interval)?;
    Ok(Intervals {
        healthy,
        unhealthy,
        healthy_edge: healthy_edge.unwrap_or(healthy),
        unhealthy_edge: unhealthy_edge.unwrap_or(unhealthy),
        no_traffic,
        no_traffic_healthy: no_traffic_healthy.unwrap_or(no_traffic),
        jitter: optional("interval_jitter", proto.interval_jitter)?.unwrap_or_default(),
        jitter_percent: proto.interval_jitter_percent,
        initial_jitter: optional("initial_jitter", proto.initial_jitter)?.unwrap_or_default(),
    })
}

#[expect(deprecated, reason = "the older field is still in use")]
fn sinks(cx: &mut ParseCx, proto: &proto::HealthCheck) -> Parsed<Vec<Arc<dyn HealthEventSink>>> {
    let mut sinks = cx.list("event_logger", &proto.event_logger, |cx, sink| {
        let config = sink.typed_config.clone().unwrap_or_default();
        of_any(cx, &sink.name, &config)
    })?;
    if !proto.event_log_path.is_empty() {
        let config = nuncio_proto::any::pack(&HealthCheckEventFileSink {
            event_log_path: proto.event_log_path.clone(),
        });
        let sink = cx.field("event_log_path", |cx| of_any(cx, "event_log_path", &config))?;
        sinks.push(sink);
    }
    Ok(sinks)
}

fn of_any(cx: &mut ParseCx, name: &str, config: &Any) -> Parsed<Arc<dyn HealthEventSink>> {
    match cx.env().registry.health_check_sink(config) {
        Some(factory) => factory.parse(config, cx),
        None => Err(unknown_extension(cx, name, config)),
    }
}

fn tcp_probe(cx: &mut ParseCx, proto: &TcpHealthCheck) -> Parsed<TcpProbe> {
    let proxy_protocol = proto.proxy_protocol_config.is_some();
    cx.refuse("proxy_protocol_config", proxy_protocol)?;
    let send = cx.optional("send", proto.send.as_ref(), payload)?;
    Ok(TcpProbe {
        send: send.unwrap_or_default(),
        receive: Payload(cx.list("receive", &proto.receive, payload)?),
    })
}

/// Bytes, as they are or as hexadecimal digits.
pub(crate) fn payload(cx: &mut ParseCx, proto: &proto::health_check::Payload) -> Parsed<Bytes> {
    use proto::health_check::payload::Payload as Kind;
    match &proto.payload {
        Some(Kind::Text(text)) => {
            let bytes = from_hex(text);
            let invalid = || cx.error_at("text", format!("invalid hex string '{text}'"));
            bytes.ok_or_else(invalid).map(Bytes::from)
        }
        Some(Kind::Binary(bytes)) => Ok(Bytes::copy_from_slice(bytes)),
        None => Err(cx.error("field: 'payload', reason: is required")),
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let (pairs, rest) = digits.as_ref()?.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| (high * 16 + low) as u8);
    rest.is_empty().then(|| bytes.collect())
}

/// What an endpoint says of its own health checks.
///
/// # Errors
/// Addresses that need resolving; ports that are none.
pub fn of_endpoint(cx: &mut ParseCx, proto: HealthCheckConfig) -> Parsed<EndpointCheck> {
    let Ok(port) = u16::try_from(proto.port_value) else {
        return Err(cx.error_at("port_value", "value must be less than or equal to 65535"));
    };
    let address = cx.optional("address", proto.address, address::address)?;
    Ok(EndpointCheck {
        address: address.map(|address| address.address),
        port: Some(port).filter(|port| *port != 0),
        hostname: proto.hostname.into(),
        disabled: proto.disable_active_health_check,
    })
}
