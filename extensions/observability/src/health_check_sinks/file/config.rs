//! `HealthCheckEventFileSink` to [`FileEvents`].

use super::FileEvents;
use nuncio_extension::{HealthCheckSinkExtension, ParseCx, Parsed};
use nuncio_observe::access_log::{AccessLogManager, Destination, FlushSettings};
use nuncio_proto::envoy::extensions::health_check::event_sinks::file::v3::HealthCheckEventFileSink;
use nuncio_upstream::health_check::HealthEventSink;
use std::sync::Arc;

/// `envoy.health_check.event_sink.file`
pub struct FileSink;

impl HealthCheckSinkExtension for FileSink {
    const NAME: &'static str = "envoy.health_check.event_sink.file";
    type Proto = HealthCheckEventFileSink;

    fn parse(
        &self,
        proto: HealthCheckEventFileSink,
        cx: &mut ParseCx,
    ) -> Parsed<Arc<dyn HealthEventSink>> {
        let store = cx.env().store.clone();
        let manager = cx
            .env()
            .shared(|| AccessLogManager::new(FlushSettings::default(), &store));
        let destination = Destination::Path(proto.event_log_path.into());
        let file = manager.file(&destination);
        let file = file.map_err(|message| cx.error_at("event_log_path", message))?;
        Ok(Arc::new(FileEvents { file }))
    }
}
