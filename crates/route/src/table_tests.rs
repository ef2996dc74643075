//! Which route is found, and what it prescribes.

use crate::action::Action;
use crate::cluster::{ClusterTarget, WeightedCluster, WeightedClusters, WeightedDraw};
use crate::filter_config::{FilterConfigs, FilterOverride};
use crate::fixture::{Request, host, path_match, route, table, to_cluster};
use crate::mutation::{AppendAction, HeaderMutations, HeaderToAdd, HeaderValue};
use crate::retry_policy::RetryPolicy;
use crate::route::Route;
use crate::route_match::RouteMatch;
use crate::table::{Lookup, RouteTable, RouteTableConfig};
use crate::virtual_host::{TlsRequirement, VirtualCluster};
use nuncio_base::HeaderName;
use nuncio_base::random::Random;
use nuncio_base::runtime_flags::{FlagValue, Fraction, RuntimeFlags, RuntimeFraction};
use nuncio_matching::{HeaderMatch, HeaderMatcher, StringMatcher};
use std::sync::Arc;

fn found(table: &RouteTable, request: &Request) -> String {
    match table.find(&request.view()) {
        Lookup::Route(id) => table.selected(id).route.name.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn the_first_match_wins() {
    let one = table(vec![host(
        "v",
        &["*"],
        vec![
            route("path", "/exact"),
            route("regex", "/re/[a-z]+(/x)?"),
            route("prefix", "/pre"),
            route("prefix", "/pre/longer"),
            route("prefix", "/exact/"),
            route("separated", "/api/v1"),
            route("connect", ""),
        ],
    )]);
    for (path, name) in [
        ("/exact", "path /exact"),
        ("/exact?x=1", "path /exact"),
        ("/exact#x", "path /exact"),
        ("/exact/", "prefix /exact/"),
        ("/re/abc", "regex /re/[a-z]+(/x)?"),
        ("/re/abc/x?y=/1", "regex /re/[a-z]+(/x)?"),
        ("/pre", "prefix /pre"),
        ("/pre/longer", "prefix /pre"),
        ("/api/v1", "separated /api/v1"),
        ("/api/v1/x/y?z", "separated /api/v1"),
        ("/api/v1?z", "separated /api/v1"),
        ("/api/v12", ""),
        ("/api/V1", ""),
        ("/exactly", ""),
        ("/EXACT", ""),
        ("/re/abc1", ""),
        ("/a/re/abc", ""),
    ] {
        let name = match name {
            "" => "NoRoute { virtual_host: 0 }",
            name => name,
        };
        assert_eq!(found(&one, &Request::get("h", path)), name, "{path}");
    }
    let connect = Request::new(&[(":method", "CONNECT"), (":authority", "h:80")]);
    assert_eq!(found(&one, &connect), "connect ");
    let pathless = Request::new(&[(":method", "GET"), (":authority", "h")]);
    assert_eq!(found(&one, &pathless), "NoRoute { virtual_host: 0 }");
}

#[test]
fn case_may_not_matter() {
    let routes = [
        ("path", "/Exact"),
        ("prefix", "/Pre"),
        ("separated", "/Api"),
        ("regex", "/Re.*"),
    ]
    .map(|(kind, text)| {
        let mut route = route(kind, text);
        route.matcher.case_sensitive = false;
        route
    });
    let one = table(vec![host("v", &["*"], routes.into())]);
    for (path, name) in [
        ("/eXACT?Q=1", "path /Exact"),
        ("/PREFIX", "prefix /Pre"),
        ("/aPI/x", "separated /Api"),
        ("/Re/x", "regex /Re.*"),
        ("/re/x", "NoRoute { virtual_host: 0 }"),
    ] {
        assert_eq!(found(&one, &Request::get("h", path)), name, "{path}");
    }
}

#[test]
fn hosts_are_looked_up_as_the_table_says() {
    let hosts = || {
        vec![
            host("a", &["a.test"], vec![route("prefix", "/")]),
            host("b", &["b.test:8080", "[::1]"], vec![route("prefix", "/")]),
        ]
    };
    let mut config = RouteTableConfig {
        virtual_hosts: hosts(),
        ignore_port_in_host_matching: true,
        ..RouteTableConfig::default()
    };
    let without_ports = RouteTable::new(config.clone()).unwrap();
    for (host, expected) in [
        ("a.test:1234", Some(0)),
        ("A.test", Some(0)),
        ("a.test:x", Some(0)),
        ("b.test:8080", None),
        ("[::1]:80", Some(1)),
        ("[::1]", Some(1)),
        ("", None),
    ] {
        let headers = Request::get(host, "/").headers;
        assert_eq!(
            without_ports.find_virtual_host(&headers),
            expected,
            "{host}"
        );
    }
    config.virtual_hosts = hosts();
    config.ignore_port_in_host_matching = false;
    config.vhost_header = Some(HeaderName::new("x-vhost"));
    let by_header = RouteTable::new(config).unwrap();
    let request = Request::get("b.test:8080", "/").with("x-vhost", "a.test");
    assert_eq!(by_header.find_virtual_host(&request.headers), Some(0));
    assert_eq!(
        by_header.find_virtual_host(&Request::get("a.test", "/").headers),
        None
    );
}

#[test]
fn path_parameters_may_be_left_out() {
    let config = RouteTableConfig {
        virtual_hosts: vec![host(
            "v",
            &["*"],
            vec![
                route("path", "/a/b"),
                route("prefix", "/c/"),
                route("regex", "/r/[a-z]/[a-z]"),
            ],
        )],
        ignore_path_parameters_in_path_matching: true,
        ..RouteTableConfig::default()
    };
    let one = RouteTable::new(config).unwrap();
    for (path, name) in [
        ("/a/b", "path /a/b"),
        ("/a;x=1/b;y?z", "path /a/b"),
        ("/a/b;/x", "NoRoute { virtual_host: 0 }"),
        ("/c;x/d", "prefix /c/"),
        ("/r/b;a=1/c?q", "regex /r/[a-z]/[a-z]"),
    ] {
        assert_eq!(found(&one, &Request::get("h", path)), name, "{path}");
    }
}

#[test]
fn tls_is_asked_for_by_what_the_proxy_in_front_says() {
    let mut all = host("all", &["all"], vec![route("prefix", "/")]);
    all.require_tls = TlsRequirement::All;
    let mut external = host("external", &["external"], vec![route("prefix", "/")]);
    external.require_tls = TlsRequirement::ExternalOnly;
    let one = table(vec![all, external]);
    for (host, protocol, internal, redirected) in [
        ("all", "http", "", true),
        ("all", "https", "", false),
        ("all", "HTTPS", "", true),
        ("all", "http", "true", true),
        ("external", "http", "", true),
        ("external", "http", "true", false),
        ("external", "https", "", false),
    ] {
        let mut request = Request::get(host, "/a?b").with("x-envoy-internal", internal);
        request
            .headers
            .set("x-forwarded-proto", protocol.as_bytes());
        let is_redirect = matches!(one.find(&request.view()), Lookup::SslRedirect { .. });
        assert_eq!(is_redirect, redirected, "{host} {protocol} {internal}");
        let mut location = Vec::new();
        crate::redirect::append_ssl_redirect(&request.headers, &mut location);
        assert_eq!(location, format!("https://{host}/a?b").as_bytes());
    }
}

#[test]
fn the_rest_must_match_too() {
    let exact = |value| HeaderMatch::Value(StringMatcher::exact(value, false));
    let mut first = route("prefix", "/");
    first.name = "first".into();
    first.matcher.headers = vec![HeaderMatcher::new("x-a", exact("1"))];
    first.matcher.grpc = true;
    let mut second = route("prefix", "/");
    second.name = "second".into();
    second.matcher.runtime_fraction = Some(RuntimeFraction {
        default: Fraction {
            numerator: 30,
            denominator: 100,
        },
        key: "share".into(),
    });
    let one = table(vec![host("v", &["*"], vec![first, second])]);
    for (header, content, random, name) in [
        ("1", "application/grpc", 99, "first"),
        ("1", "application/grpc+proto", 99, "first"),
        ("2", "application/grpc", 29, "second"),
        ("1", "application/grpc-web", 29, "second"),
        ("1", "text/plain", 30, "NoRoute { virtual_host: 0 }"),
    ] {
        let mut request = Request::get("h", "/")
            .with("x-a", header)
            .with("content-type", content);
        request.random = random;
        assert_eq!(found(&one, &request), name, "{header} {content} {random}");
    }
    let mut request = Request::get("h", "/");
    request.random = 99;
    let layer = [("share".to_owned(), FlagValue::Number(100.0))];
    request.flags = RuntimeFlags::merged([&layer[..]]);
    assert_eq!(found(&one, &request), "second");
}

#[test]
fn clusters_are_drawn_by_weight() {
    let draw = |clusters: &[(&str, u32)], draw: WeightedDraw| {
        let clusters = clusters
            .iter()
            .map(|(name, weight)| {
                let mut cluster =
                    WeightedCluster::new(ClusterTarget::Name((*name).into()), *weight);
                cluster.runtime_key = format!("weights.{name}");
                cluster
            })
            .collect();
        WeightedClusters::new("r", clusters, draw, true)
    };
    let by_header = WeightedDraw::Header(HeaderName::new("x-random"));
    let weighted = draw(&[("u0", 30), ("none", 0), ("u1", 70)], by_header).unwrap();
    let mut action = to_cluster("");
    if let Action::Route(action) = &mut action {
        action.cluster = ClusterTarget::Weighted(weighted);
    }
    let matcher = RouteMatch::new(path_match("prefix", "/"));
    let one = table(vec![host("v", &["*"], vec![Route::new(matcher, action)])]);
    let cluster = |request: &Request| {
        let Lookup::Route(id) = one.find(&request.view()) else {
            panic!("no route");
        };
        let name = one.selected(id).cluster_name(&request.headers).unwrap();
        String::from_utf8(name.to_vec()).unwrap()
    };
    for (random, name) in [
        ("0", "u0"),
        ("29", "u0"),
        ("30", "u1"),
        ("99", "u1"),
        ("100", "u0"),
        ("18446744073709551615", "u0"),
        ("nonsense", "u1"),
    ] {
        let mut request = Request::get("h", "/").with("x-random", random);
        request.random = 50;
        assert_eq!(cluster(&request), name, "{random}");
    }
    let layer = [("weights.u0".to_owned(), FlagValue::Number(0.0))];
    let mut request = Request::get("h", "/").with("x-random", "0");
    request.flags = RuntimeFlags::merged([&layer[..]]);
    assert_eq!(cluster(&request), "u1");

    for (weights, error) in [
        (
            &[0, 0][..],
            "Sum of weights in the weighted_cluster must be greater than 0.",
        ),
        (
            &[u32::MAX, 1],
            "The sum of weights of all weighted clusters of route r exceeds 4294967295",
        ),
    ] {
        let clusters: Vec<_> = weights.iter().map(|weight| ("u", *weight)).collect();
        let got = draw(&clusters, WeightedDraw::Random).unwrap_err();
        assert_eq!(got.message(), error);
    }
}

#[test]
fn levels_inherit_and_come_in_order() {
    let mutation = |value: &str| {
        let value = HeaderValue::Literal(value.as_bytes().into());
        let add = HeaderToAdd::new("x", value, AppendAction::AppendIfExistsOrAdd, false).unwrap();
        HeaderMutations::new(vec![add], &[]).unwrap()
    };
    let filters = |disabled| {
        let value = FilterOverride {
            config: None,
            disabled,
        };
        FilterConfigs::new([("f".to_owned(), value)])
    };
    let mut route = route("prefix", "/");
    route.request_headers = mutation("route");
    route.filters = filters(None);
    let mut vhost = host("v", &["*"], vec![route]);
    vhost.request_headers = mutation("vhost");
    vhost.filters = filters(Some(true));
    vhost.retry_policy = Some(Arc::new(RetryPolicy::default()));
    vhost.request_body_buffer_limit = Some(7);
    vhost.virtual_clusters = vec![VirtualCluster {
        name: "posts".into(),
        headers: vec![HeaderMatcher::new(
            ":method",
            HeaderMatch::Value(StringMatcher::exact("POST", false)),
        )],
    }];
    for (most_specific_wins, order) in [(false, "route vhost table"), (true, "table vhost route")] {
        let one = RouteTable::new(RouteTableConfig {
            virtual_hosts: vec![vhost.clone()],
            request_headers: mutation("table"),
            most_specific_header_mutations_wins: most_specific_wins,
            filters: filters(Some(false)),
            ..RouteTableConfig::default()
        })
        .unwrap();
        let mut request = Request::get("h", "/");
        let Lookup::Route(id) = one.find(&request.view()) else {
            panic!("no route");
        };
        let selected = one.selected(id);
        let mut scratch = crate::mutation::Scratch::default();
        for mutations in selected.request_mutations() {
            mutations.apply(&mut request.headers, &mut scratch, |_, _, _| {});
        }
        let values: Vec<_> = request
            .headers
            .get_all("x")
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect();
        assert_eq!(values.join(" "), order);
        assert_eq!(selected.filter_disabled("f"), Some(true));
        assert_eq!(one.filter_names().len(), 1);
        assert!(
            selected
                .filter_levels()
                .all(|level| { level.iter().all(|(number, _)| number == 0) })
        );
        assert!(selected.action().unwrap().retry_policy.is_some());
        assert_eq!(selected.route.request_body_buffer_limit, Some(7));
        let virtual_host = selected.virtual_host;
        assert_eq!(virtual_host.virtual_cluster(&request.headers), Some(1));
        assert_eq!(virtual_host.virtual_cluster_name(1), None);
        request.headers.set(":method", b"POST");
        assert_eq!(virtual_host.virtual_cluster(&request.headers), Some(0));
        assert_eq!(
            virtual_host.virtual_cluster_name(0).as_deref(),
            Some("posts")
        );
    }
}

/// Random routes and paths over few letters, so that they meet.
#[test]
fn the_index_finds_what_a_scan_finds() {
    for seed in 0..300 {
        let mut random = Random::seeded(seed);
        let routes = (0..random.below(40))
            .map(|_| random_route(&mut random))
            .collect();
        let one = table(vec![host("v", &["*"], routes)]);
        for _ in 0..60 {
            let method = if random.below(8) == 0 {
                "CONNECT"
            } else {
                "GET"
            };
            let mut request = Request::get("h", &random_text(&mut random, "/abAB?#;", 8));
            request.headers.set(":method", method.as_bytes());
            if random.below(10) == 0 {
                request.headers.remove(":path");
            }
            if random.below(2) == 0 {
                request.headers.append("x-a", b"1");
            }
            request.random = random.below(100);
            let view = request.view();
            let vhost = &one.virtual_hosts()[0];
            let path = view.path().map(|target| one.matching_path(target));
            assert_eq!(
                vhost.find(&view, path.as_deref()),
                vhost.scan(&view, path.as_deref()),
                "seed {seed}, {:?}, {:?}",
                request.headers,
                vhost.routes
            );
        }
    }
}

fn random_text(random: &mut Random, letters: &str, longest: u64) -> String {
    let letters = letters.as_bytes();
    let mut text = "/".to_owned();
    for _ in 0..random.below(longest) {
        text.push(letters[random.below(letters.len() as u64) as usize].into());
    }
    text
}

fn random_route(random: &mut Random) -> Route {
    let kinds = [
        "prefix",
        "prefix",
        "separated",
        "separated",
        "path",
        "path",
        "regex",
        "connect",
    ];
    let kind = kinds[random.below(8) as usize];
    let text = random_text(random, "/abAB", 5);
    let mut route = route(kind, if random.below(10) == 0 { "" } else { &text });
    route.matcher.case_sensitive = random.below(3) != 0;
    if random.below(3) == 0 {
        let there = HeaderMatch::Present(random.below(2) == 0);
        route.matcher.headers = vec![HeaderMatcher::new("x-a", there)];
    }
    if random.below(5) == 0 {
        route.matcher.runtime_fraction = Some(RuntimeFraction {
            default: Fraction {
                numerator: 50,
                denominator: 100,
            },
            key: String::new(),
        });
    }
    route
}
