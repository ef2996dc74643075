//! Which chain wins, and which chains cannot stand side by side.

use super::*;

/// `port=80 dst=10.0.0.0/8,::/0 sni=a,*.b tp=tls alpn=h2 direct=… type=local src=… sport=…`
fn criteria(text: &str) -> FilterChainMatch {
    let mut result = FilterChainMatch::default();
    for part in text.split_whitespace() {
        let (key, value) = part.split_once('=').unwrap();
        let list = || value.split(',').map(str::to_owned).collect::<Vec<_>>();
        let ranges = || {
            let range = |text: String| {
                let (address, length) = text.split_once('/').unwrap();
                CidrRange::parse(address, length.parse().unwrap()).unwrap()
            };
            list().into_iter().map(range).collect()
        };
        match key {
            "port" => result.destination_port = Some(value.parse().unwrap()),
            "dst" => result.prefix_ranges = ranges(),
            "sni" => result.server_names = list(),
            "tp" => result.transport_protocol = value.to_owned(),
            "alpn" => result.application_protocols = list(),
            "direct" => result.direct_source_prefix_ranges = ranges(),
            "src" => result.source_prefix_ranges = ranges(),
            "sport" => result.source_ports = list().iter().map(|p| p.parse().unwrap()).collect(),
            "type" => {
                result.source_type = match value {
                    "local" => SourceType::SameIpOrLoopback,
                    _ => SourceType::External,
                }
            }
            _ => panic!("{key}"),
        }
    }
    result
}

fn matcher(chains: &[&str]) -> Result<ChainMatcher, ChainMatchError> {
    let criteria: Vec<_> = chains.iter().map(|text| criteria(text)).collect();
    ChainMatcher::new(&criteria.iter().collect::<Vec<_>>())
}

/// `local=127.0.0.1:80 remote=… direct=… sni=… tp=… alpn=…`
fn find(matcher: &ChainMatcher, text: &str) -> Option<usize> {
    let address = |text: &str| match text.parse() {
        Ok(ip) => Address::Ip(ip),
        Err(_) => Address::Pipe(text.into()),
    };
    let time = (nuncio_base::time::monotonic(), nuncio_base::time::wall());
    let value = |wanted: &str| {
        let mut parts = text.split_whitespace();
        parts.find_map(|part| part.strip_prefix(wanted)?.strip_prefix('='))
    };
    let local = address(value("local").unwrap_or("127.0.0.1:80"));
    let direct = address(value("direct").unwrap_or("10.1.1.1:5000"));
    let mut info = ConnectionInfo::new(1, local.clone(), direct, time);
    info.restore(local, address(value("remote").unwrap_or("10.1.1.1:5000")));
    let mut transport_protocol = "";
    for part in text.split_whitespace() {
        let (key, value) = part.split_once('=').unwrap();
        match key {
            "local" | "remote" | "direct" => {}
            "sni" => info.requested_server_name = Some(value.into()),
            "tp" => transport_protocol = value,
            "alpn" => {
                info.requested_application_protocols =
                    value.split(',').map(|name| name.into()).collect();
            }
            _ => panic!("{key}"),
        }
    }
    matcher.find(&info, transport_protocol)
}

