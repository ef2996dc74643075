//! What a gRPC service's answers mean, and its configuration.

use super::super::verdict::Verdict;
use super::super::{ExtAuthz, query, wire};
use crate::testing::errors;
use nuncio_proto::{Format, Options, load, reflect};

/// An answer, of its text.
fn verdict(yaml: &str) -> Verdict {
    let message = reflect::message("envoy.service.auth.v3.CheckResponse").unwrap();
    let answer = load::text("a.yaml", yaml, Format::Yaml, message, &Options::default());
    wire::verdict(&answer.unwrap().bytes)
}

#[test]
fn answers() {
    let ok = "{status: {}, ok_response: {
        headers: [{header: {key: x-set, value: a}}, {header: {key: X-Add, value: b}, append: true},
            {header: {key: transfer-encoding, value: chunked}}, {header: {key: ':path', value: /}}],
        headers_to_remove: [x-gone, host, ':path'],
        response_headers_to_add: [{header: {key: r, value: c}, append_action: ADD_IF_ABSENT}],
        query_parameters_to_set: [{key: q, value: '1'}], query_parameters_to_remove: [z]},
        dynamic_metadata: {who: ann}}";
    let Verdict::Ok(consent) = verdict(ok) else {
        panic!("a consent");
    };
    let shown = format!(
        "{:?} {:?} {:?}",
        consent.set, consent.append, consent.remove
    );
    let names: Vec<_> = ["x-set", "x-add", "x-gone"]
        .map(|name| shown.contains(name))
        .into();
    assert_eq!(names, [true; 3], "{shown}");
    for gone in ["transfer-encoding", ":path", "host"] {
        assert!(!shown.contains(gone), "{shown}");
    }
    assert_eq!(consent.response.len(), 1);
    assert_eq!(consent.query_remove, ["z"]);
    assert!(consent.metadata.contains_key("who"));

    for (answer, status, body) in [
        ("{status: {code: 7}}", 403, ""),
        (
            "{status: {code: 16}, denied_response: {status: {code: 401}, body: go,
              headers: [{header: {key: x-why, value: nope}}]}}",
            401,
            "go",
        ),
        ("{status: {code: 7}, ok_response: {}}", 403, ""),
    ] {
        let Verdict::Denied(denial) = verdict(answer) else {
            panic!("a denial: {answer}");
        };
        assert_eq!((denial.status, &denial.body[..]), (status, body.as_bytes()));
        assert_eq!(denial.headers.len(), usize::from(status == 401));
    }
    let error = "{status: {code: 13}, error_response: {}}";
    assert!(matches!(verdict(error), Verdict::Error));
    assert!(matches!(wire::verdict(b"\xff"), Verdict::Error));
    assert!(matches!(verdict("{}"), Verdict::Ok(_)));
}

#[test]
fn queries() {
    let set = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let pairs = pairs.iter();
        pairs
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    let remove =
        |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    for (path, sets, removes, changed) in [
        ("/p?b=1", &[][..], &[][..], None),
        ("/p", &[("a", "1")], &[], Some("/p?a=1")),
        (
            "/p?b=1&a=2&b=3",
            &[("c", "4")],
            &["a"],
            Some("/p?b=1&b=3&c=4"),
        ),
        ("/p?b=1#f", &[("b", "2")], &[], Some("/p?b=2#f")),
        ("/p?b=1", &[], &["b"], Some("/p")),
    ] {
        let found = query::changed(path, &set(sets), &remove(removes));
        assert_eq!(found.as_deref(), changed, "{path}");
    }
}

#[test]
fn what_is_refused() {
    for (service, rest, part) in [
        (
            "google_grpc: {target_uri: 'xds:a', stat_prefix: b}",
            "",
            "google_grpc",
        ),
        (
            "envoy_grpc: {cluster_name: c, retry_policy: {}}",
            "",
            "retry_policy",
        ),
        (
            "envoy_grpc: {cluster_name: c}, initial_metadata: [{key: k, value: '%PROTOCOL%'}]",
            "",
            "value with substitutions",
        ),
        (
            "envoy_grpc: {cluster_name: c}",
            "typed_metadata_context_namespaces: [a]",
            "typed_metadata_context_namespaces",
        ),
    ] {
        let config = format!("{{grpc_service: {{{service}}}, {rest}}}");
        let found = errors(&ExtAuthz, &config);
        assert!(found.contains(part), "{found}, not {part}");
    }
    let good = "{grpc_service: {envoy_grpc: {cluster_name: c, authority: a}, timeout: 1s,
        initial_metadata: [{key: k, value: v}]}}";
    assert_eq!(errors(&ExtAuthz, good), "");
}
