//! `EndpointsConfigDump`: each cluster's hosts as they are now, whoever told of them.

use crate::cluster_manager::Cluster;
use nuncio_base::address::Address;
use nuncio_config::shown::{address, metadata};
use nuncio_proto::any;
use nuncio_proto::envoy::admin::v3::EndpointsConfigDump;
use nuncio_proto::envoy::admin::v3::endpoints_config_dump::{
    DynamicEndpointConfig, StaticEndpointConfig,
};
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::envoy::config::endpoint::v3 as proto;
use nuncio_proto::google::protobuf::UInt32Value;
use nuncio_upstream::host_set::LocalityHosts;
use nuncio_upstream::{Health, Host};
use proto::cluster_load_assignment::Policy;
use proto::lb_endpoint::HostIdentifier;
use std::rc::Rc;

/// The hosts of the clusters whose name, or that of their hosts, is wanted.
pub fn endpoints(clusters: &[Rc<Cluster>], wanted: &dyn Fn(&str) -> bool) -> EndpointsConfigDump {
    let mut dump = EndpointsConfigDump::default();
    for cluster in clusters {
        let spec = &cluster.info().spec;
        let name = cluster.service_name().unwrap_or(&spec.name);
        if !wanted(name) {
            continue;
        }
        let config = Some(any::pack(&assignment(cluster, name)));
        if spec.added_via_api {
            dump.dynamic_endpoint_configs.push(DynamicEndpointConfig {
                endpoint_config: config,
                ..Default::default()
            });
        } else {
            dump.static_endpoint_configs.push(StaticEndpointConfig {
                endpoint_config: config,
                last_updated: None,
            });
        }
    }
    dump
}

fn assignment(cluster: &Cluster, name: &str) -> proto::ClusterLoadAssignment {
    let hosts = cluster.hosts();
    let first = hosts.sets().first();
    let factor = first.map_or_else(Default::default, |set| set.provisioning());
    let endpoints = hosts.sets().iter().flat_map(|set| {
        let localities = set.localities().iter();
        localities.map(|of_locality| locality(of_locality, set.priority()))
    });
    proto::ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: endpoints.collect(),
        policy: Some(Policy {
            overprovisioning_factor: number(factor.overprovisioning_factor),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn number(value: u32) -> Option<UInt32Value> {
    Some(UInt32Value { value })
}

fn locality(hosts: &LocalityHosts, priority: u32) -> proto::LocalityLbEndpoints {
    let locality = &hosts.locality;
    proto::LocalityLbEndpoints {
        locality: Some(core::Locality {
            region: locality.region.clone(),
            zone: locality.zone.clone(),
            sub_zone: locality.sub_zone.clone(),
        }),
        lb_endpoints: hosts.lists.all.iter().map(|host| endpoint(host)).collect(),
        load_balancing_weight: number(hosts.weight),
        priority,
        ..Default::default()
    }
}

fn endpoint(host: &Host) -> proto::LbEndpoint {
    let own = host.address();
    // Only where health is asked for elsewhere.
    let checked = host.check_address();
    let port = match (&own, &checked) {
        (Address::Ip(own), Address::Ip(checked)) if own.port() != checked.port() => checked.port(),
        _ => 0,
    };
    let health = match host.health() {
        Health::Healthy => core::HealthStatus::Healthy,
        Health::Degraded => core::HealthStatus::Degraded,
        Health::Unhealthy => core::HealthStatus::Unhealthy,
    };
    proto::LbEndpoint {
        health_status: health as i32,
        metadata: host.metadata().map(|data| metadata(data)),
        load_balancing_weight: number(host.weight()),
        host_identifier: Some(HostIdentifier::Endpoint(proto::Endpoint {
            address: Some(address(&own)),
            health_check_config: Some(proto::endpoint::HealthCheckConfig {
                port_value: port.into(),
                ..Default::default()
            }),
            hostname: host.hostname().to_string(),
            ..Default::default()
        })),
    }
}
