//! The `proxy-status` header of responses that failed (RFC 9209), as Envoy derives it from response
//! flags.

use crate::chain::StreamState;
use nuncio_base::names;
use nuncio_stream_info::{ResponseFlag, ResponseFlags, StreamInfo};

/// How `proxy-status` is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyStatus {
    /// By which name this proxy calls itself.
    pub name: String,
    /// With the response code details and what follows.
    pub details: bool,
    /// With the connection's termination details among the details.
    pub termination_details: bool,
    /// With the response flags among the details.
    pub flags: bool,
    /// The response gets the status that RFC 9209 recommends.
    pub set_recommended_status: bool,
}

/// An error type of RFC 9209 section 2.3, and its recommended status.
type Kind = (&'static str, Option<u16>);

const UNAVAILABLE: Kind = ("destination_unavailable", Some(503));
const RESPONSE_TIMEOUT: Kind = ("http_response_timeout", Some(504));
const TERMINATED: Kind = ("connection_terminated", Some(502));
const LIMIT_REACHED: Kind = ("connection_limit_reached", Some(503));
const REQUEST_ERROR: Kind = ("http_request_error", None);

/// Which flags are errors. Where several are set the first of these counts: an order of its own,
/// not the one that flags are printed in.
const KINDS: &[(ResponseFlag, Kind)] = &[
    (ResponseFlag::FailedLocalHealthCheck, UNAVAILABLE),
    (ResponseFlag::NoHealthyUpstream, UNAVAILABLE),
    (ResponseFlag::UpstreamRequestTimeout, RESPONSE_TIMEOUT),
    (ResponseFlag::LocalReset, ("connection_timeout", Some(504))),
    (ResponseFlag::UpstreamRemoteReset, TERMINATED),
    (
        ResponseFlag::UpstreamConnectionFailure,
        ("connection_refused", Some(502)),
    ),
    (ResponseFlag::UpstreamConnectionTermination, TERMINATED),
    (ResponseFlag::UpstreamOverflow, LIMIT_REACHED),
    (
        ResponseFlag::NoRouteFound,
        ("destination_not_found", Some(500)),
    ),
    (ResponseFlag::RateLimited, LIMIT_REACHED),
    (ResponseFlag::RateLimitServiceError, LIMIT_REACHED),
    (ResponseFlag::UpstreamRetryLimitExceeded, UNAVAILABLE),
    (ResponseFlag::StreamIdleTimeout, RESPONSE_TIMEOUT),
    (ResponseFlag::InvalidEnvoyRequestHeaders, REQUEST_ERROR),
    (ResponseFlag::DownstreamProtocolError, REQUEST_ERROR),
    (
        ResponseFlag::UpstreamMaxStreamDurationReached,
        RESPONSE_TIMEOUT,
    ),
    (
        ResponseFlag::NoFilterConfigFound,
        ("proxy_configuration_error", Some(500)),
    ),
    (
        ResponseFlag::UpstreamProtocolError,
        ("http_protocol_error", Some(502)),
    ),
    (ResponseFlag::NoClusterFound, UNAVAILABLE),
    (ResponseFlag::DnsResolutionFailed, ("dns_error", Some(502))),
];

/// The error of a stream, if it has one.
fn kind(flags: ResponseFlags) -> Option<Kind> {
    let of = |(flag, kind): &(ResponseFlag, Kind)| flags.has(*flag).then_some(*kind);
    KINDS.iter().find_map(of)
}

impl ProxyStatus {
    /// Tells of the stream's error, where it has one.
    pub(super) fn apply(&self, state: &mut StreamState) {
        let info = &state.info;
        let Some((error, recommended)) = kind(info.flags) else {
            return;
        };
        let status = self.text(info, error);
        let headers = &mut state.response.headers;
        let joined = match headers.get(names::PROXY_STATUS) {
            None | Some([]) => status.into_bytes(),
            Some(before) => [before, b", ", status.as_bytes()].concat(),
        };
        headers.set(names::PROXY_STATUS, &joined);
        if let Some(code) = recommended.filter(|_| self.set_recommended_status) {
            let mut digits = itoa::Buffer::new();
            headers.set(names::STATUS, digits.format(code).as_bytes());
        }
    }

    fn text(&self, info: &StreamInfo, error: &str) -> String {
        let mut text = format!("{}; error={error}", self.name);
        let Some(details) = info
            .response_code_details
            .as_deref()
            .filter(|_| self.details)
        else {
            return text;
        };
        text.push_str("; details=\"");
        text.push_str(details);
        let termination = info.connection_termination_details.as_deref();
        if let Some(termination) = termination.filter(|_| self.termination_details) {
            text.push_str("; ");
            text.push_str(termination);
        }
        if self.flags && !info.flags.is_empty() {
            for (place, flag) in info.flags.iter().enumerate() {
                text.push_str(if place == 0 { "; " } else { "," });
                text.push_str(flag.short());
            }
        }
        text.push('"');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_flag_that_is_an_error_counts() {
        use ResponseFlag as F;
        for (flags, expected) in [
            (&[][..], None),
            (&[F::DelayInjected], None),
            (
                &[F::UpstreamConnectionFailure],
                Some(("connection_refused", Some(502))),
            ),
            (
                &[F::UpstreamRetryLimitExceeded, F::UpstreamConnectionFailure],
                Some(("connection_refused", Some(502))),
            ),
            (
                &[F::NoRouteFound],
                Some(("destination_not_found", Some(500))),
            ),
            (&[F::DownstreamProtocolError], Some(REQUEST_ERROR)),
        ] {
            let mut set = ResponseFlags::NONE;
            flags.iter().for_each(|flag| set.set(*flag));
            assert_eq!(kind(set), expected, "{flags:?}");
        }
    }
}
