//! What a control plane wants to be checked, as clusters; and what came of it.

use crate::cluster_manager::Cluster;
use core::health_check::HealthChecker;
use nuncio_config::eds::refusal;
use nuncio_config::shown::address;
use nuncio_extension::{ParseCx, ServerEnv};
use nuncio_proto::envoy::config::cluster::v3 as cluster;
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::envoy::config::endpoint::v3 as endpoint;
use nuncio_proto::envoy::service::health::v3 as proto;
use nuncio_proto::google::protobuf::{Duration as ProtoDuration, UInt32Value};
use nuncio_proto::{Message, load};
use nuncio_upstream::discovery::ClusterConfig;
use nuncio_upstream::health::HealthFlag;
use nuncio_upstream::{Health, Host};
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

/// Before the names of these clusters, as they may be those of others.
const PREFIX: &str = "\u{1}hds ";

/// What is reported between, where nothing is said.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

/// No report follows another sooner, whatever is asked for.
pub(super) const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// What is to be checked.
pub(super) struct Specifier {
    /// As it came over the stream that is open.
    message: Option<Vec<u8>>,
    names: Vec<String>,
    /// How long between reports.
    pub interval: Duration,
}

impl Default for Specifier {
    /// Nothing is.
    fn default() -> Self {
        Self {
            message: None,
            names: Vec::new(),
            interval: DEFAULT_INTERVAL,
        }
    }
}

/// A cluster to be checked.
pub(super) struct Checked {
    /// The encoded `Cluster`.
    pub proto: Vec<u8>,
    /// The same, converted.
    pub config: ClusterConfig,
}

impl Specifier {
    /// Reads what is wanted now; none where it is what was wanted before.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(
        &self,
        env: &Rc<ServerEnv>,
        message: &[u8],
    ) -> Result<Option<(Self, Vec<Checked>)>, String> {
        if self.message.as_deref() == Some(message) {
            return Ok(None);
        }
        let Some(kind) = load::message_of::<proto::HealthCheckSpecifier>() else {
            return Err("HealthCheckSpecifier is missing from the tables".to_owned());
        };
        let loaded = load::bytes(message.to_vec(), kind, &load::Options::default());
        let loaded = loaded.map_err(|errors| errors.to_string())?;
        let wanted: proto::HealthCheckSpecifier =
            loaded.decode().map_err(|errors| errors.to_string())?;
        let interval = wanted.interval.map_or(DEFAULT_INTERVAL, |interval| {
            let seconds = u64::try_from(interval.seconds).unwrap_or(0);
            let nanos = u32::try_from(interval.nanos).unwrap_or(0).min(999_999_999);
            // A century can be added to times.
            Duration::new(seconds.min(3_153_600_000), nanos)
        });
        let mut seen = HashSet::new();
        let mut checked = Vec::new();
        for wanted in wanted.cluster_health_checks {
            let name = wanted.cluster_name.clone();
            if !seen.insert(name.clone()) {
                return Err(format!("duplicate cluster {name} found"));
            }
            let proto = cluster_of(wanted);
            let mut cx = ParseCx::new(Rc::clone(env));
            let encoded = proto.encode_to_vec();
            match nuncio_config::cluster::cluster(&mut cx, proto) {
                Ok(config) if cx.is_clean() => checked.push(Checked {
                    proto: encoded,
                    config,
                }),
                _ => return Err(format!("{name}: {}", refusal::<cluster::Cluster>(cx))),
            }
        }
        let specifier = Self {
            message: Some(message.to_vec()),
            names: checked
                .iter()
                .map(|checked| checked.config.spec.name.to_string())
                .collect(),
            interval,
        };
        Ok(Some((specifier, checked)))
    }

    /// The stream has ended: what comes next is new.
    pub fn forget(&mut self) {
        self.message = None;
    }

    /// How the hosts are, once more in the list that older control planes read, as Envoy does.
    #[expect(deprecated, reason = "a part of the message that Envoy still fills")]
    pub fn report(
        &self,
        find: impl Fn(&str) -> Option<Rc<Cluster>>,
    ) -> proto::EndpointHealthResponse {
        let mut report = proto::EndpointHealthResponse::default();
        for name in &self.names {
            let Some(cluster) = find(name) else {
                continue;
            };
            let localities = cluster
                .hosts()
                .sets()
                .iter()
                .flat_map(|set| {
                    set.localities()
                        .iter()
                        .map(|of_locality| {
                            let locality = &of_locality.locality;
                            proto::LocalityEndpointsHealth {
                                locality: Some(core::Locality {
                                    region: locality.region.clone(),
                                    zone: locality.zone.clone(),
                                    sub_zone: locality.sub_zone.clone(),
                                }),
                                endpoints_health: of_locality
                                    .lists
                                    .all
                                    .iter()
                                    .map(|host| health_of(host))
                                    .collect(),
                            }
                        })
                        .collect::<Vec<_>>()
                })
                .collect::<Vec<_>>();
            let all = localities
                .iter()
                .flat_map(|one| one.endpoints_health.clone());
            report.endpoints_health.extend(all);
            report
                .cluster_endpoints_health
                .push(proto::ClusterEndpointsHealth {
                    cluster_name: name.trim_start_matches(PREFIX).to_owned(),
                    locality_endpoints_health: localities,
                });
        }
        report
    }
}

