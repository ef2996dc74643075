//! What redirects answer: schemes, hosts, ports, paths.

use crate::fixture::Request;
use crate::redirect::{Redirect, RedirectPath};
use crate::rewrite::{HostRewrite, PathRewrite};
use nuncio_base::random::Random;
use nuncio_base::{HeaderMap, HeaderName};
use nuncio_matching::Substitution;
use nuncio_observe::Formatter;
use std::sync::Arc;

fn redirect() -> Redirect {
    Redirect {
        status: 301,
        scheme: "".into(),
        host: "".into(),
        port: 0,
        path: RedirectPath::Rewrite(PathRewrite::Keep),
        strip_query: false,
    }
}

fn whole(path: &str) -> Redirect {
    Redirect {
        path: RedirectPath::Whole(path.into()),
        ..redirect()
    }
}

fn location(redirect: &Redirect, request: &mut Request, matched: usize) -> String {
    redirect.rewrite_path(&mut request.headers, matched, true);
    let mut out = Vec::new();
    let format = |_: &Formatter, headers: &HeaderMap, out: &mut Vec<u8>| {
        out.extend_from_slice(headers.get("x-a").unwrap_or_default());
    };
    redirect.append_location(&request.headers, format, &mut out);
    String::from_utf8(out).unwrap()
}

// Each location is what Envoy 1.40.0 sent for the same route and request.
#[test]
fn locations_are_envoys() {
    let https = || Redirect {
        scheme: "https".into(),
        ..redirect()
    };
    let to_host = || Redirect {
        host: "new.test".into(),
        ..redirect()
    };
    let to_port = || Redirect {
        port: 8443,
        ..redirect()
    };
    let h = "parity.test";
    let cases = [
        (to_host(), h, "/host?x=1", "http://new.test/host?x=1"),
        (to_host(), "old.test:8080", "/host", "http://new.test/host"),
        (to_port(), h, "/port", "http://parity.test:8443/port"),
        (
            to_port(),
            "old.test:8080",
            "/port",
            "http://old.test:8443/port",
        ),
        (https(), h, "/https?x=1", "https://parity.test/https?x=1"),
        (https(), "old.test:80", "/https", "https://old.test/https"),
        (
            https(),
            "old.test:8080",
            "/https",
            "https://old.test:8080/https",
        ),
        (https(), "[::1]:80", "/https", "https://[::1]/https"),
        (https(), "[::1]", "/https", "https://[::1]/https"),
        (
            Redirect {
                port: 443,
                ..https()
            },
            h,
            "/s",
            "https://parity.test:443/s",
        ),
        (
            Redirect {
                scheme: "HTTPS".into(),
                host: "h.test".into(),
                port: 99,
                ..redirect()
            },
            h,
            "/scheme",
            "HTTPS://h.test:99/scheme",
        ),
        (whole("/new"), h, "/path?x=1", "http://parity.test/new?x=1"),
        (
            whole("/new?a=b"),
            h,
            "/pathquery?x=1",
            "http://parity.test/new?a=b",
        ),
        (
            Redirect {
                strip_query: true,
                ..whole("/new")
            },
            h,
            "/s?x=1",
            "http://parity.test/new",
        ),
        (
            Redirect {
                strip_query: true,
                ..https()
            },
            h,
            "/s?x=1",
            "https://parity.test/s",
        ),
    ];
    for (redirect, host, path, expected) in cases {
        let mut request = Request::get(host, path);
        assert_eq!(
            location(&redirect, &mut request, 0),
            expected,
            "{redirect:?} {host} {path}"
        );
    }
}

