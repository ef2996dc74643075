//! Clusters as YAML: what is accepted, and what is refused in Envoy's words (or as not built).

use super::*;
use crate::testing::convert;

const IP: &str = "{address: {socket_address: {address: 127.0.0.1, port_value: 80}}}";
const NAME: &str = "{address: {socket_address: {address: a.test, port_value: 80}}}";
const LB: &str = "load_balancing_policy: {policies: [{typed_extension_config: {name: t, \
    typed_config: {'@type': type.googleapis.com/envoy.extensions.load_balancing_policies.random.v3\
    .Random}}}]}";

fn with_endpoints(fields: &str, endpoints: &[&str]) -> String {
    let localities = endpoints
        .iter()
        .map(|e| format!("{{lb_endpoints: [{{endpoint: {e}}}]}}"));
    let list = localities.collect::<Vec<_>>().join(", ");
    format!("{{name: c, {fields}, load_assignment: {{cluster_name: c, endpoints: [{list}]}}}}")
}

fn parse(yaml: &str) -> Result<ClusterConfig, String> {
    convert(yaml, cluster)
}

#[track_caller]
fn refused(yaml: &str, part: &str) {
    let error = parse(yaml).err().unwrap_or_default();
    assert!(
        error.contains(part),
        "{yaml}\ngives {error:?}, not {part:?}"
    );
}

#[test]
fn types_of_discovery() {
    let dns = "envoy.extensions.clusters.dns.v3.DnsCluster";
    let typed = |more: &str| {
        format!(
            "cluster_type: {{name: envoy.cluster.dns, typed_config: {{'@type': \
             type.googleapis.com/{dns}{more}}}}}"
        )
    };
    let cases = [
        ("alt_stat_name: a", IP, "STATIC"),
        ("type: STATIC", IP, "STATIC"),
        ("type: STRICT_DNS", NAME, "STRICT_DNS"),
        ("type: STRICT_DNS", IP, "STRICT_DNS"),
        ("type: strict_dns", NAME, "STRICT_DNS"),
        ("type: LOGICAL_DNS", NAME, "LOGICAL_DNS"),
        (
            "cluster_type: {name: envoy.cluster.dns}",
            NAME,
            "STRICT_DNS",
        ),
        ("cluster_type: {name: envoy.cluster.static}", IP, "STATIC"),
        (
            "cluster_type: {name: envoy.cluster.logical_dns}",
            NAME,
            "LOGICAL_DNS",
        ),
        (&typed(""), NAME, "STRICT_DNS"),
        (
            &typed(", all_addresses_in_single_endpoint: true"),
            NAME,
            "LOGICAL_DNS",
        ),
    ];
    for (fields, endpoint, name) in cases {
        let config = parse(&with_endpoints(&format!("{fields}, {LB}"), &[endpoint]));
        assert_eq!(
            config.map(|c| c.discovery.name()).as_deref(),
            Ok(name),
            "{fields}"
        );
    }
}

#[test]
fn discovery_is_refused_as_by_envoy() {
    let cases = [
        (
            "type: STATIC",
            NAME,
            "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address: malformed IP address: a.test.",
        ),
        (
            "type: STATIC, eds_cluster_config: {eds_config: {self: {}}}",
            IP,
            "eds_cluster_config set in a non-EDS cluster",
        ),
        (
            "type: EDS",
            IP,
            "cannot create an EDS cluster without an EDS config",
        ),
        (
            "type: EDS, eds_cluster_config: {eds_config: {self: {}}}",
            IP,
            "eds_cluster_config.eds_config.self: Missing config source specifier in envoy::config::core::v3::ConfigSource",
        ),
        (
            "type: ORIGINAL_DST",
            IP,
            "cluster: LB policy ROUND_ROBIN is not valid for Cluster type ORIGINAL_DST.",
        ),
        (
            "cluster_type: {name: foo}",
            IP,
            "Didn't find a registered cluster factory implementation for name: 'foo'",
        ),
        (
            "type: STRICT_DNS, dns_failure_refresh_rate: {base_interval: 5s, max_interval: 1s}",
            NAME,
            "dns_failure_refresh_rate must have max_interval greater than or equal to the",
        ),
        (
            "type: STRICT_DNS, typed_dns_resolver_config: {name: x, typed_config: {'@type': \
             type.googleapis.com/envoy.extensions.network.dns_resolver.apple.v3.\
             AppleDnsResolverConfig}}",
            NAME,
            "Didn't find a registered implementation for 'x' with type URL: 'envoy.extensions.\
             network.dns_resolver.apple.v3.AppleDnsResolverConfig'",
        ),
        (
            "type: STRICT_DNS",
            "{address: {socket_address: {address: a.test, port_value: 80, resolver_name: foo}}}",
            "STRICT_DNS clusters must NOT have a custom resolver name set",
        ),
        ("type: STATIC", "{}", "Address must be set"),
    ];
    for (fields, endpoint, part) in cases {
        refused(&with_endpoints(fields, &[endpoint]), part);
    }
    refused(
        "{name: c, type: LOGICAL_DNS}",
        "LOGICAL_DNS clusters must have a single host",
    );
    refused(
        &with_endpoints("type: LOGICAL_DNS", &[NAME, NAME]),
        "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint",
    );
    refused(
        "{name: c, load_assignment: {cluster_name: c, endpoints: [{leds_cluster_locality_config: \
         {leds_config: {ads: {}}, leds_collection_name: a}}]}}",
        "LEDS is only supported when EDS is used. Static cluster c cannot use LEDS.",
    );
}

