//! What formats see of a stream.

use crate::chain::StreamState;
use nuncio_base::HeaderMap;
use nuncio_observe::{AccessLogType, FormatCx};
use nuncio_stream_info::StreamInfo;
use nuncio_worker::Worker;

/// Calls `use_cx` with a stream's facts and all its headers, as an access log sees them.
pub fn with_format_cx<R>(state: &StreamState, use_cx: impl FnOnce(&FormatCx<'_>) -> R) -> R {
    let response = state.response.started.then_some(&state.response.headers);
    with_headers(
        &state.worker,
        &state.info,
        Some(&state.request.headers),
        response,
        |cx| {
            use_cx(&FormatCx {
                response_trailers: state.response.trailers.as_ref(),
                ..*cx
            })
        },
    )
}

/// Calls `use_cx` with a stream's facts and these headers, as a header's or body's format sees
/// them.
pub fn with_headers<R>(
    worker: &Worker,
    info: &StreamInfo,
    request_headers: Option<&HeaderMap>,
    response_headers: Option<&HeaderMap>,
    use_cx: impl FnOnce(&FormatCx<'_>) -> R,
) -> R {
    FormatCx::with(worker, info, AccessLogType::DownstreamEnd, |cx| {
        use_cx(&FormatCx {
            request_headers,
            response_headers,
            ..*cx
        })
    })
}