#[test]
fn redirects_rewrite_the_path_first() {
    let rewritten = |rewrite| Redirect {
        path: RedirectPath::Rewrite(rewrite),
        ..redirect()
    };
    let prefix = rewritten(PathRewrite::Prefix(b"/moved/".as_slice().into()));
    let mut request = Request::get("parity.test", "/prefix/a/b?x=1");
    let moved = location(&prefix, &mut request, "/prefix/".len());
    assert_eq!(moved, "http://parity.test/moved/a/b?x=1");
    assert_eq!(
        request.headers.get_str("x-envoy-original-path"),
        Some("/prefix/a/b?x=1")
    );

    let substitution = Substitution::new("^/re/([a-z]+)", "/was/\\1").unwrap();
    let regex = rewritten(PathRewrite::Regex(substitution));
    let mut request = Request::get("parity.test", "/re/abc/d?x=1");
    let was = location(&regex, &mut request, "/re".len());
    assert_eq!(was, "http://parity.test/was/abc/d?x=1");
}

#[test]
fn a_format_makes_the_whole_path() {
    let formatter = Arc::new(Formatter::parse("%REQ(x-a)%").unwrap());
    let format = Redirect {
        path: RedirectPath::Format(formatter),
        ..redirect()
    };
    for (strip_query, value, expected) in [
        (false, "/f/7", "http://h/f/7?b=2"),
        (false, "/w/5?k=1", "http://h/w/5?k=1"),
        (false, "", "http://h/a?b=2"),
        (true, "/w", "http://h/w"),
        (true, "/w?k", "http://h/w?k"),
        (true, "", "http://h/a"),
    ] {
        let format = Redirect {
            strip_query,
            ..format.clone()
        };
        let mut request = Request::get("h", "/a?b=2").with("x-a", value);
        assert_eq!(location(&format, &mut request, 0), expected);
        assert_eq!(request.headers.get_str(":path"), Some("/a?b=2"));
    }
}

#[test]
fn nothing_is_rewritten_to_nothing() {
    let everything = PathRewrite::Regex(Substitution::new(".*", "").unwrap());
    let mut request = Request::get("h", "/a?b");
    everything.apply(&mut request.headers, 0, true, |_, _, _| {});
    assert_eq!(request.headers.get_str(":path"), Some("/a?b"));
    assert!(!request.headers.contains("x-envoy-original-path"));
    let nothing = PathRewrite::Regex(Substitution::new("zzz", "y").unwrap());
    nothing.apply(&mut request.headers, 0, true, |_, _, _| {});
    assert_eq!(request.headers.get_str(":path"), Some("/a?b"));
    assert_eq!(
        request.headers.get_str("x-envoy-original-path"),
        Some("/a?b")
    );
}

/// Random rewrites of random bytes end, and leave no empty path.
#[test]
fn rewrites_never_panic() {
    let mut random = Random::seeded(7);
    for round in 0..20_000 {
        let bytes = |random: &mut Random, longest: u64| -> Vec<u8> {
            let letters = b"/ab?#;%:[]@.\\1\xff";
            (0..random.below(longest))
                .map(|_| letters[random.below(letters.len() as u64) as usize])
                .collect()
        };
        let target = bytes(&mut random, 12);
        let rewrite = match random.below(3) {
            0 => PathRewrite::Prefix(bytes(&mut random, 5).into()),
            1 => {
                let pattern = ["a*", "(a|b)+", "[^/]*", "$", "^/", "/(.)"][round % 6];
                let rewrite = bytes(&mut random, 5);
                let rewrite = String::from_utf8_lossy(&rewrite).into_owned();
                PathRewrite::Regex(Substitution::new(pattern, &rewrite).unwrap())
            }
            _ => PathRewrite::Keep,
        };
        let mut request = Request::get("h", "/");
        request.headers.set(":path", &target);
        request.headers.set(":authority", &bytes(&mut random, 6));
        let matched = random.below(20) as usize;
        let redirect = Redirect {
            path: RedirectPath::Rewrite(rewrite),
            port: random.below(2) as u32,
            strip_query: random.below(2) == 0,
            scheme: ["", "https"][round % 2].into(),
            ..redirect()
        };
        redirect.rewrite_path(&mut request.headers, matched, true);
        let mut out = Vec::new();
        redirect.append_location(&request.headers, |_, _, _| {}, &mut out);
        assert!(out.windows(3).any(|part| part == b"://"));
    }
}

