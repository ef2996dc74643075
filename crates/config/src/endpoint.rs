//! `envoy.config.endpoint.v3.ClusterLoadAssignment`: the endpoints of a cluster.

use crate::address;
use crate::common;
use crate::health_check;
use crate::proxy_protocol::added_by_host;
use nuncio_base::address::Address;
use nuncio_extension::{Invalid, ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::envoy::config::endpoint::v3 as proto;
use nuncio_upstream::discovery::{Endpoint, LoadAssignment};
use nuncio_upstream::health::{EDS_HEALTHY, EDS_TIMEOUT};
use nuncio_upstream::host_set::Provisioning;
use nuncio_upstream::{HealthFlag, HostSpec, Locality};
use proto::lb_endpoint::HostIdentifier;
use std::sync::Arc;

pub use proto::locality_lb_endpoints::LbConfig;

/// Where an endpoint is: at an address, or at a name that DNS resolves.
enum Target {
    Address(Address),
    Name { host: String, port: u16 },
}

/// The resolver that an endpoint's address names.
pub fn resolver_name(endpoint: &proto::LbEndpoint) -> Option<&str> {
    let Some(HostIdentifier::Endpoint(endpoint)) = &endpoint.host_identifier else {
        return None;
    };
    match &endpoint.address.as_ref()?.address {
        Some(core::address::Address::SocketAddress(socket)) => Some(&socket.resolver_name),
        _ => None,
    }
}

/// Envoy's words for a name where an address is needed.
pub fn malformed(host: &str) -> String {
    format!(
        "malformed IP address: {host}. Consider setting resolver_name or setting cluster type to \
         'STRICT_DNS' or 'LOGICAL_DNS'"
    )
}

/// Records an error of the address of an endpoint, by its place among all of the assignment's.
pub fn error_at(
    cx: &mut ParseCx,
    assignment: Option<&proto::ClusterLoadAssignment>,
    mut at: usize,
    message: String,
) -> Invalid {
    let localities = assignment.map_or(&[][..], |assignment| &assignment.endpoints);
    for (number, locality) in localities.iter().enumerate() {
        let count = locality.lb_endpoints.len();
        if at < count {
            let record =
                |cx: &mut ParseCx| cx.field("endpoint", |cx| cx.error_at("address", message));
            let of_locality =
                |cx: &mut ParseCx| cx.field("lb_endpoints", |cx| cx.index(at, record));
            return cx.field("endpoints", |cx| cx.index(number, of_locality));
        }
        at -= count;
    }
    cx.error(message)
}

fn target(cx: &mut ParseCx, proto: core::Address) -> Parsed<Target> {
    if let Some(core::address::Address::SocketAddress(socket)) = &proto.address
        && socket.address.parse::<std::net::IpAddr>().is_err()
    {
        let port = match socket.port_specifier {
            Some(core::socket_address::PortSpecifier::PortValue(port)) => port,
            _ => 0,
        };
        let Ok(port) = u16::try_from(port) else {
            return Err(cx.error("value must be less than or equal to 65535"));
        };
        return Ok(Target::Name {
            host: socket.address.clone(),
            port,
        });
    }
    let parsed = address::address(cx, proto)?;
    Ok(Target::Address(parsed.address))
}

/// Converts the endpoints.
///
/// # Errors
/// Recorded in `cx`.
pub fn load_assignment(
    cx: &mut ParseCx,
    proto: proto::ClusterLoadAssignment,
) -> Parsed<LoadAssignment> {
    cx.refuse("named_endpoints", !proto.named_endpoints.is_empty())?;
    let policy = proto.policy.unwrap_or_default();
    let default = Provisioning::default();
    let provisioning = Provisioning {
        overprovisioning_factor: policy
            .overprovisioning_factor
            .map_or(default.overprovisioning_factor, |value| value.value),
        weighted_priority_health: policy.weighted_priority_health,
    };
    cx.field("policy", |cx| {
        cx.refuse("drop_overloads", !policy.drop_overloads.is_empty())?;
        cx.refuse(
            "endpoint_stale_after",
            policy.endpoint_stale_after.is_some(),
        )
    })?;
    let mut all = LoadAssignment {
        provisioning,
        ..LoadAssignment::default()
    };
    let localities = cx.list("endpoints", proto.endpoints, |cx, group| {
        let priority = group.priority;
        let weight = group
            .load_balancing_weight
            .as_ref()
            .map_or(0, |value| value.value);
        let (locality, endpoints) = locality(cx, group)?;
        Ok((priority, weight, locality, endpoints))
    })?;
    for (priority, weight, locality, endpoints) in localities {
        if weight > 0 {
            all.locality_weights
                .entry(priority)
                .or_default()
                .insert(locality, weight);
        }
        if all.endpoints.is_empty() {
            // Mostly the only list there is: it stays without room for more.
            all.endpoints = endpoints;
        } else {
            all.endpoints.extend(endpoints);
        }
    }
    Ok(all)
}

/// Refuses what a local cluster may not have: zone-aware routing looks at its first priority only.
///
/// # Errors
/// Recorded in `cx`.
pub fn check_local(
    cx: &mut ParseCx,
    cluster: &str,
    assignment: LoadAssignment,
) -> Parsed<LoadAssignment> {
    let is_local = *cx.env().node.local_cluster == *cluster && !cluster.is_empty();
    let mut priorities = assignment.endpoints.iter().map(|one| one.host.priority);
    if is_local && priorities.any(|priority| priority > 0) {
        return Err(cx.error(format!(
            "Unexpected non-zero priority for local cluster '{cluster}'."
        )));
    }
    Ok(assignment)
}

fn locality(
    cx: &mut ParseCx,
    proto: proto::LocalityLbEndpoints,
) -> Parsed<(Arc<Locality>, Vec<Endpoint>)> {
    let place = proto.locality.unwrap_or_default();
    let locality = Arc::new(Locality {
        region: place.region,
        zone: place.zone,
        sub_zone: place.sub_zone,
    });
    let metadata = proto
        .metadata
        .map(|metadata| common::metadata(Some(metadata)));
    // A list that may also come from elsewhere, or is in its newer place.
    let endpoints = match proto.lb_config {
        None => proto.lb_endpoints,
        Some(LbConfig::LoadBalancerEndpoints(list)) => list.lb_endpoints,
        Some(LbConfig::LedsClusterLocalityConfig(_)) => {
            return Err(cx.not_built("leds_cluster_locality_config"));
        }
    };
    let endpoints = cx.list("lb_endpoints", endpoints, |cx, endpoint| {
        let mut endpoint = lb_endpoint(cx, endpoint)?;
        endpoint.host.locality = Arc::clone(&locality);
        endpoint.host.locality_metadata.clone_from(&metadata);
        endpoint.host.priority = proto.priority;
        Ok(endpoint)
    })?;
    Ok((locality, endpoints))
}

fn lb_endpoint(cx: &mut ParseCx, proto: proto::LbEndpoint) -> Parsed<Endpoint> {
    let health_flags = match proto.health_status() {
        core::HealthStatus::Unknown => 0,
        core::HealthStatus::Healthy => EDS_HEALTHY,
        core::HealthStatus::Unhealthy => HealthFlag::FailedEdsHealth as u32,
        core::HealthStatus::Timeout => HealthFlag::FailedEdsHealth as u32 | EDS_TIMEOUT,
        core::HealthStatus::Draining => HealthFlag::EdsStatusDraining as u32,
        core::HealthStatus::Degraded => HealthFlag::DegradedEdsHealth as u32,
    };
    let weight = proto
        .load_balancing_weight
        .as_ref()
        .map_or(1, |value| value.value);
    let added_tlvs = added_by_host(proto.metadata.as_ref());
    let metadata = proto
        .metadata
        .map(|metadata| common::metadata(Some(metadata)));
    let Some(HostIdentifier::Endpoint(endpoint)) = proto.host_identifier else {
        return Err(cx.error("Address must be set"));
    };
    cx.field("endpoint", |cx| {
        let Some(address) = endpoint.address else {
            return Err(cx.error("Address must be set"));
        };
        let (address, name) = match cx.field("address", |cx| target(cx, address))? {
            Target::Address(address) => (address, None),
            Target::Name { host, port } => {
                let name: Arc<str> = host.into();
                (Address::Pipe(Arc::clone(&name)), Some((name, port)))
            }
        };
        let more = cx.list(
            "additional_addresses",
            endpoint.additional_addresses,
            |cx, more| {
                let more = more.address.unwrap_or_default();
                Ok(cx
                    .field("address", |cx| address::address(cx, more))?
                    .address)
            },
        )?;
        let check = cx.optional(
            "health_check_config",
            endpoint.health_check_config,
            health_check::of_endpoint,
        )?;
        let host = HostSpec {
            additional_addresses: more,
            hostname: endpoint.hostname.into(),
            metadata,
            weight,
            health_flags,
            check: check.map(Arc::new),
            added_tlvs,
            ..HostSpec::new(address)
        };
        Ok(Endpoint { host, name })
    })
}