#[test]
fn the_most_specific_chain_wins_in_the_order_of_the_criteria() {
    let cases: &[(&[&str], &[(&str, Option<usize>)])] = &[
        (&[], &[("", None)]),
        (&[""], &[("", Some(0)), ("remote=/a.sock", Some(0))]),
        // A port that is named shuts out chains without one, even if nothing else fits.
        (
            &["port=80 sni=a.test", ""],
            &[
                ("", None),
                ("sni=a.test", Some(0)),
                ("local=127.0.0.1:81", Some(1)),
                ("local=/a.sock", Some(1)),
            ],
        ),
        (
            &["dst=127.0.0.0/8", "dst=127.0.0.1/32 sni=a.test", "dst=::/0"],
            &[
                ("", None),
                ("sni=a.test", Some(1)),
                ("local=127.0.0.2:80", Some(0)),
                ("local=[::1]:80", Some(2)),
                ("local=10.0.0.1:80", None),
            ],
        ),
        (
            &["sni=a.test", "sni=*.test,*.b.test", "sni=*.c.b.test", ""],
            &[
                ("sni=a.test", Some(0)),
                ("sni=x.test", Some(1)),
                ("sni=test", Some(3)),
                ("sni=y.x.b.test", Some(1)),
                ("sni=y.c.b.test", Some(2)),
                ("sni=c.b.test", Some(1)),
                ("sni=a.tests", Some(3)),
                ("", Some(3)),
            ],
        ),
        (
            &["tp=tls", "alpn=h2,http/1.1", "tp=tls alpn=h2"],
            &[
                ("", None),
                ("tp=tls", Some(0)),
                ("alpn=x,http/1.1", Some(1)),
                ("tp=tls alpn=h2", Some(2)),
                ("tp=tls alpn=http/1.1", Some(0)),
                ("tp=raw_buffer alpn=h2", Some(1)),
            ],
        ),
        (
            &[
                "direct=10.0.0.0/8",
                "src=10.0.0.0/8",
                "direct=10.0.0.0/8 src=192.0.2.0/24",
            ],
            &[
                ("", Some(0)),
                ("remote=192.0.2.7:1", Some(2)),
                ("direct=11.0.0.1:1", Some(1)),
                ("direct=11.0.0.1:1 remote=11.0.0.1:1", None),
            ],
        ),
        (
            &["type=local", "type=external", ""],
            &[
                ("", Some(1)),
                ("remote=127.0.0.1:9", Some(0)),
                ("remote=127.0.0.2:9", Some(1)),
                ("remote=127.0.0.2:9 local=127.0.0.2:80", Some(0)),
                ("remote=[::1]:9", Some(0)),
                ("remote=/a.sock", Some(0)),
            ],
        ),
        (
            &["type=local", ""],
            &[("", Some(1)), ("remote=127.0.0.1:9", Some(0))],
        ),
        (
            &[
                "src=10.0.0.0/8",
                "src=10.1.0.0/16 sport=5000,5001",
                "sport=7",
            ],
            &[
                ("", Some(1)),
                ("remote=10.1.1.1:5001", Some(1)),
                // The narrower range was chosen; there is no way back to the wider one.
                ("remote=10.1.1.1:5002", None),
                ("remote=10.2.1.1:5002", Some(0)),
                ("remote=11.2.1.1:5002", None),
                ("remote=11.2.1.1:7", Some(2)),
            ],
        ),
    ];
    for (chains, connections) in cases {
        let matcher = matcher(chains).unwrap();
        for (connection, expected) in *connections {
            assert_eq!(
                find(&matcher, connection),
                *expected,
                "{chains:?} {connection:?}"
            );
        }
    }
}

#[test]
fn chains_that_cannot_be_told_apart_are_refused() {
    let cases: &[(&[&str], Option<&str>)] = &[
        (&["sni=a.test", "sni=b.test", "sni=*.test"], None),
        (
            &["sni=a.test", "sni=a.test"],
            Some("multiple filter chains with overlapping matching rules are defined"),
        ),
        (
            &["sni=a.test,b.test", "sni=b.test"],
            Some("multiple filter chains with overlapping matching rules are defined"),
        ),
        (
            &["src=0.0.0.0/0", ""],
            Some("multiple filter chains with overlapping matching rules are defined"),
        ),
        (&["sni=*.a.test"], None),
        (
            &["sni=a.*.test"],
            Some("partial wildcards are not supported in \"server_names\""),
        ),
        (
            &["sni=*"],
            Some("partial wildcards are not supported in \"server_names\""),
        ),
    ];
    for (chains, expected) in cases {
        let error = matcher(chains).err().map(|error| error.to_string());
        let expected = expected.map(str::to_owned);
        assert_eq!(error, expected, "{chains:?}");
    }
}