fn health_of(host: &Host) -> proto::EndpointHealth {
    let status = match host.health() {
        Health::Healthy => core::HealthStatus::Healthy,
        _ if host.has_flag(HealthFlag::ActiveHcTimeout) => core::HealthStatus::Timeout,
        Health::Degraded | Health::Unhealthy => core::HealthStatus::Unhealthy,
    };
    proto::EndpointHealth {
        endpoint: Some(endpoint::Endpoint {
            address: Some(address(&host.address())),
            ..Default::default()
        }),
        health_status: status.into(),
        ..Default::default()
    }
}

/// A cluster with hosts that are checked, as Envoy makes it.
#[expect(deprecated, reason = "the short way to say HTTP/2")]
fn cluster_of(wanted: proto::ClusterHealthCheck) -> cluster::Cluster {
    let http2 = core::Http2ProtocolOptions::default();
    let speaks_http2 = wanted
        .health_checks
        .iter()
        .any(|check| match &check.health_checker {
            Some(HealthChecker::GrpcHealthCheck(_)) => true,
            Some(HealthChecker::HttpHealthCheck(check)) => check.codec_client_type == 1,
            _ => false,
        });
    let endpoints = wanted.locality_endpoints.into_iter();
    let endpoints = endpoints.map(|of_locality| {
        let hosts = of_locality.endpoints.into_iter();
        let hosts = hosts.map(|host| endpoint::LbEndpoint {
            host_identifier: Some(endpoint::lb_endpoint::HostIdentifier::Endpoint(host)),
            ..Default::default()
        });
        endpoint::LocalityLbEndpoints {
            locality: of_locality.locality,
            lb_endpoints: hosts.collect(),
            ..Default::default()
        }
    });
    cluster::Cluster {
        name: format!("{PREFIX}{}", wanted.cluster_name),
        alt_stat_name: wanted.cluster_name.clone(),
        connect_timeout: Some(ProtoDuration {
            seconds: 1,
            nanos: 0,
        }),
        per_connection_buffer_limit_bytes: Some(UInt32Value { value: 1 << 20 }),
        load_assignment: Some(endpoint::ClusterLoadAssignment {
            cluster_name: wanted.cluster_name,
            endpoints: endpoints.collect(),
            ..Default::default()
        }),
        health_checks: wanted.health_checks,
        transport_socket_matches: wanted.transport_socket_matches,
        upstream_bind_config: wanted.upstream_bind_config,
        http2_protocol_options: speaks_http2.then_some(http2),
        ..Default::default()
    }
}
