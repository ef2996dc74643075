//! HTTP health checks: what is asked, and what the response means (`HttpHealthCheck`).

use super::host_health::Failure;
use super::spec::StatusRange;
use super::tcp::Payload;
use bytes::Bytes;
use nuncio_base::{HeaderMap, names};
use nuncio_matching::StringMatcher;
use std::sync::Arc;

/// What is asked, and what is expected.
#[derive(Clone)]
pub struct HttpProbe {
    /// Whether HTTP/2 is spoken.
    pub http2: bool,
    /// The method; not CONNECT.
    pub method: &'static str,
    /// The `host`; empty for the cluster's name.
    pub host: Arc<str>,
    /// The path.
    pub path: Arc<str>,
    /// A body; empty for none.
    pub send: Bytes,
    /// What the response's body must have.
    pub receive: Payload,
    /// How much of the response's body is looked at, in bytes; `None`: all.
    pub response_buffer_size: Option<usize>,
    /// Header fields to add: name, value, and whether it takes the place of others.
    pub add_headers: Vec<(String, Vec<u8>, bool)>,
    /// Header fields to remove.
    pub remove_headers: Vec<String>,
    /// The statuses of healthy hosts.
    pub expected: Vec<StatusRange>,
    /// Those for which a threshold is waited for.
    pub retriable: Vec<StatusRange>,
    /// What `x-envoy-upstream-healthchecked-cluster` of the response must be.
    pub service_name: Option<StringMatcher>,
}

/// The longest body that is kept to be looked at.
const MAX_BODY: usize = 1024 * 1024;

/// What a response means.
pub(super) struct Answer {
    pub outcome: Result<Healthy, Failure>,
    /// The host asks to be left out until it is healthy again.
    pub immediate_fail: bool,
    /// The service's name was looked at.
    pub verified: bool,
}

/// A host that is healthy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Healthy {
    /// It calls itself degraded.
    pub degraded: bool,
}

impl HttpProbe {
    /// How much of a response's body is looked at.
    pub(super) fn kept_body(&self) -> usize {
        match self.receive.is_empty() {
            true => 0,
            false => self.response_buffer_size.unwrap_or(MAX_BODY).min(MAX_BODY),
        }
    }

    /// The head of a request.
    pub(super) fn request(&self, host: &str, secure: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append(names::METHOD, self.method.as_bytes());
        headers.append(names::AUTHORITY, host.as_bytes());
        headers.append(names::PATH, self.path.as_bytes());
        headers.append(names::USER_AGENT, b"Envoy/HC");
        let scheme: &[u8] = if secure { b"https" } else { b"http" };
        headers.append(names::SCHEME, scheme);
        for name in &self.remove_headers {
            headers.remove(name.as_str());
        }
        for (name, value, replaces) in &self.add_headers {
            if *replaces {
                headers.set(name.as_str(), value);
            } else {
                headers.append(name.as_str(), value);
            }
        }
        if !self.send.is_empty() {
            let length = self.send.len().to_string();
            headers.set(names::CONTENT_LENGTH, length.as_bytes());
        }
        headers
    }

    /// What a response means. `verify`: whether the service's name counts.
    pub(super) fn judge(&self, headers: &HeaderMap, body: &[u8], verify: bool) -> Answer {
        let status = headers.get_str(names::STATUS);
        let status = status.and_then(|status| status.parse().ok()).unwrap_or(0);
        let among = |ranges: &[StatusRange]| ranges.iter().any(|range| range.contains(status));
        let healthy = Healthy {
            degraded: headers.contains(names::X_ENVOY_DEGRADED),
        };
        let failed = |retriable| Err(Failure::Active { status, retriable });
        let expected = among(&self.expected);
        let name = self.service_name.as_ref().filter(|_| verify && expected);
        let served = headers.get(names::X_ENVOY_UPSTREAM_HEALTHCHECKED_CLUSTER);
        let is_it = name.is_none_or(|name| name.matches(served.unwrap_or_default()));
        Answer {
            outcome: if !expected {
                failed(among(&self.retriable))
            } else if is_it && self.receive.matches(body) {
                Ok(healthy)
            } else {
                failed(false)
            },
            immediate_fail: !expected
                && headers.contains(names::X_ENVOY_IMMEDIATE_HEALTH_CHECK_FAIL),
            verified: name.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe() -> HttpProbe {
        HttpProbe {
            http2: false,
            method: "GET",
            host: "".into(),
            path: "/hz".into(),
            send: Bytes::new(),
            receive: Payload::default(),
            response_buffer_size: None,
            add_headers: Vec::new(),
            remove_headers: Vec::new(),
            expected: vec![StatusRange {
                start: 200,
                end: 201,
            }],
            retriable: vec![StatusRange {
                start: 500,
                end: 502,
            }],
            service_name: None,
        }
    }

    fn response(status: &str, fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append(names::STATUS, status.as_bytes());
        for (name, value) in fields {
            headers.append(*name, value.as_bytes());
        }
        headers
    }

    #[test]
    fn statuses_are_judged() {
        let probe = probe();
        for (status, expected) in [
            ("200", Ok(Healthy { degraded: false })),
            ("201", Err((201, false))),
            ("501", Err((501, true))),
            ("502", Err((502, false))),
        ] {
            let outcome = probe.judge(&response(status, &[]), b"", true).outcome;
            let expected =
                expected.map_err(|(status, retriable)| Failure::Active { status, retriable });
            assert_eq!(outcome, expected, "{status}");
        }
        let fields = [("x-envoy-immediate-health-check-fail", "true")];
        assert!(
            probe
                .judge(&response("503", &fields), b"", true)
                .immediate_fail
        );
        assert!(
            !probe
                .judge(&response("200", &fields), b"", true)
                .immediate_fail
        );
        let fields = [("x-envoy-degraded", "")];
        let answer = probe.judge(&response("200", &fields), b"", true);
        assert_eq!(answer.outcome, Ok(Healthy { degraded: true }));
    }

    #[test]
    fn the_service_is_known_by_its_name_and_body() {
        let mut probe = probe();
        probe.service_name = Some(StringMatcher::prefix("loc", false));
        let named = |name| [("x-envoy-upstream-healthchecked-cluster", name)];
        for (fields, verify, ok) in [
            (&named("locations")[..], true, true),
            (&named("other"), true, false),
            (&named("other"), false, true),
            (&[], true, false),
        ] {
            let answer = probe.judge(&response("200", fields), b"", verify);
            assert_eq!((answer.outcome.is_ok(), answer.verified), (ok, verify));
        }
        probe.service_name = None;
        probe.receive = Payload(vec![Bytes::from("up")]);
        assert!(
            probe
                .judge(&response("200", &[]), b"all up", true)
                .outcome
                .is_ok()
        );
        assert!(
            probe
                .judge(&response("200", &[]), b"down", true)
                .outcome
                .is_err()
        );
    }

    #[test]
    fn requests_say_who_asks() {
        let mut probe = probe();
        probe.add_headers = vec![("x-a".to_owned(), b"1".to_vec(), false)];
        probe.remove_headers = vec!["user-agent".to_owned()];
        probe.send = Bytes::from("body");
        let headers = probe.request("svc", true);
        let pairs: Vec<_> = headers.iter().collect();
        let expected: [(&[u8], &[u8]); 6] = [
            (b":method", b"GET"),
            (b":authority", b"svc"),
            (b":path", b"/hz"),
            (b":scheme", b"https"),
            (b"x-a", b"1"),
            (b"content-length", b"4"),
        ];
        assert_eq!(pairs, expected);
    }
}
