//! Which tags are found, and which regexes are refused; recorded from Envoy 1.40.0.

use super::*;

fn regex(name: &str, pattern: &str) -> TagSpecifier {
    TagSpecifier {
        name: name.to_owned(),
        value: TagValue::Regex(pattern.to_owned()),
    }
}

fn show(extractors: &TagExtractors, name: &str) -> String {
    let tagged = extractors.extract(name);
    let tags = tagged
        .tags
        .iter()
        .map(|tag| format!(" {}={}", tag.name, tag.value));
    tagged.name.clone() + &tags.collect::<String>()
}

#[test]
fn default_tags() {
    let extractors = TagExtractors::default();
    let cases = [
        (
            "cluster.a.upstream_rq_200",
            "cluster.upstream_rq envoy.response_code=200 envoy.cluster_name=a",
        ),
        (
            "cluster.a.b.upstream_rq_2xx",
            "cluster.b.upstream_rq_xx envoy.response_code_class=2 envoy.cluster_name=a",
        ),
        (
            "cluster.a.ssl.ciphers.ECDHE-RSA_X",
            "cluster.ssl.ciphers cipher_suite=ECDHE-RSA_X envoy.cluster_name=a",
        ),
        (
            "cluster.a.b.ssl.curves.X25519",
            "cluster.b.ssl.curves envoy.ssl_curve=X25519 envoy.cluster_name=a",
        ),
        (
            "listener.1.2.3.4_80.ssl.versions.TLSv1.2",
            "listener.ssl.versions envoy.ssl_version=TLSv1.2 envoy.listener_address=1.2.3.4_80",
        ),
        (
            "listener.[__1]_80.http.in.downstream_rq_2xx",
            "listener.http.downstream_rq_xx envoy.response_code_class=2 envoy.http_conn_manager_prefix=in envoy.listener_address=[__1]_80",
        ),
        (
            "listener.foo.worker_7.downstream_cx_total",
            "listener.worker_downstream_cx_total envoy.worker_id=7 envoy.listener_address=foo",
        ),
        (
            "listener.admin.downstream_cx_total",
            "listener.admin.downstream_cx_total",
        ),
        (
            "listener_manager.workers_started",
            "listener_manager.workers_started",
        ),
        (
            "server.worker_12.watchdog_miss",
            "server.worker_watchdog_miss envoy.worker_id=12",
        ),
        (
            "http.in.rds.my.ro-ute.cfg.update_success",
            "http.rds.update_success envoy.rds_route_config=my.ro-ute.cfg envoy.http_conn_manager_prefix=in",
        ),
        (
            "http.m.rbac.policy.p.q.allowed",
            "http.rbac.policy.p.q.allowed envoy.http_conn_manager_prefix=m",
        ),
        (
            "http.m.rbac.pre.policy.p.denied",
            "http.rbac.policy.denied envoy.rbac_policy_name=p envoy.rbac_http_prefix=pre envoy.http_conn_manager_prefix=m",
        ),
        (
            "cluster.a.grpc.Svc.Method.success",
            "cluster.grpc.success envoy.grpc_bridge_method=Method envoy.grpc_bridge_service=Svc envoy.cluster_name=a",
        ),
        (
            "cluster.a.health_check.name.hc.attempt",
            "cluster.health_check.attempt envoy.health_check_name=hc envoy.cluster_name=a",
        ),
        (
            "mongo.m.collection.c.query.total",
            "mongo.collection.query.total envoy.mongo_collection=c envoy.mongo_prefix=m",
        ),
        (
            "proxy_proto.ppp.versions.v1.found",
            "proxy_proto.found envoy.proxy_protocol_prefix=ppp envoy.proxy_protocol_version=1",
        ),
        (
            "proxy_proto.versions.v2.found",
            "proxy_proto.found envoy.proxy_protocol_version=2",
        ),
        (
            "netrbac.rbac.allowed",
            "rbac.allowed envoy.rbac_prefix=netrbac",
        ),
        (
            "vhost.v.vcluster.c.upstream_rq_total",
            "vhost.vcluster.upstream_rq_total envoy.virtual_cluster=c envoy.virtual_host=v",
        ),
        ("local_rate_limit.lr", "local_rate_limit.lr"),
        (
            "cluster_manager.active_clusters",
            "cluster_manager.active_clusters",
        ),
    ];
    for (name, expected) in cases {
        assert_eq!(show(&extractors, name), expected);
    }
}

#[test]
fn configured_tags() {
    let istio = r"^listener(?=\.).*?\.http\.(((?:[_.[:digit:]]*|[_\[\]aAbBcCdDeEfF[:digit:]]*))\.)";
    let cases = [
        (
            regex("x", r"^http(?=\.).*?downstream_(cx)"),
            "http.a.downstream_cx_total",
            "http.a.downstream__total x=cx",
        ),
        (
            regex("x", r"upstream_((rq|cx)_)"),
            "a.upstream_cx_total",
            "a.upstream_total x=cx",
        ),
        (
            regex("x", r"_(pending_)(x)?"),
            "a_pending_total",
            "a_total x=",
        ),
        (regex("x", "Micro"), "Micro", "Micro"),
        (regex("x", r"(\d{2,})"), "a12b", "ab x=12"),
        (
            regex("x", r"([[:digit:]]+)_[[:alpha:]]$"),
            "1_a.22_b",
            "1_a._b x=22",
        ),
        (regex("x", r"(a)\.\1"), "b.a.a", "b..a x=a"),
        (regex("x", r"\b(rq)\b"), "a.rq.b", "a..b x=rq"),
        (regex("x", r"^(?!cluster)([^.]+)\."), "http.a", ".a x=http"),
        (
            regex("x", istio),
            "listener.0.0.0.0_80.http.1.2_3.rq",
            "listener.0.0.0.0_80.http.rq x=1.2_3",
        ),
    ];
    for (specifier, name, expected) in cases {
        let extractors = TagExtractors::new(false, false, &[specifier]).unwrap();
        assert_eq!(show(&extractors, name), expected);
    }
}