#[test]
fn resolvers() {
    let server = "resolvers: [{socket_address: {address: 127.0.0.1, port_value: 5353}}]";
    let typed = "typed_dns_resolver_config: {name: x, typed_config: {'@type': \
                 type.googleapis.com/envoy.extensions.network.dns_resolver.";
    let cases = [
        "dns_resolvers: [{socket_address: {address: 127.0.0.1, port_value: 53}}]".to_owned(),
        format!("dns_resolution_config: {{{server}}}"),
        format!("{typed}cares.v3.CaresDnsResolverConfig, {server}, query_tries: 2}}}}"),
        format!("{typed}getaddrinfo.v3.GetAddrInfoDnsResolverConfig}}}}"),
        format!("{typed}hickory.v3.HickoryDnsResolverConfig, {server}}}}}"),
    ];
    for fields in cases {
        let fields = format!("type: STRICT_DNS, {fields}, {LB}");
        assert!(parse(&with_endpoints(&fields, &[NAME])).is_ok(), "{fields}");
    }
    let name = "[{socket_address: {address: foo, port_value: 53}}]";
    let fields = format!("type: STRICT_DNS, dns_resolvers: {name}");
    refused(
        &with_endpoints(&fields, &[NAME]),
        "malformed IP address: foo",
    );
}

#[test]
fn policies_are_refused_as_by_envoy() {
    let cases = [
        (
            "lb_policy: CLUSTER_PROVIDED",
            "cluster manager: cluster provided LB specified but cluster 'c' did not provide one. \
             Check cluster documentation.",
        ),
        (
            "lb_policy: LOAD_BALANCING_POLICY_CONFIG",
            "cluster: field load_balancing_policy need to be set",
        ),
        (
            "load_balancing_policy: {policies: [{typed_extension_config: {name: odd, typed_config: \
             {'@type': type.googleapis.com/xds.type.v3.TypedStruct, \
             type_url: type.googleapis.com/made.up.Lb}}}]}",
            "cluster: didn't find a registered load balancer factory implementation for cluster: \
             'c' with names from [odd]",
        ),
        (
            &format!("common_lb_config: {{locality_weighted_lb_config: {{}}}}, {LB}"),
            "cluster: load_balancing_policy cannot be combined with partial fields",
        ),
        (
            "load_balancing_policy: {policies: [{typed_extension_config: {name: m, typed_config: \
             {'@type': type.googleapis.com/envoy.extensions.load_balancing_policies.maglev.v3\
             .Maglev}}}]}",
            "maglev.v3.Maglev is not supported by this build",
        ),
        (
            "lb_policy: RING_HASH, \
             common_lb_config: {consistent_hashing_lb_config: {use_hostname_for_hashing: true}}",
            "Cannot use hostname for consistent hashing loadbalancing for cluster of type: \
             'envoy.cluster.static'",
        ),
    ];
    for (fields, part) in cases {
        refused(&with_endpoints(fields, &[IP]), part);
    }
}

