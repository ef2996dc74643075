//! What a format string or an access log filter looks at.

use crate::log_type::AccessLogType;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_base::{HeaderMap, names};
use nuncio_stream_info::StreamInfo;
use nuncio_worker::Worker;
use std::time::{Instant, SystemTime};

/// The facts of one moment of a stream or connection, borrowed for the length of a call.
#[derive(Clone, Copy)]
pub struct FormatCx<'a> {
    /// The stream's facts.
    pub info: &'a StreamInfo,
    /// The request's headers; `None` where there are none (TCP).
    pub request_headers: Option<&'a HeaderMap>,
    /// The response's headers, once there are some.
    pub response_headers: Option<&'a HeaderMap>,
    /// The response's trailers, if it has any.
    pub response_trailers: Option<&'a HeaderMap>,
    /// The body of a local reply, for its own format.
    pub local_reply_body: &'a str,
    /// What kind of log line is written.
    pub log_type: AccessLogType,
    /// Monotonic time: streams that have not ended last until now.
    pub now: Instant,
    /// Wall time.
    pub wall: SystemTime,
    /// 64 random bits a call, from the worker.
    pub random: &'a dyn Fn() -> u64,
    /// The runtime flags.
    pub flags: &'a RuntimeFlags,
}

impl<'a> FormatCx<'a> {
    /// Calls `use_cx` with these facts, as a worker has them now, and no headers.
    pub fn with<R>(
        worker: &Worker,
        info: &StreamInfo,
        log_type: AccessLogType,
        use_cx: impl FnOnce(&FormatCx<'_>) -> R,
    ) -> R {
        let flags = worker.flags();
        use_cx(&FormatCx {
            info,
            request_headers: None,
            response_headers: None,
            response_trailers: None,
            local_reply_body: "",
            log_type,
            now: worker.now(),
            wall: worker.wall(),
            random: &|| worker.random(),
            flags: &flags,
        })
    }

    /// The stream's id: what it was given, or else what its request says.
    pub fn stream_id(&self) -> Option<&'a str> {
        let of_request = || self.request_headers?.get_str(names::X_REQUEST_ID);
        self.info.stream_id.as_deref().or_else(of_request)
    }
}
