//! Headers, and requests with them.

use super::{CdnLoop, InvalidHeader, count, is_cdn_id};
use crate::testing::{Script, errors, route_errors};

#[test]
fn headers() {
    for (header, expected) in [
        ("", Ok(0)),
        (", a", Ok(0)),
        ("a,,b", Ok(0)),
        ("me", Ok(1)),
        ("ME", Ok(0)),
        ("me, other; v=1 , me;x=\"a,b\\\"\"", Ok(2)),
        ("me:80", Ok(0)),
        ("[::1]:80, me ;a=b;c=d", Ok(1)),
        ("a;", Err(InvalidHeader)),
        ("a;b", Err(InvalidHeader)),
        ("a;b=\"", Err(InvalidHeader)),
        ("\"q\"", Err(InvalidHeader)),
        ("a b", Err(InvalidHeader)),
        ("[::1", Err(InvalidHeader)),
    ] {
        assert_eq!(count(header.as_bytes(), b"me"), expected, "{header}");
    }
    for (id, expected) in [
        ("a.test", true),
        ("a:80", true),
        ("a b", false),
        ("", false),
    ] {
        assert_eq!(is_cdn_id(id.as_bytes()), expected, "{id}");
    }
}

#[test]
fn requests_that_were_here() {
    let config = "{cdn_id: me, max_allowed_occurrences: 1}";
    for (header, seen, details) in [
        (None, "cdn-loop=me", ""),
        (Some("other; v=1"), "cdn-loop=other; v=1,me", ""),
        (Some("me"), "cdn-loop=me,me", ""),
        (Some("me, x, me"), "", "cdn_loop_detected"),
        (Some("bad header"), "", "invalid_cdn_loop_header"),
    ] {
        let mut script = Script::new().filter(&CdnLoop, config);
        if let Some(header) = header {
            script = script.request(&[("cdn-loop", header)]);
        }
        let outcome = script.run();
        assert!(outcome.upstream.ends_with(seen), "{}", outcome.upstream);
        assert_eq!(outcome.details, details);
    }
}

#[test]
fn what_is_wrong_is_said() {
    let error = errors(&CdnLoop, "{cdn_id: a b}");
    assert!(
        error.contains("Provided cdn_id \"a b\" is not a valid CDN identifier"),
        "{error}"
    );
    let error = route_errors(&CdnLoop, "{cdn_id: a}");
    assert!(
        error.contains("doesn't support virtual host or route specific"),
        "{error}"
    );
}
