//! The log of ejections: a line of JSON for each (`cluster_manager.outlier_detection`).

use nuncio_base::time::since_epoch;
use nuncio_observe::access_log::{AccessLogFile, AccessLogManager, Destination};
use nuncio_proto::envoy::data::cluster::v3 as proto;
use nuncio_proto::google::protobuf::{Timestamp, UInt64Value};
use nuncio_proto::json::{Options, print};
use nuncio_proto::{Message, Name, reflect};
use nuncio_upstream::outlier::{Ejection, OutlierAction, OutlierEvent};
use nuncio_worker::Worker;
use proto::outlier_detection_event::Event;
use std::rc::Rc;
use std::sync::Arc;

/// The file.
pub struct OutlierLog(Arc<AccessLogFile>);

impl OutlierLog {
    /// Opens it.
    ///
    /// # Errors
    /// When it can't be opened, in Envoy's words.
    pub fn open(path: &str, files: &AccessLogManager) -> Result<Self, String> {
        files.file(&Destination::Path(path.into())).map(Self)
    }

    /// Writes an event down.
    pub fn log(&self, worker: &Rc<Worker>, event: &OutlierEvent) {
        let line = json(event);
        self.0.local(worker).append(worker.now(), |out| {
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        });
    }
}

fn json(event: &OutlierEvent) -> String {
    let options = Options {
        redact: false,
        always_print: true,
        compact: true,
    };
    let kind = reflect::message(&proto::OutlierDetectionEvent::full_name());
    let bytes = message(event).encode_to_vec();
    kind.map_or_else(String::new, |kind| print(&bytes, kind, &options))
}

fn message(event: &OutlierEvent) -> proto::OutlierDetectionEvent {
    let time = since_epoch(event.time);
    let mut message = proto::OutlierDetectionEvent {
        timestamp: Some(Timestamp {
            seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            // Milliseconds, as in Envoy.
            nanos: (time.subsec_millis() * 1_000_000) as i32,
        }),
        secs_since_last_action: event.since_last_action.map(|value| UInt64Value { value }),
        cluster_name: event.cluster.clone(),
        upstream_url: event.address.to_string(),
        action: proto::Action::Uneject as i32,
        num_ejections: event.ejections,
        ..Default::default()
    };
    if let OutlierAction::Eject {
        ejection,
        enforced,
        rates,
    } = event.action
    {
        message.action = proto::Action::Eject as i32;
        message.enforced = enforced;
        message.r#type = kind_of(ejection) as i32;
        message.event = Some(details(ejection, rates));
    }
    message
}

fn details(ejection: Ejection, rates: [f64; 3]) -> Event {
    let [host, average, threshold] = rates.map(|rate| rate as u32);
    match ejection {
        Ejection::SuccessRate | Ejection::SuccessRateLocalOrigin => {
            Event::EjectSuccessRateEvent(proto::OutlierEjectSuccessRate {
                host_success_rate: host,
                cluster_average_success_rate: average,
                cluster_success_rate_ejection_threshold: threshold,
            })
        }
        Ejection::FailurePercentage | Ejection::FailurePercentageLocalOrigin => {
            Event::EjectFailurePercentageEvent(proto::OutlierEjectFailurePercentage {
                host_success_rate: host,
            })
        }
        Ejection::Consecutive5xx
        | Ejection::ConsecutiveGatewayFailure
        | Ejection::ConsecutiveLocalOriginFailure => {
            Event::EjectConsecutiveEvent(proto::OutlierEjectConsecutive {})
        }
    }
}

fn kind_of(ejection: Ejection) -> proto::OutlierEjectionType {
    use proto::OutlierEjectionType as Kind;
    match ejection {
        Ejection::Consecutive5xx => Kind::Consecutive5xx,
        Ejection::ConsecutiveGatewayFailure => Kind::ConsecutiveGatewayFailure,
        Ejection::ConsecutiveLocalOriginFailure => Kind::ConsecutiveLocalOriginFailure,
        Ejection::SuccessRate => Kind::SuccessRate,
        Ejection::SuccessRateLocalOrigin => Kind::SuccessRateLocalOrigin,
        Ejection::FailurePercentage => Kind::FailurePercentage,
        Ejection::FailurePercentageLocalOrigin => Kind::FailurePercentageLocalOrigin,
    }
}