#[test]
fn which_http_is_spoken() {
    let typed = |options: &str| {
        let name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        format!(
            "typed_extension_protocol_options: {{{name}: {{'@type': type.googleapis.com/{name}, \
             {options}}}}}, {LB}"
        )
    };
    let both = "http_protocol_options: {}, http2_protocol_options: {max_concurrent_streams: 7}";
    for (fields, protocol) in [
        (LB.to_owned(), UpstreamProtocol::Http1),
        (
            format!("http2_protocol_options: {{}}, {LB}"),
            UpstreamProtocol::Http2,
        ),
        (
            format!("protocol_selection: USE_DOWNSTREAM_PROTOCOL, {both}, {LB}"),
            UpstreamProtocol::Downstream { http2: true },
        ),
        (
            typed("explicit_http_config: {http2_protocol_options: {}}"),
            UpstreamProtocol::Http2,
        ),
        (
            typed("use_downstream_protocol_config: {http_protocol_options: {}}"),
            UpstreamProtocol::Downstream { http2: false },
        ),
    ] {
        let spec = parse(&with_endpoints(&fields, &[IP])).unwrap().spec;
        assert_eq!(spec.http.protocol, protocol, "{fields}");
    }
    let options = typed(&format!("use_downstream_protocol_config: {{{both}}}"));
    let spec = parse(&with_endpoints(&options, &[IP])).unwrap().spec;
    assert_eq!(spec.http.http2.max_concurrent_streams, 7);
    for (options, part) in [
        (
            "auto_config: {}",
            "ALPN configured for cluster c which has a non-ALPN transport socket",
        ),
        (
            "auto_config: {http3_protocol_options: {}}",
            "http3_protocol_options is not supported by this build",
        ),
        (
            "explicit_http_config: {http2_protocol_options: {allow_metadata: true}}",
            "allow_metadata is not supported by this build",
        ),
        (
            "explicit_http_config: {http2_protocol_options: {custom_settings_parameters: [
              {identifier: 20, value: 1}, {identifier: 20, value: 2}]}}",
            "inconsistent HTTP/2 custom SETTINGS parameter(s) detected; identifiers = {0x14}",
        ),
        (
            "explicit_http_config: {http2_protocol_options: {hpack_table_size: 1,
              custom_settings_parameters: [{identifier: 1, value: 1}]}}",
            "can not be configured through both named and custom parameters",
        ),
        (
            "explicit_http_config: {http2_protocol_options: {custom_settings_parameters: [
              {identifier: 2, value: 1}]}}",
            "server push is not supported by Envoy",
        ),
    ] {
        refused(&with_endpoints(&typed(options), &[IP]), part);
    }
}

#[test]
fn addresses_have_an_order() {
    use nuncio_upstream::address_order::{AddressOrder, Family};
    for (config, first, first_count) in [
        ("{}", None, 1),
        (
            "{first_address_family_version: V6, first_address_family_count: 3}",
            Some(Family::V6),
            3,
        ),
    ] {
        let options = format!("upstream_connection_options: {{happy_eyeballs_config: {config}}}");
        let fields = format!("{LB}, {options}");
        let spec = parse(&with_endpoints(&fields, &[IP])).unwrap().spec;
        let expected = AddressOrder { first, first_count };
        assert_eq!(spec.address_order, expected, "{config}");
    }
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    refused(
        &with_endpoints("filters: [{name: x}]", &[IP]),
        "filters is not supported by this build",
    );
    let common = "timeout: 1s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1";
    for (check, part) in [
        (
            "grpc_health_check: {}",
            "cluster must support HTTP/2 for gRPC healthchecking",
        ),
        (
            "custom_health_check: {name: redis}",
            "custom_health_check is not supported by this build",
        ),
        (
            "tcp_health_check: {}, tls_options: {alpn_protocols: [a]}",
            "tls_options is not supported by this build",
        ),
        (
            "tcp_health_check: {send: {text: abc}}",
            "invalid hex string 'abc'",
        ),
        (
            "http_health_check: {path: /, codec_client_type: HTTP3}",
            "codec_client_type is not supported by this build",
        ),
        (
            "http_health_check: {path: /, expected_statuses: [{start: 200, end: 200}]}",
            "Invalid http expected status range: expecting start < end, but found start=200 and \
             end=200",
        ),
        (
            "http_health_check: {path: /, send: {text: aa}}",
            "HTTP health check cannot specify a request payload with method 'GET'",
        ),
    ] {
        let fields = format!("health_checks: [{{{common}, {check}}}]");
        refused(&with_endpoints(&fields, &[IP]), part);
    }
    for (fields, part) in [
        (
            "base_ejection_time: 2s, max_ejection_time: 1s",
            "outlier detector's max_ejection_time cannot be smaller than base_ejection_time",
        ),
        (
            "detect_degraded_hosts: true",
            "detect_degraded_hosts is not supported by this build",
        ),
    ] {
        let fields = format!("outlier_detection: {{{fields}}}");
        refused(&with_endpoints(&fields, &[IP]), part);
    }
    let tls = "transport_socket: {name: foo}";
    let part = "Didn't find a registered implementation for 'foo' with type URL: ''";
    refused(&with_endpoints(tls, &[IP]), part);
    let both = "http_protocol_options: {}, http2_protocol_options: {}";
    let part = "cluster: Both HTTP1 and HTTP2 options may only be configured with non-default \
                'protocol_selection' values";
    refused(&with_endpoints(both, &[IP]), part);
    let downstream = format!("protocol_selection: USE_DOWNSTREAM_PROTOCOL, {both}, {LB}");
    assert!(parse(&with_endpoints(&downstream, &[IP])).is_ok());
    let per_host = "circuit_breakers: {per_host_thresholds: [{max_requests: 1}]}";
    refused(
        &with_endpoints(per_host, &[IP]),
        "Unsupported field in per_host_thresholds",
    );
}

