//! Events as `envoy.data.core.v3.HealthCheckEvent`, in JSON.

use nuncio_base::time::since_epoch;
use nuncio_config::shown::{address, metadata};
use nuncio_proto::Message;
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::envoy::data::core::v3 as proto;
use nuncio_proto::google::protobuf as google;
use nuncio_proto::json::{Options, print};
use nuncio_proto::{Name, reflect};
use nuncio_upstream::Locality;
use nuncio_upstream::health_check::{Failure, HealthEvent, HealthEventKind};
use proto::health_check_event::Event;

/// An event on one line, with the fields that have their default value.
pub(super) fn json(event: &HealthEvent<'_>) -> String {
    let message = message(event);
    let options = Options {
        redact: false,
        always_print: true,
        compact: true,
    };
    match reflect::message(&proto::HealthCheckEvent::full_name()) {
        Some(kind) => print(&message.encode_to_vec(), kind, &options),
        None => "{}".to_owned(),
    }
}

fn message(event: &HealthEvent<'_>) -> proto::HealthCheckEvent {
    let time = since_epoch(event.time);
    let kind = match event.checker {
        "TCP" => proto::HealthCheckerType::Tcp,
        "GRPC" => proto::HealthCheckerType::Grpc,
        _ => proto::HealthCheckerType::Http,
    };
    proto::HealthCheckEvent {
        health_checker_type: kind as i32,
        host: Some(address(&event.host.address())),
        cluster_name: event.cluster.to_owned(),
        timestamp: Some(google::Timestamp {
            seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            // Milliseconds, as in Envoy.
            nanos: (time.subsec_millis() * 1_000_000) as i32,
        }),
        metadata: event.host.metadata().map(|data| metadata(data)),
        locality: Some(locality(event.host.locality())),
        event: Some(what(event.kind)),
    }
}

fn failure_type(failure: Failure) -> i32 {
    (match failure {
        Failure::Active { .. } => proto::HealthCheckFailureType::Active,
        Failure::Passive => proto::HealthCheckFailureType::Passive,
        Failure::Network => proto::HealthCheckFailureType::Network,
        Failure::Timeout => proto::HealthCheckFailureType::NetworkTimeout,
    }) as i32
}

fn what(kind: HealthEventKind) -> Event {
    match kind {
        HealthEventKind::EjectUnhealthy(failure) => {
            Event::EjectUnhealthyEvent(proto::HealthCheckEjectUnhealthy {
                failure_type: failure_type(failure),
                http_status_code: failure.status().into(),
            })
        }
        HealthEventKind::AddHealthy { first_check } => {
            Event::AddHealthyEvent(proto::HealthCheckAddHealthy { first_check })
        }
        HealthEventKind::Successful => Event::SuccessfulHealthCheckEvent(Default::default()),
        HealthEventKind::Failed {
            failure,
            first_check,
        } => Event::HealthCheckFailureEvent(proto::HealthCheckFailure {
            failure_type: failure_type(failure),
            first_check,
            http_status_code: failure.status().into(),
        }),
        HealthEventKind::Degraded => Event::DegradedHealthyHost(Default::default()),
        HealthEventKind::NoLongerDegraded => Event::NoLongerDegradedHost(Default::default()),
    }
}

fn locality(locality: &Locality) -> core::Locality {
    core::Locality {
        region: locality.region.clone(),
        zone: locality.zone.clone(),
        sub_zone: locality.sub_zone.clone(),
    }
}
