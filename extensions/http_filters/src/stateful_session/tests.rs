//! What requests name, and what responses tell.

use super::{CookieSession, Named, SessionState, StatefulSession};
use crate::testing::{Script, errors};
use nuncio_base::{HeaderMap, HeaderName, base64};
use std::time::{Duration, SystemTime};

const TYPE: &str = "type.googleapis.com/envoy.extensions.http.stateful_session";
const HOST: &str = "127.0.0.1:80";

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn cookie(path: &str, ttl: u64) -> SessionState {
    SessionState::Cookie(CookieSession {
        name: "c".into(),
        path: path.into(),
        ttl,
        attributes: Vec::new(),
    })
}

fn named(state: &SessionState, header: (&str, &str)) -> (Option<String>, HeaderMap) {
    let mut headers = HeaderMap::from_iter([header]);
    let address = match state.named(&mut headers, at(100)) {
        Named::Nothing => None,
        Named::Address(address) => Some(address),
        Named::Unsendable(name) => panic!("{name:?} can't be sent"),
    };
    (address, headers)
}

#[test]
fn cookies_name_hosts() {
    let old = base64::encode(HOST.as_bytes());
    let new = |expires: &[u8]| base64::encode(&[b"\x0a\x0c", HOST.as_bytes(), expires].concat());
    for (value, expected) in [
        (format!("c={old}"), Some(HOST)),
        (format!("a=b; c=\"{}\"", new(b"")), Some(HOST)),
        (format!("c={}", new(b"\x10\x64")), Some(HOST)),
        (format!("c={}", new(b"\x10\x63")), None),
        ("c=!!".into(), None),
        ("c=".into(), None),
        ("d=x".into(), None),
    ] {
        let (address, _) = named(&cookie("", 0), ("cookie", &value));
        assert_eq!(address.as_deref(), expected, "{value}");
    }
}

#[test]
fn cookies_have_paths() {
    for (path, target, expected) in [
        ("", "/x", true),
        ("/", "/x", true),
        ("/a", "/a", true),
        ("/a", "/a?b", true),
        ("/a", "/a/b", true),
        ("/a", "/ab", false),
        ("/a/", "/a/b", true),
        ("/a/", "/a", false),
    ] {
        let headers = HeaderMap::from_iter([(":path", target)]);
        assert_eq!(
            cookie(path, 0).covers(&headers),
            expected,
            "{path} {target}"
        );
    }
}

#[test]
fn envelopes_carry_a_value_of_the_service() {
    let state = SessionState::Envelope(HeaderName::new("x"));
    let (host, value) = (base64::encode(HOST.as_bytes()), base64::encode(b"v"));
    for (text, expected, left) in [
        (format!("{host};UV:{value}"), Some(HOST), "v"),
        (format!("?;UV:{value}"), None, "v"),
        (format!(";UV:{value}"), None, &format!(";UV:{value}")),
        (format!("{host};UV:"), None, &format!("{host};UV:")),
        (
            format!("{host}UV:{value}"),
            None,
            &format!("{host}UV:{value}"),
        ),
        (host.clone(), None, &host),
    ] {
        let (address, headers) = named(&state, ("x", &text));
        assert_eq!(address.as_deref(), expected, "{text}");
        assert_eq!(headers.get_str("x"), Some(left), "{text}");
    }
    let mut answer = HeaderMap::from_iter([("x", "v")]);
    state.tell(&mut answer, HOST, Some(HOST), at(0));
    assert_eq!(answer.get_str("x"), Some(&*format!("{host};UV:{value}")));
    let mut two = HeaderMap::from_iter([("x", "v"), ("x", "w")]);
    state.tell(&mut two, HOST, None, at(0));
    assert_eq!(two.get_str("x"), Some("v"));
}

#[test]
fn what_is_no_value_is_not_sent() {
    let state = "session_state: {name: envoy.http.stateful_session.envelope, typed_config: \
                 {'@type': type.googleapis.com/envoy.extensions.http.stateful_session.envelope.v3\
                 .EnvelopeSessionState, header: {name: x}}}";
    let host = base64::encode(HOST.as_bytes());
    for (value, sent) in [
        (&b"own\tvalue \xff"[..], true),
        (b"own\r\nx-admin: 1", false),
        (b"a\nb", false),
        (b"a\rb", false),
        (b"a\0b", false),
        (b"\x7f", false),
    ] {
        let envelope = format!("{host};UV:{}", base64::encode(value));
        let outcome = Script::new()
            .filter(&StatefulSession, state)
            .request(&[("x", &envelope)])
            .run();
        assert_eq!(outcome.upstream.is_empty(), !sent, "{value:?}");
        if !sent {
            let reason = "{invalid_header_value_for:_x}";
            let details = format!("filter_removed_required_request_headers{reason}");
            assert_eq!(outcome.details, details, "{value:?}");
            assert_eq!(outcome.flags, "DPE");
            assert!(outcome.downstream.contains(":status=503"), "{value:?}");
        }
    }
}

#[test]
fn hosts_are_told_when_they_change() {
    let header = SessionState::Header(HeaderName::new("x"));
    let encoded = base64::encode(HOST.as_bytes());
    for (state, before, expected) in [
        (&header, None, format!("x={encoded}")),
        (&header, Some("other"), format!("x={encoded}")),
        (&header, Some(HOST), String::new()),
        (
            &cookie("/p", 60),
            None,
            "set-cookie=c=\"CgwxMjcuMC4wLjE6ODAQPQ==\"; Max-Age=60; Path=/p; HttpOnly".into(),
        ),
        (&cookie("", 0), Some(HOST), String::new()),
    ] {
        let mut headers = HeaderMap::new();
        state.tell(&mut headers, HOST, before, at(1));
        let told: Vec<_> = headers.iter().collect();
        let told = told.iter().map(|(name, value)| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            format!("{}={}", text(name), text(value))
        });
        assert_eq!(told.collect::<String>(), expected);
    }
}

#[test]
fn configuration() {
    let state = |name: &str, message: &str| {
        format!("session_state: {{name: {name}, typed_config: {{'@type': {TYPE}.{message}}}}}")
    };
    let header = "header.v3.HeaderBasedSessionState, name: x";
    for (config, expected) in [
        (
            state("mine", header),
            "Didn't find a registered implementation for name: 'mine'",
        ),
        (
            state(
                "envoy.http.stateful_session.header",
                "header.v3.HeaderBasedSessionState",
            ),
            "at least 1",
        ),
    ] {
        let errors = errors(&StatefulSession, &config);
        assert!(errors.contains(expected), "{config}: {errors}");
    }
    let outcome = Script::new()
        .filter(
            &StatefulSession,
            &state("envoy.http.stateful_session.header", header),
        )
        .run();
    assert_eq!(outcome.downstream, ":status=200");
}