#[test]
fn paths_are_rewritten_and_queries_kept() {
    for (rewrite, path, matched, expected) in [
        ("/", "/a/one?x=/a/", 3, "/one?x=/a/"),
        ("/", "/b/one", 2, "//one"),
        ("/", "/b", 2, "/"),
        ("/", "/b?q", 2, "/?q"),
        ("/whole?added=1", "/exact?x=1", 6, "/whole?added=1?x=1"),
        ("/c", "/cASE/x", 5, "/c/x"),
        ("/x", "/re/abc?x=1", 7, "/x?x=1"),
        ("/x", "/short", 100, "/x"),
    ] {
        let mut request = Request::get("h", path);
        let rewrite = PathRewrite::Prefix(rewrite.as_bytes().into());
        rewrite.apply(&mut request.headers, matched, true, |_, _, _| {});
        assert_eq!(request.headers.get_str(":path"), Some(expected), "{path}");
        assert_eq!(request.headers.get_str("x-envoy-original-path"), Some(path));
    }
    let mut request = Request::get("h", "/a");
    PathRewrite::Keep.apply(&mut request.headers, 1, true, |_, _, _| {});
    assert!(!request.headers.contains("x-envoy-original-path"));
}

#[test]
fn hosts_are_rewritten_and_the_old_one_kept() {
    let literal = |text: &str| HostRewrite::Literal(text.as_bytes().into());
    let by_path = || {
        let substitution = Substitution::new("^/path/([^/]+)/.*$", "\\1.by.path");
        HostRewrite::PathRegex(substitution.unwrap())
    };
    let header = || HostRewrite::Header(HeaderName::new("x-host"));
    // Rewrite, append_x_forwarded_host, path, x-forwarded-host before; then host, original host,
    // x-forwarded-host.
    let cases = [
        (
            literal("new.test"),
            false,
            "/",
            "",
            "new.test",
            "old.test",
            "",
        ),
        (
            literal("new.test"),
            true,
            "/",
            "",
            "new.test",
            "old.test",
            "old.test",
        ),
        (
            literal("n"),
            true,
            "/",
            "first.test",
            "n",
            "old.test",
            "first.test,old.test",
        ),
        (
            literal("n"),
            true,
            "/",
            "a,old.test",
            "n",
            "old.test",
            "a,old.test",
        ),
        (
            literal("old.test"),
            true,
            "/",
            "",
            "old.test",
            "old.test",
            "old.test",
        ),
        (
            by_path(),
            false,
            "/path/some/x?y",
            "",
            "some.by.path",
            "old.test",
            "",
        ),
        (by_path(), false, "/path", "", "/path", "old.test", ""),
        (header(), false, "/", "", "old.test", "", ""),
        (HostRewrite::Auto, false, "/", "", "old.test", "", ""),
    ];
    for (rewrite, append, path, before, host, original, forwarded) in cases {
        let mut request = Request::get("old.test", path);
        if !before.is_empty() {
            request = request.with("x-forwarded-host", before);
        }
        rewrite.apply(&mut request.headers, append, true, |_, _, _| {});
        let get = |name| request.headers.get_str(name).unwrap_or_default();
        assert_eq!(get(":authority"), host, "{rewrite:?}");
        assert_eq!(get("x-envoy-original-host"), original, "{rewrite:?}");
        assert_eq!(get("x-forwarded-host"), forwarded, "{rewrite:?}");
    }
    let mut request = Request::get("old.test", "/").with("x-host", "named.test");
    header().apply(&mut request.headers, false, false, |_, _, _| {});
    assert_eq!(request.headers.get_str(":authority"), Some("named.test"));
    assert!(!request.headers.contains("x-envoy-original-host"));
}
