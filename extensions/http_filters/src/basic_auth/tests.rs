//! Whole requests through a chain with the filter; lists of users.

use super::{BasicAuth, InvalidUsers, Users};
use crate::testing::{Script, errors};
use nuncio_base::metadata::Value;

const CONFIG: &str = r#"{users: {inline_string: "user1:{SHA}tESsBmE/yNY3lb6a0L6vVQEZNqw=\n# c\n"},
                       forward_username_header: x-user, emit_dynamic_metadata: true}"#;

#[test]
fn credentials() {
    for (value, details) in [
        (None, "no_credential_for_basic_auth"),
        (Some("Basic dXNlcjE6dGVzdDE="), ""),
        (Some("Basic dXNlcjE6dGVzdDE"), ""),
        (
            Some("basic dXNlcjE6dGVzdDE="),
            "invalid_scheme_for_basic_auth",
        ),
        (Some("Bearer x"), "invalid_scheme_for_basic_auth"),
        (Some("Basic !!"), "invalid_format_for_basic_auth"),
        (Some("Basic dXNlcjE="), "invalid_format_for_basic_auth"),
        (
            Some("Basic dXNlcjE6d3Jvbmc="),
            "invalid_credential_for_basic_auth",
        ),
        (
            Some("Basic bm9ib2R5OnRlc3Qx"),
            "invalid_credential_for_basic_auth",
        ),
    ] {
        let mut script = Script::new().filter(&BasicAuth, CONFIG);
        if let Some(value) = value {
            script = script.request(&[("authorization", value)]);
        }
        let outcome = script.run();
        assert_eq!(outcome.details, details, "{value:?}");
        if details.is_empty() {
            assert!(
                outcome.upstream.contains("x-user=user1"),
                "{}",
                outcome.upstream
            );
            let fields = outcome
                .metadata
                .get("envoy.filters.http.basic_auth")
                .unwrap();
            assert_eq!(fields.at(["username"]), Some(&Value::Text("user1".into())));
        } else {
            let challenge = "www-authenticate=Basic realm=\"http://host.test/\"";
            assert!(
                outcome.downstream.contains(challenge),
                "{}",
                outcome.downstream
            );
        }
    }
}

#[test]
fn requests_without_may_pass() {
    let config = CONFIG.replace("forward_username_header: x-user", "allow_missing: true");
    let outcome = Script::new().filter(&BasicAuth, &config).run();
    assert!(!outcome.upstream.is_empty());
    assert_eq!(outcome.stat("http.test.basic_auth.allowed"), 1);
}

#[test]
fn lists_of_users() {
    let hash = "{SHA}tESsBmE/yNY3lb6a0L6vVQEZNqw=";
    for (text, expected) in [
        ("a".to_owned(), InvalidUsers::NoColon),
        ("a:".to_owned(), InvalidUsers::Empty),
        (format!(":{hash}"), InvalidUsers::Empty),
        ("a:{MD5}x".to_owned(), InvalidUsers::Scheme),
        ("a:{SHA}abc".to_owned(), InvalidUsers::Length),
        (format!("a:{hash}\na:{hash}"), InvalidUsers::Duplicate),
    ] {
        assert_eq!(Users::parse(&text).err(), Some(expected), "{text}");
    }
    let users = Users::parse(&format!("a:{hash}\r\n\n b : {hash} ")).unwrap();
    assert!(users.accept(b"a", b"test1") && users.accept(b"b", b"test1"));
    assert!(!users.accept(b"a", b"test2") && !users.accept(b"c", b"test1"));
    assert!(
        errors(&BasicAuth, "{users: {inline_string: ''}}").contains("DataSource cannot be empty")
    );
}