#[test]
fn connections_made_ahead() {
    let policy = |policy: &str| {
        let fields = format!("preconnect_policy: {{{policy}}}, {LB}");
        parse(&with_endpoints(&fields, &[IP]))
            .unwrap()
            .spec
            .preconnect
    };
    for one in [
        "",
        "per_upstream_preconnect_ratio: 1",
        "predictive_preconnect_ratio: 1",
    ] {
        assert!(policy(one).is_none(), "{one}");
    }
    for (text, ratios, matches) in [
        ("per_upstream_preconnect_ratio: 1.05", (1.05, 1.0), false),
        ("predictive_preconnect_ratio: 3", (1.0, 3.0), false),
        (
            "per_upstream_preconnect_ratio: 2, preconnect_enabled_metadata: \
             {filter: f, path: [{key: k}], value: {present_match: true}}",
            (2.0, 1.0),
            true,
        ),
    ] {
        let found = policy(text).unwrap();
        assert_eq!((found.per_upstream, found.predictive), ratios, "{text}");
        assert_eq!(found.hosts.is_some(), matches, "{text}");
    }
    let tcp = "envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions";
    for (options, kept) in [
        ("", Some(Duration::from_secs(600))),
        ("idle_timeout: 3s", Some(Duration::from_secs(3))),
        ("idle_timeout: 0s", None),
    ] {
        let fields = format!(
            "typed_extension_protocol_options: {{{tcp}: {{'@type': type.googleapis.com/{tcp}, \
             {options}}}}}, {LB}"
        );
        let spec = parse(&with_endpoints(&fields, &[IP])).unwrap().spec;
        assert_eq!(spec.tcp_idle_timeout, kept, "{options}");
    }
}

#[test]
fn values_and_defaults() {
    let fields = "alt_stat_name: other, connect_timeout: 2s, per_connection_buffer_limit_bytes: 7, \
         circuit_breakers: {thresholds: [{max_requests: 1}, {max_requests: 2}, \
         {priority: HIGH, max_retries: 9, retry_budget: {}}], \
         per_host_thresholds: [{max_connections: 4}]}, \
         common_lb_config: {healthy_panic_threshold: {value: 30.5}}, \
         transport_socket: {name: envoy.transport_sockets.raw_buffer}, \
         lb_subset_config: {fallback_policy: ANY_ENDPOINT}, cleanup_interval: 5s";
    let refused_pair = with_endpoints(&format!("{fields}, {LB}"), &[IP]);
    refused(&refused_pair, "cannot be combined with lb_subset_config");
    let fields = fields.replace("lb_subset_config: {fallback_policy: ANY_ENDPOINT}, ", "");
    let spec = parse(&with_endpoints(&format!("{fields}, {LB}"), &[IP]))
        .unwrap()
        .spec;
    assert_eq!((&*spec.name, &*spec.observability_name), ("c", "other"));
    assert_eq!(spec.connect_timeout, Duration::from_secs(2));
    assert_eq!(spec.per_connection_buffer_limit, 7);
    let [default, high] = &*spec.thresholds;
    assert_eq!(
        (default.max_requests, default.max_connections_per_host),
        (1, 4)
    );
    assert_eq!(
        (high.max_requests, high.max_connections_per_host),
        (1024, u32::MAX)
    );
    assert_eq!(
        high.retry_budget
            .map(|b| (b.percent, b.min_retry_concurrency)),
        Some((20.0, 3))
    );
    assert_eq!(spec.common_lb.healthy_panic_threshold, 30);
    let spec = parse(&with_endpoints(LB, &[IP])).unwrap().spec;
    assert_eq!(spec.connect_timeout, Duration::from_secs(5));
    assert_eq!(
        (spec.per_connection_buffer_limit, &*spec.observability_name),
        (1 << 20, "c")
    );
    assert_eq!(spec.http.idle_timeout, Some(Duration::from_secs(3600)));
}
