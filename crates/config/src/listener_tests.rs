//! Listeners as YAML: what they become, and what is refused.

use super::*;
use crate::testing::convert_with;
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{NetworkFilterExtension, Registry};
use nuncio_net::{LocalNetworkFilterFactory, NetworkFilterFactory};
use nuncio_proto::envoy::extensions::filters::network::echo::v3::Echo;
use nuncio_proto::envoy::extensions::filters::network::sni_cluster::v3::SniCluster;
use nuncio_worker::Worker;
use std::rc::Rc;

/// A filter that does nothing; terminal or not by its proto.
struct Nothing<P>(std::marker::PhantomData<P>);
struct NothingSpec;

impl NetworkFilterFactory for NothingSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        unreachable!("nothing is run here")
    }
}

impl NetworkFilterExtension for Nothing<Echo> {
    const NAME: &'static str = "envoy.filters.network.echo";
    const TERMINAL: bool = true;
    type Proto = Echo;
    type Spec = NothingSpec;
    fn parse(&self, _: Echo, _: &NetworkFilterCx, _: &mut ParseCx) -> Parsed<NothingSpec> {
        Ok(NothingSpec)
    }
}

impl NetworkFilterExtension for Nothing<SniCluster> {
    const NAME: &'static str = "envoy.filters.network.sni_cluster";
    type Proto = SniCluster;
    type Spec = NothingSpec;
    fn parse(&self, _: SniCluster, _: &NetworkFilterCx, _: &mut ParseCx) -> Parsed<NothingSpec> {
        Ok(NothingSpec)
    }
}

static REGISTRY: Registry = Registry {
    access_loggers: &[],
    downstream_sockets: &[],
    health_check_sinks: &[],
    http_filters: &[],
    listener_filters: &[],
    load_balancers: &[],
    network_filters: &[
        &Nothing::<Echo>(std::marker::PhantomData),
        &Nothing::<SniCluster>(std::marker::PhantomData),
    ],
    upstream_sockets: &[],
};

const ECHO: &str = "{name: e, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters\
                    .network.echo.v3.Echo}}";
const SNI: &str = "{name: s, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters\
                   .network.sni_cluster.v3.SniCluster}}";

fn parse(yaml: &str) -> Result<ConvertedListener, String> {
    let yaml = yaml.replace("ECHO", ECHO).replace("SNI", SNI);
    convert_with(&REGISTRY, &yaml, |cx, proto| listener(cx, proto, &[]))
}

/// A listener with an address, one chain, and more fields.
fn with(fields: &str) -> Result<ConvertedListener, String> {
    parse(&format!(
        "name: l\n\
         address: {{socket_address: {{address: 127.0.0.1, port_value: 80}}}}\n\
         filter_chains: [{{filters: [ECHO]}}]\n{fields}"
    ))
}

#[test]
fn defaults_are_envoys() {
    let converted = with("").unwrap();
    let spec = &converted.spec;
    assert_eq!(
        (&*spec.name, spec.stat_name().as_str()),
        ("l", "127.0.0.1:80")
    );
    assert_eq!(spec.per_connection_buffer_limit, 1024 * 1024);
    assert_eq!(spec.listener_filters_timeout, Some(Duration::from_secs(15)));
    assert!(spec.reuse_port && spec.bind_to_port && !spec.ignore_global_conn_limit);
    assert!(!spec.bypass_overload_manager);
    assert_eq!(spec.connection_balance, ConnectionBalance::None);
    assert_eq!(spec.max_connections_to_accept_per_socket_event, None);
    assert_eq!((spec.backlog, spec.drain_type), (None, DrainType::Default));
    assert_eq!(spec.traffic_direction, TrafficDirection::Unspecified);
    assert_eq!(converted.chains.len(), 1);
    assert_eq!(spec.filter_chains.default_chain(), None);
}

