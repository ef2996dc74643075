//! Which ends of attempts lead to another, as data.

use super::*;
use nuncio_route::ClusterTarget;
use nuncio_route::retry_policy::RateLimitedBackOff;
use std::sync::Arc;

fn state(policy: RetryPolicy, request: &[(&str, &str)]) -> Option<RetryState> {
    let mut route = RouteAction::new(ClusterTarget::Name("c".into()));
    route.retry_policy = Some(Arc::new(policy));
    let mut headers = HeaderMap::from_iter(request.iter().copied());
    let state = RetryState::of(&route, &mut headers);
    assert!(headers.is_empty(), "headers about retries are taken off");
    state
}

fn policy(on: &str) -> RetryPolicy {
    RetryPolicy {
        retry_on: RetryOn::parse_policy(on),
        ..RetryPolicy::default()
    }
}

fn is_yes(decision: Decision) -> bool {
    matches!(decision, Decision::Yes { .. })
}

#[test]
fn responses_that_are_tried_again() {
    for (on, headers, expected) in [
        ("5xx", &[(":status", "503")][..], true),
        ("5xx", &[(":status", "404")], false),
        (
            "5xx",
            &[(":status", "503"), ("x-envoy-ratelimited", "true")],
            false,
        ),
        (
            "envoy-ratelimited",
            &[(":status", "429"), ("x-envoy-ratelimited", "true")],
            true,
        ),
        ("gateway-error", &[(":status", "500")], false),
        ("gateway-error", &[(":status", "502")], true),
        ("retriable-4xx", &[(":status", "409")], true),
        ("reset", &[(":status", "503")], false),
        (
            "unavailable",
            &[(":status", "200"), ("grpc-status", "14")],
            true,
        ),
        (
            "unavailable",
            &[(":status", "200"), ("grpc-status", "13")],
            false,
        ),
    ] {
        let mut state = state(policy(on), &[]).unwrap();
        let headers = HeaderMap::from_iter(headers.iter().copied());
        let decision = state.on_headers(&headers, 7, SystemTime::UNIX_EPOCH);
        assert_eq!(is_yes(decision), expected, "{on} {headers:?}");
    }
}

#[test]
fn resets_that_are_tried_again() {
    use ResetReason::*;
    for (on, reason, started, expected) in [
        ("5xx", ConnectionTermination, true, true),
        ("5xx", Overflow, false, false),
        ("gateway-error", LocalReset, true, true),
        ("reset", RemoteReset, true, true),
        ("connect-failure", RemoteConnectionFailure, false, true),
        ("connect-failure", ConnectionTermination, true, false),
        ("refused-stream", RemoteRefusedStreamReset, true, true),
        ("reset-before-request", ConnectionTermination, true, false),
        ("reset-before-request", RemoteConnectionFailure, false, true),
    ] {
        let mut state = state(policy(on), &[]).unwrap();
        let decision = state.on_reset(reason, started, 7);
        assert_eq!(is_yes(decision), expected, "{on} {reason:?}");
    }
}

#[test]
fn tries_end() {
    let mut state = state(policy("5xx"), &[("x-envoy-max-retries", "2")]).unwrap();
    let headers = HeaderMap::from_iter([(":status", "503")]);
    for expected in [true, true, false] {
        let decision = state.on_headers(&headers, 7, SystemTime::UNIX_EPOCH);
        assert_eq!(is_yes(decision), expected);
        assert_eq!(decision == Decision::LimitExceeded, !expected);
    }
}

#[test]
fn a_response_may_ask_for_its_back_off() {
    let header = |name: &str, format| ResetHeader {
        name: nuncio_base::HeaderName::new(name),
        format,
    };
    let policy = RetryPolicy {
        rate_limited_back_off: Some(RateLimitedBackOff {
            reset_headers: vec![
                header("retry-after", ResetHeaderFormat::Seconds),
                header("x-reset", ResetHeaderFormat::UnixTimestamp),
            ],
            max_interval: Duration::from_secs(60),
        }),
        ..policy("5xx")
    };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
    for (header, expected) in [
        (("retry-after", "2"), Some(2)),
        (("retry-after", "61"), None),
        (("retry-after", "soon"), None),
        (("x-reset", "1005"), Some(5)),
        (("x-reset", "900"), None),
    ] {
        let mut state = state(policy.clone(), &[]).unwrap();
        let headers = HeaderMap::from_iter([(":status", "503"), header]);
        let Decision::Yes {
            after,
            rate_limited,
        } = state.on_headers(&headers, 0, now)
        else {
            panic!("{header:?}");
        };
        assert_eq!(rate_limited, expected.is_some(), "{header:?}");
        if let Some(seconds) = expected {
            assert_eq!(after, Duration::from_secs(seconds), "{header:?}");
        }
    }
}
