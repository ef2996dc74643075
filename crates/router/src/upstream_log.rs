//! The router's own logs, a line for each attempt (`Router.upstream_log`).

use crate::attempt::Attempt;
use crate::reply;
use crate::router::Router;
use nuncio_base::HeaderMap;
use nuncio_codec::ResetReason;
use nuncio_http::Cx;
use nuncio_http::format_cx::with_headers;
use nuncio_observe::{AccessLogSpec, AccessLogType, FormatCx};
use nuncio_stream_info::{StreamInfo, Timings};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The logs of attempts, and when they are written besides the end of each attempt.
#[derive(Default)]
pub struct UpstreamLogSettings {
    /// The logs.
    pub logs: Vec<AccessLogSpec>,
    /// Also when an attempt has got its connection.
    pub on_upstream_stream: bool,
    /// Also this often while an attempt lasts.
    pub interval: Option<Duration>,
}

/// The facts of one attempt.
pub(crate) struct AttemptRecord {
    pub info: StreamInfo,
    pub response: Option<HeaderMap>,
    pub trailers: Option<HeaderMap>,
    /// Whether the time limit of the whole request ended it before there was a response.
    pub ended_by_global_limit: bool,
    /// When the next line is written.
    pub log_at: Option<Instant>,
}

impl Router {
    /// Begins to keep the facts of an attempt, where somebody wants to log or count them.
    pub(crate) fn begin_record(&self, cx: &mut Cx<'_>) -> Option<Box<AttemptRecord>> {
        let cluster = self.cluster.as_ref();
        let tracked = cluster.is_some_and(|cluster| cluster.tracked().is_some());
        if self.local.upstream_logs.is_empty() && !tracked {
            return None;
        }
        let interval = self.local.upstream_log_interval;
        let now = cx.worker().now();
        Some(Box::new(AttemptRecord {
            info: self.attempt_info(cx),
            response: None,
            trailers: None,
            ended_by_global_limit: false,
            log_at: interval.map(|interval| now + interval),
        }))
    }

    /// The facts of an attempt that begins.
    pub(crate) fn attempt_info(&self, cx: &mut Cx<'_>) -> StreamInfo {
        let (now, wall) = (cx.worker().now(), cx.worker().wall());
        let stream = cx.info();
        let timings = Timings::new(wall, now);
        let mut info = StreamInfo::new(Rc::clone(&stream.connection), timings);
        info.upstream = stream.upstream.clone();
        info.route = stream.route.clone();
        info.virtual_cluster_name = stream.virtual_cluster_name.clone();
        info.host_metadata = stream.host_metadata.clone();
        info.stream_id = stream.stream_id.clone();
        info
    }

    /// The attempt has got its connection.
    pub(crate) fn log_connected(&mut self, cx: &mut Cx<'_>) {
        let wanted = self.local.log_upstream_streams;
        let Some(record) = self.record() else { return };
        let upstream = cx.info().upstream.clone();
        record.info.protocol = upstream.as_ref().and_then(|upstream| upstream.protocol);
        record.info.upstream = upstream;
        if wanted {
            self.write(cx, self.attempt.as_ref(), AccessLogType::UpstreamPoolReady);
        }
    }

    /// The facts of the attempt under way, where they are kept.
    pub(crate) fn record(&mut self) -> Option<&mut AttemptRecord> {
        self.attempt.as_mut()?.record.as_deref_mut()
    }

    /// The attempt has failed; a host that was not asked is not named.
    pub(crate) fn record_failure(&mut self, reason: ResetReason, transport: Option<&Arc<str>>) {
        let at_host = self.attempt.as_ref().is_none_or(|attempt| attempt.at_host);
        let Some(record) = self.record() else { return };
        if let Some(flag) = reply::flag_of(reason) {
            record.info.set_flag(flag);
        }
        let upstream = record.info.upstream_mut();
        if transport.is_some() {
            upstream.transport_failure_reason = transport.cloned();
        }
        if !at_host {
            upstream.address = None;
            upstream.host_name = None;
        }
    }

    /// The time for a line may have come.
    pub(crate) fn log_periodically(&mut self, cx: &Cx<'_>, now: Instant) {
        let interval = self.local.upstream_log_interval;
        let Some(record) = self.record() else { return };
        if record.log_at.is_some_and(|at| at <= now) {
            record.log_at = interval.map(|interval| now + interval);
            self.write(cx, self.attempt.as_ref(), AccessLogType::UpstreamPeriodic);
        }
    }

    /// An attempt is over.
    pub(crate) fn log_attempt(&self, cx: &Cx<'_>, mut attempt: Attempt) {
        let bytes = attempt.bytes();
        if let Some(record) = &mut attempt.record {
            record.info.timings.end = Some(cx.worker().now());
            record.info.upstream_mut().bytes = bytes;
            self.write(cx, Some(&attempt), AccessLogType::UpstreamEnd);
            self.track_attempt(cx, &attempt);
        }
    }

    fn write(&self, cx: &Cx<'_>, attempt: Option<&Attempt>, log_type: AccessLogType) {
        let Some(record) = attempt.and_then(|attempt| attempt.record.as_ref()) else {
            return;
        };
        let (request, response) = (Some(cx.request_headers_ref()), record.response.as_ref());
        with_headers(cx.worker(), &record.info, request, response, |cx| {
            let cx = FormatCx {
                log_type,
                response_trailers: record.trailers.as_ref(),
                ..*cx
            };
            self.local.upstream_logs.iter().for_each(|log| log.log(&cx));
        });
    }
}