#[test]
fn every_field_that_is_built_is_converted() {
    let spec = with(
        "stat_prefix: 'a:b'
additional_addresses:
- {address: {socket_address: {address: '::', port_value: 81, ipv4_compat: true}}}
- {address: {pipe: {path: /tmp/x, mode: 384}}, socket_options: {socket_options: []}}
default_filter_chain: {name: d, filters: [ECHO], transport_socket_connect_timeout: 3s}
per_connection_buffer_limit_bytes: 5
metadata: {filter_metadata: {a: {b: c}}}
drain_type: MODIFY_ONLY
listener_filters_timeout: 0s
continue_on_listener_filters_timeout: true
transparent: true
freebind: false
tcp_fast_open_queue_length: 7
socket_options:
- {level: 1, name: 9, int_value: 1}
- {level: 1, name: 10, int_value: 1, state: STATE_BOUND}
- {level: 1, name: 11, int_value: 1, state: STATE_LISTENING, \
ip_version: SOCKET_IP_VERSION_IPV6}
traffic_direction: INBOUND
connection_balance_config: {exact_balance: {}}
enable_reuse_port: false
tcp_backlog_size: 9
max_connections_to_accept_per_socket_event: 2
bind_to_port: false
ignore_global_conn_limit: true
bypass_overload_manager: true
tcp_keepalive: {keepalive_probes: 1, keepalive_time: 2, keepalive_interval: 3}",
    )
    .unwrap()
    .spec;
    assert_eq!(spec.stat_name(), "a:b");
    let default = spec.filter_chains.default_chain().unwrap();
    let default = &spec.filter_chains.chains()[default];
    assert_eq!(&*default.name, "d");
    let timeout = default.transport_socket_connect_timeout;
    assert_eq!(timeout, Some(Duration::from_secs(3)));
    assert_eq!(
        (spec.per_connection_buffer_limit, spec.backlog),
        (5, Some(9))
    );
    assert_eq!(
        (spec.listener_filters_timeout, spec.drain_type),
        (None, DrainType::ModifyOnly)
    );
    assert!(spec.metadata.is_some() && spec.continue_on_listener_filters_timeout);
    assert_eq!(spec.traffic_direction, TrafficDirection::Inbound);
    assert_eq!(spec.connection_balance, ConnectionBalance::Exact);
    assert_eq!(spec.max_connections_to_accept_per_socket_event, Some(2));
    assert!(!spec.reuse_port && !spec.bind_to_port && spec.ignore_global_conn_limit);
    assert!(spec.bypass_overload_manager);
    // Level, name and the value's first byte, before binding, once bound, and once listening.
    let numbers = |options: &[SocketOption]| -> Vec<_> {
        let number = |option: &SocketOption| (option.level, option.name, option.value[0]);
        options.iter().map(number).collect()
    };
    let of = |index: usize| {
        let options = &spec.addresses[index].options;
        [&options.prebind, &options.bound, &options.listening].map(|options| numbers(options))
    };
    assert_eq!(
        of(0),
        [
            vec![(1, 9, 1), (0, 19, 1), (0, 15, 0)],
            vec![(1, 10, 1)],
            vec![(6, 23, 7)]
        ]
    );
    assert_eq!(
        of(1),
        [
            vec![(1, 9, 1), (41, 75, 1), (41, 78, 0)],
            vec![(1, 10, 1)],
            vec![(1, 11, 1), (6, 23, 7)]
        ]
    );
    assert_eq!(of(2), [vec![], vec![], vec![]]);
    let keepalive = spec.addresses[2].keepalive.unwrap();
    assert_eq!(keepalive.probes, Some(1));
    assert!(spec.addresses[1].ipv4_compat);
    assert_eq!(spec.addresses[2].mode, Some(0o600));
}

#[test]
fn chains_that_did_not_change_are_kept() {
    let yaml = |first: &str| {
        format!(
            "name: l\naddress: {{pipe: {{path: /x}}}}\nfilter_chains:\n\
             - {{name: {first}, filter_chain_match: {{source_ports: [1]}}, filters: [ECHO]}}\n\
             - {{name: b, filters: [ECHO]}}"
        )
        .replace("ECHO", ECHO)
    };
    let before = convert_with(&REGISTRY, &yaml("a"), |cx, proto| listener(cx, proto, &[])).unwrap();
    let convert_again = |first: &str| {
        convert_with(&REGISTRY, &yaml(first), |cx, proto| {
            listener(cx, proto, &before.chains)
        })
        .unwrap()
    };
    for (first, kept) in [("a", [true, true]), ("c", [false, true])] {
        let after = convert_again(first);
        let same = |index: usize| Arc::ptr_eq(&before.chains[index].1, &after.chains[index].1);
        assert_eq!([same(0), same(1)], kept, "{first}");
    }
}

