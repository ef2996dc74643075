//! The router's own replies: texts, details and flags as Envoy's.

use nuncio_base::names;
use nuncio_codec::ResetReason;
use nuncio_http::LocalReply;
use nuncio_stream_info::ResponseFlag;

pub(crate) fn no_route() -> LocalReply {
    LocalReply::new(404, "", "route_not_found").flag(ResponseFlag::NoRouteFound)
}

/// A filter has removed a header without which there is no request.
pub(crate) fn missing_header(name: &str) -> LocalReply {
    let details =
        format!("filter_removed_required_request_headers{{missing_required_header:_{name}}}");
    LocalReply::new(503, format!("missing required header: {name}"), details)
        .flag(ResponseFlag::DownstreamProtocolError)
}

pub(crate) fn no_cluster(status: u16) -> LocalReply {
    LocalReply::new(status, "", "cluster_not_found").flag(ResponseFlag::NoClusterFound)
}

pub(crate) fn no_healthy_upstream(status: u16) -> LocalReply {
    LocalReply::new(status, "no healthy upstream", "no_healthy_upstream")
        .flag(ResponseFlag::NoHealthyUpstream)
}

pub(crate) fn response_timeout(status: u16) -> LocalReply {
    LocalReply::new(status, timeout_body(status), "response_timeout")
        .flag(ResponseFlag::UpstreamRequestTimeout)
}

/// A status that the client asked for instead of 504 stands alone.
const fn timeout_body(status: u16) -> &'static str {
    if status == 504 {
        "upstream request timeout"
    } else {
        ""
    }
}

/// The cluster gets no requests for now.
pub(crate) fn maintenance() -> LocalReply {
    LocalReply::new(503, "maintenance mode", "maintenance_mode")
        .header(names::X_ENVOY_OVERLOADED, "true")
        .flag(ResponseFlag::UpstreamOverflow)
}

/// `idle`: the attempt was silent, and not only slow.
pub(crate) fn per_try_timeout(status: u16, idle: bool) -> LocalReply {
    let details = if idle {
        "upstream_per_try_idle_timeout"
    } else {
        "upstream_per_try_timeout"
    };
    LocalReply::new(status, timeout_body(status), details)
        .flag(ResponseFlag::UpstreamRequestTimeout)
}

/// `request_ended`: then it is the upstream that is slow.
pub(crate) fn max_stream_duration(request_ended: bool) -> LocalReply {
    let mut reply = LocalReply::new(
        if request_ended { 504 } else { 408 },
        "upstream max stream duration reached",
        "upstream_max_stream_duration_reached",
    )
    .flag(ResponseFlag::UpstreamMaxStreamDurationReached);
    reply.grpc_status = Some(4);
    reply
}

pub(crate) fn retry_buffer_exceeded() -> LocalReply {
    LocalReply::new(
        507,
        "exceeded request buffer limit while retrying upstream",
        "request_payload_exceeded_retry_buffer_limit",
    )
}

/// The flag that goes with a reset of the upstream.
pub(crate) fn flag_of(reason: ResetReason) -> Option<ResponseFlag> {
    Some(match reason {
        ResetReason::LocalConnectionFailure
        | ResetReason::RemoteConnectionFailure
        | ResetReason::ConnectionTimeout => ResponseFlag::UpstreamConnectionFailure,
        ResetReason::ConnectionTermination | ResetReason::Http1PrematureUpstreamHalfClose => {
            ResponseFlag::UpstreamConnectionTermination
        }
        ResetReason::LocalReset | ResetReason::LocalRefusedStreamReset => ResponseFlag::LocalReset,
        ResetReason::Overflow => ResponseFlag::UpstreamOverflow,
        ResetReason::RemoteReset
        | ResetReason::RemoteRefusedStreamReset
        | ResetReason::ConnectError => ResponseFlag::UpstreamRemoteReset,
        ResetReason::ProtocolError => ResponseFlag::UpstreamProtocolError,
        ResetReason::OverloadManager => ResponseFlag::OverloadManager,
    })
}

/// The reply to a reset before the response's head. `retried`: it was the last of several attempts;
/// `started`: something of the response has come before.
pub(crate) fn reset(
    reason: ResetReason,
    transport_failure: Option<&str>,
    retried: bool,
    started: bool,
) -> LocalReply {
    let text = reason.as_str();
    let latest = if retried {
        "retried and the latest "
    } else {
        ""
    };
    let body = format!(
        "upstream connect error or disconnect/reset before headers. {latest}reset reason: {text}"
    );
    let when = if started { "after" } else { "before" };
    let mut details = format!("upstream_reset_{when}_response_started{{{text}");
    if let Some(failure) = transport_failure.filter(|failure| !failure.is_empty()) {
        // For logs only: clients are not told (hide_transport_failure_reason_in_response_body).
        details.push('|');
        details.push_str(failure);
    }
    details.push('}');
    let details = details.replace(' ', "_");
    let status = if reason == ResetReason::ProtocolError {
        502
    } else {
        503
    };
    let mut reply = LocalReply::new(status, body, details);
    if reason == ResetReason::Overflow {
        reply = reply.header(names::X_ENVOY_OVERLOADED, "true");
    }
    match flag_of(reason) {
        Some(flag) => reply.flag(flag),
        None => reply,
    }
}