#[test]
fn refused_tags() {
    let repeat = "One of *?+{ was not preceded by a valid regular expression.";
    let paren = "The expression contained mismatched ( and ).";
    let brack = "The expression contained mismatched [ and ].";
    let brace = "The expression contained mismatched { and }.";
    let bad_brace = "The expression contained an invalid range in a {} expression.";
    let range =
        "The expression contained an invalid character range, such as [b-a] in most encodings.";
    let escape = "The expression contained an invalid escaped character, or a trailing escape.";
    let backref = "The expression contained an invalid back reference.";
    let rest = "The parser did not consume the entire regular expression.";
    let cases: &[(&str, &[&str])] = &[
        (
            repeat,
            &[
                "(?<=a)(b)",
                "(?<!a)(b)",
                "(?i)(b)",
                "a**",
                "*a",
                "(?<n>a)",
                "(?P<n>a)",
                "a++",
                "a|*",
                "{",
                "(?=a)*",
                "^*",
                "(?>a)",
                "(?",
                "a{1}{2}",
                "a???",
                r"\b*",
                "$*",
            ],
        ),
        (paren, &["(b", "(((((((((a", "(?=a"]),
        (brack, &["[b", "[a-", r"[\]"]),
        (brace, &["a{2", "a{1,2"]),
        (bad_brace, &["a{3,2}", "a{99999999999}", "a{x}", "a{,3}"]),
        (range, &["[z-a]", r"[\w-.]+(a)", r"[a-\w]", r"[\w-z]"]),
        (
            escape,
            &[
                r"\p{L}(a)",
                r"\A(a)",
                r"\Q(a)",
                r"\h(a)",
                "a\\",
                r"\x4",
                r"\z",
                r"\c1",
                r"[\B]",
                r"[\A]",
            ],
        ),
        (backref, &[r"(a)\2", r"\8", r"(a)\1*\12", r"\1(a)"]),
        (rest, &["b)", "[[a]&&b](a)", "[]a]", "}", "]"]),
        (
            "The expression contained an invalid character class name.",
            &["[[:foo:]]", "[[:^digit:]]"],
        ),
        (
            "The expression contained an invalid collating element name.",
            &["[[.foo.]]"],
        ),
    ];
    for (why, patterns) in cases {
        for pattern in *patterns {
            let error = TagExtractors::new(true, false, &[regex("x", pattern)])
                .err()
                .unwrap();
            assert_eq!(
                error.to_string(),
                format!("Invalid regex '{pattern}': {why}")
            );
        }
    }
    let unset = |name: &str| TagSpecifier {
        name: name.to_owned(),
        value: TagValue::Default,
    };
    let error = TagExtractors::new(true, false, &[unset("x")])
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "No regex specified for tag specifier and no default regex for name: 'x'"
    );
    assert!(TagExtractors::new(false, false, &[unset("envoy.cluster_name")]).is_ok());
    let error = TagExtractors::new(true, false, &[regex("", "a")])
        .err()
        .unwrap();
    assert_eq!(error.to_string(), "tag_name cannot be empty");
}

#[test]
fn accepted_regexes() {
    for pattern in [
        r"(a)\1",
        r"\u0041(a)",
        "[^]a",
        "(?:a)*?(?!b)(c)",
        r"\_(a)",
        "[[=a=]]",
        "[[.a.]]",
        r"\cJ(a)",
        "()",
        "a+?b*?c{1,}?(d)",
        "(|a)",
        "|",
        r"\0(a)",
        r"\00",
        r"[\b]",
        r"[\d\-x]",
        r"[a\d-]",
        "[-a]",
        "[--a]",
        "[a-c-e]",
        r"[\n-a]",
        "[]",
        r"[^\W]",
        "ü(é)[ä-ö]",
    ] {
        let made = TagExtractors::new(true, false, &[regex("x", pattern)]);
        assert!(made.is_ok(), "{pattern}: {}", made.err().unwrap());
    }
}

#[test]
fn defaults_compile() {
    for default in defaults::REGEXES {
        let made = build(default.regex);
        assert!(made.is_ok(), "{}: {}", default.name, made.err().unwrap());
    }
}

#[test]
fn whatever_is_translated_compiles() {
    let pieces = [
        "a",
        "b",
        "|",
        "(",
        ")",
        "(?:",
        "(?=",
        "(?!",
        "[",
        "[^",
        "]",
        "{2}",
        "{1,3}",
        "*",
        "+?",
        "?",
        "^",
        "$",
        ".",
        "\\d",
        "\\W",
        "\\b",
        "\\B",
        "\\1",
        "-",
        ":",
        "&&",
        "~~",
        "[:alpha:]",
        "#",
        " ",
        "\\x41",
        "\\.",
        "é",
    ];
    let mut seed = 1u64;
    let mut compiled = 0;
    for _ in 0..5000 {
        let mut pattern = String::new();
        for _ in 0..8 {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            pattern.push_str(pieces[(seed >> 33) as usize % pieces.len()]);
        }
        if let Ok(translated) = ecmascript::translate(&pattern) {
            let built = build(&translated);
            assert!(
                built.is_ok(),
                "{pattern} as {translated}: {}",
                built.err().unwrap()
            );
            compiled += 1;
        }
    }
    assert!(compiled > 200, "{compiled}");
}