#[test]
fn what_is_wrong_or_not_built_is_refused_by_its_name() {
    let adding = "error adding listener '127.0.0.1:80': ";
    for (fields, parts) in [
        ("stats_matcher: {reject_all: true}", &["stats_matcher"][..]),
        ("fcds_config: {}", &["fcds_config"]),
        (
            "filter_chain_matcher: {on_no_match: {action: {name: a, typed_config: {'@type': \
             type.googleapis.com/google.protobuf.StringValue, value: a}}}}",
            &[
                "filter_chains[0].name",
                "field is required when using a listener matcher",
            ],
        ),
        ("use_original_dst: true", &["original_dst.v3.OriginalDst"]),
        ("udp_listener_config: {}", &["udp_listener_config"]),
        ("api_listener: {}", &["api_listener"]),
        (
            "internal_listener: {}",
            &[
                "address: error adding listener",
                "address should not be used when an internal",
            ],
        ),
        ("enable_mptcp: true", &["enable_mptcp"]),
        (
            "per_connection_buffer_high_watermark_timeout: 1s",
            &["per_connection_buffer_high_watermark_timeout"],
        ),
        (
            "connection_balance_config: {cpu_locality_balance: {}}",
            &["connection_balance_config.cpu_locality_balance"],
        ),
        (
            "listener_filters: [{name: foo}]",
            &[
                "listener_filters[0]",
                "Didn't find a registered implementation for 'foo' with type URL: ''",
            ],
        ),
        (
            "listener_filters_timeout: -1s",
            &["Expected positive duration"],
        ),
        (
            "socket_options: [{level: 1, name: 9, int_value: 99999999999}]",
            &["socket_options[0].int_value"],
        ),
        (
            "additional_addresses: [{address: {socket_address: {address: x, port_value: 1}}}]",
            &[
                "additional_addresses[0].address.socket_address.address",
                "malformed IP address: x",
            ],
        ),
    ] {
        let error = with(fields).err().unwrap_or_default();
        assert!(
            parts.iter().all(|part| error.contains(part)),
            "{fields}: {error}"
        );
    }
    let chains = |chains: &str| {
        parse(&format!(
            "name: l\naddress: {{socket_address: {{address: 127.0.0.1, port_value: 80}}}}\n\
             filter_chains: [{chains}]"
        ))
    };
    for (text, parts) in [
        ("", &[adding, "no filter chains specified"][..]),
        (
            "{name: a, filters: [ECHO]}, {name: b, filters: [ECHO]}",
            &[
                adding,
                "filter chain 'b' has the same matching rules defined as 'a'. duplicate \
                 matcher is: {}",
            ],
        ),
        (
            "{name: a, filter_chain_match: {server_names: [x]}}, \
             {name: b, filter_chain_match: {server_names: [x]}}",
            &["duplicate matcher is: {\"server_names\":[\"x\"]}"],
        ),
        (
            "{filter_chain_match: {source_ports: [1, 2]}}, \
             {filter_chain_match: {source_ports: [2]}}",
            &[
                adding,
                "multiple filter chains with overlapping matching rules are defined",
            ],
        ),
        (
            "{filter_chain_match: {server_names: ['a*'], transport_protocol: raw_buffer}}",
            &[
                adding,
                "partial wildcards are not supported in \"server_names\"",
            ],
        ),
        (
            "{filter_chain_match: {address_suffix: a}}",
            &["filter_chains[0].filter_chain_match.address_suffix"],
        ),
        (
            "{filter_chain_match: {prefix_ranges: [{address_prefix: 10.0.0, prefix_len: 8}]}}",
            &["prefix_ranges[0]", "malformed IP address: 10.0.0"],
        ),
        (
            "{use_proxy_proto: true}",
            &["proxy_protocol.v3.ProxyProtocol"],
        ),
        (
            "{transport_socket: {name: foo}}",
            &["Didn't find a registered implementation for 'foo' with type URL: ''"],
        ),
        (
            "{filters: [{name: foo}]}",
            &["Didn't find a registered implementation for 'foo' with type URL: ''"],
        ),
        (
            "{filters: [SNI]}",
            &[
                "Error: non-terminal filter named s of type envoy.filters.network.sni_cluster \
                 is the last filter in a network filter chain.",
            ],
        ),
        (
            "{filters: [ECHO, SNI, ECHO]}",
            &[
                "Error: terminal filter named e of type envoy.filters.network.echo must be the \
                 last filter in a network filter chain.",
            ],
        ),
    ] {
        let error = chains(text).err().unwrap_or_default();
        assert!(
            parts.iter().all(|part| error.contains(part)),
            "{text}: {error}"
        );
    }
    for (yaml, part) in [
        (
            "name: l\nfilter_chains: [{filters: [ECHO]}]",
            "error adding listener named 'l': address is necessary",
        ),
        (
            "name: l\nfilter_chains: [{filters: [ECHO]}]\n\
             address: {envoy_internal_address: {server_listener_name: x}}",
            "use internal_listener field instead of address for internal listeners",
        ),
        (
            "name: l\nfilter_chains: [{filters: [ECHO]}]\n\
             address: {socket_address: {protocol: UDP, address: 127.0.0.1, port_value: 1}}",
            "address.socket_address.protocol",
        ),
    ] {
        let error = parse(yaml).err().unwrap_or_default();
        assert!(error.contains(part), "{yaml}: {error}");
    }
}

#[test]
fn plain_chains_and_chains_without_filters_are_fine() {
    for chain in [
        "{}",
        "{filter_chain_match: {transport_protocol: raw_buffer}, filters: [SNI, ECHO]}",
    ] {
        let yaml = format!("name: l\naddress: {{pipe: {{path: /x}}}}\nfilter_chains: [{chain}]");
        assert!(parse(&yaml).is_ok(), "{:?}", parse(&yaml).err());
    }
}
