//! Loading, case by case: what Envoy 1.40 accepts and refuses (each verdict is that of its
//! `--mode validate`), and where our errors point.
#![allow(clippy::unwrap_used)] // tests, helpers included

use nuncio_proto::envoy::config::bootstrap::v3::Bootstrap;
use nuncio_proto::{
    ConfigErrors, FieldPath, Format, Loaded, Options, UnknownFields, WarningKind, json, load,
    reflect,
};

const HCM: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.\
                   HttpConnectionManager";

fn load(text: &str, format: Format) -> Result<Loaded, ConfigErrors> {
    let message = load::message_of::<Bootstrap>().unwrap();
    load::text("f", text, format, message, &Options::default())
}

/// The config as JSON in one line, or its errors, one line each.
fn outcome(text: &str, format: Format) -> String {
    match load(text, format) {
        Ok(loaded) => {
            loaded.decode::<Bootstrap>().unwrap();
            let options = json::Options {
                compact: true,
                ..json::Options::default()
            };
            json::print(&loaded.bytes, loaded.message, &options)
        }
        Err(errors) => {
            let lines = errors.errors.iter().map(ToString::to_string);
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

fn check(format: Format, cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        assert_eq!(outcome(text, format), *wanted, "of {text}");
    }
}

/// A cluster with one more field.
fn cluster(field: &str) -> String {
    format!("static_resources: {{clusters: [{{name: a, {field}}}]}}")
}

fn check_cluster(cases: &[(&str, &str)]) {
    for (field, wanted) in cases {
        let found = outcome(&cluster(field), Format::Yaml);
        let found = found
            .strip_prefix(r#"{"static_resources":{"clusters":[{"name":"a""#)
            .map_or(found.clone(), |rest| {
                rest.trim_start_matches(',')
                    .trim_end_matches("}]}}")
                    .to_owned()
            });
        let found = found.replace("static_resources.clusters[0]", "~");
        assert_eq!(found, *wanted, "of {field}");
    }
}

#[test]
fn names_and_single_values() {
    check(
        Format::Yaml,
        &[
            (
                "node: {id: a, clientFeatures: [x]}",
                r#"{"node":{"id":"a","client_features":["x"]}}"#,
            ),
            (
                "node: {client_features: x}",
                r#"{"node":{"client_features":["x"]}}"#,
            ),
            (
                "node: {client_features: [[x], z]}",
                r#"{"node":{"client_features":["x","z"]}}"#,
            ),
            (
                "node: {client_features: [null]}",
                r#"{"node":{"client_features":[""]}}"#,
            ),
            ("node: null", "{}"),
            ("node: {}", r#"{"node":{}}"#),
            (
                "node: abc",
                "f:1:7: node: expected an object (message envoy.config.core.v3.Node), \
                       found the string \"abc\"",
            ),
            (
                "node: {idd: a}",
                "f:1:8: node: message envoy.config.core.v3.Node: no such field: 'idd'; \
                            did you mean 'id'?",
            ),
            (
                "foo: null\nbar: 1",
                "f:1:1: message envoy.config.bootstrap.v3.Bootstrap: no such field: 'foo'\n\
          f:2:1: message envoy.config.bootstrap.v3.Bootstrap: no such field: 'bar'",
            ),
            (
                "clusters: []",
                "f:1:1: message envoy.config.bootstrap.v3.Bootstrap: no such field: \
                          'clusters'; it is a field of 'static_resources'; indented too little?",
            ),
        ],
    );
}

#[test]
fn yaml_scalars() {
    check(
        Format::Yaml,
        &[
            (
                "node: {id: 5}",
                "f:1:12: node.id: expected a string (in quotes: \"5\"), found the number 5",
            ),
            (
                "node: {id: yes}",
                "f:1:12: node.id: expected a string (in quotes: \"yes\"), found the bool true",
            ),
            ("node: {id: 1.5}", r#"{"node":{"id":"1.5"}}"#),
            ("node: {id: '5'}", r#"{"node":{"id":"5"}}"#),
            (
                "node: {id: 99999999999}",
                r#"{"node":{"id":"99999999999"}}"#,
            ),
            ("node: {id: 2020-01-01}", r#"{"node":{"id":"2020-01-01"}}"#),
            ("node: {id: ~}", r#"{"node":{}}"#),
            (
                "node: {metadata: {a: 1.5, b: 0x10, c: yes, d: 010, e: [1, null], f: 08, g: -7, h: 'y'}}",
                r#"{"node":{"metadata":{"a":"1.5","b":16,"c":true,"d":8,"e":[1,null],"f":"08","g":-7,"h":"y"}}}"#,
            ),
            (
                "node: {metadata: {fields: {a: {string_value: x}}}}",
                r#"{"node":{"metadata":{"fields":{"a":{"string_value":"x"}}}}}"#,
            ),
        ],
    );
    check_cluster(&[
        (
            "per_connection_buffer_limit_bytes: \"1024\"",
            r#""per_connection_buffer_limit_bytes":1024"#,
        ),
        (
            "per_connection_buffer_limit_bytes: {value: 7}",
            r#""per_connection_buffer_limit_bytes":7"#,
        ),
        (
            "per_connection_buffer_limit_bytes: 1e3",
            r#""per_connection_buffer_limit_bytes":1000"#,
        ),
        (
            "per_connection_buffer_limit_bytes: 0x10",
            r#""per_connection_buffer_limit_bytes":16"#,
        ),
        (
            "per_connection_buffer_limit_bytes: \"0x10\"",
            r#""per_connection_buffer_limit_bytes":16"#,
        ),
        (
            "per_connection_buffer_limit_bytes: 010",
            r#""per_connection_buffer_limit_bytes":8"#,
        ),
        (
            "per_connection_buffer_limit_bytes: \"010\"",
            r#""per_connection_buffer_limit_bytes":10"#,
        ),
        (
            "per_connection_buffer_limit_bytes: 0o10",
            "f:1:76: ~.per_connection_buffer_limit_bytes: invalid number: '0o10'",
        ),
        (
            "per_connection_buffer_limit_bytes: 1.5",
            "f:1:76: ~.per_connection_buffer_limit_bytes: expected integer, but JSON number had fractional part",
        ),
        (
            "per_connection_buffer_limit_bytes: -1",
            "f:1:76: ~.per_connection_buffer_limit_bytes: integer out of range",
        ),
        (
            "per_connection_buffer_limit_bytes: 4294967296",
            "f:1:76: ~.per_connection_buffer_limit_bytes: integer out of range",
        ),
        (
            "ignore_health_on_host_removal: y",
            r#""ignore_health_on_host_removal":true"#,
        ),
        (
            "ignore_health_on_host_removal: True",
            r#""ignore_health_on_host_removal":true"#,
        ),
        (
            "ignore_health_on_host_removal: ON",
            r#""ignore_health_on_host_removal":true"#,
        ),
        (
            "ignore_health_on_host_removal: \"yes\"",
            r#""ignore_health_on_host_removal":true"#,
        ),
        (
            "ignore_health_on_host_removal: oN",
            "f:1:72: ~.ignore_health_on_host_removal: expected 'true' or 'false'",
        ),
        (
            "ignore_health_on_host_removal: 1",
            "f:1:72: ~.ignore_health_on_host_removal: expected true or false, found the number 1",
        ),
    ]);
}

#[test]
fn enums() {
    check_cluster(&[
        (
            "lb_policy: random, type: strict_dns",
            r#""type":"STRICT_DNS","lb_policy":"RANDOM""#,
        ),
        ("lb_policy: 3", r#""lb_policy":"RANDOM""#),
        ("lb_policy: \"3\"", r#""lb_policy":"RANDOM""#),
        ("lb_policy: null", ""),
        (
            "lb_policy: ROUND_ROBBIN",
            "f:1:52: ~.lb_policy: unknown enum value: 'ROUND_ROBBIN'; did you mean 'ROUND_ROBIN'?",
        ),
        (
            "lb_policy: round-robin",
            "f:1:52: ~.lb_policy: unknown enum value: 'round-robin'; did you mean 'ROUND_ROBIN'?",
        ),
        (
            "lb_policy: 1.0",
            "f:1:52: ~.lb_policy: unknown enum value: '1.0'; it is one of ROUND_ROBIN, LEAST_REQUEST, \
          RING_HASH, RANDOM, MAGLEV, CLUSTER_PROVIDED, LOAD_BALANCING_POLICY_CONFIG",
        ),
        (
            "lb_policy: 77",
            "f:1:41: ~.lb_policy: ClusterValidationError.LbPolicy: \
                           value must be one of the defined enum values",
        ),
    ]);
}

#[test]
fn durations() {
    check_cluster(&[
        ("connect_timeout: 1s", r#""connect_timeout":"1s""#),
        ("connect_timeout: 0.25s", r#""connect_timeout":"0.250s""#),
        (
            "connect_timeout: 1.000001s",
            r#""connect_timeout":"1.000001s""#,
        ),
        ("connect_timeout: {seconds: 1}", r#""connect_timeout":"1s""#),
        (
            "connect_timeout: .25s",
            "f:1:58: ~.connect_timeout: duration must start with an integer: \
                                   \".25s\", expected a duration such as \"1.5s\"",
        ),
        (
            "connect_timeout: 250ms",
            "f:1:58: ~.connect_timeout: duration must end with a single 's': \
                                    \"250ms\", expected a duration such as \"1.5s\"",
        ),
        (
            "connect_timeout: 1.s",
            "f:1:58: ~.connect_timeout: duration had bad nanoseconds: \
                                  \"1.s\", expected a duration such as \"1.5s\"",
        ),
        (
            "connect_timeout: 5",
            "f:1:58: ~.connect_timeout: expected a duration such as \"1.5s\", \
                                found the number 5",
        ),
        (
            "connect_timeout: 0s",
            "f:1:41: ~.connect_timeout: \
                                 ClusterValidationError.ConnectTimeout: value must be greater than 0s",
        ),
    ]);
}

#[test]
fn yaml_structure() {
    check(
        Format::Yaml,
        &[
            ("!ignore x: &a {id: b}\nnode: *a", r#"{"node":{"id":"b"}}"#),
            (
                "node: &a {id: b}\nstats_flush_interval: &t 7s\nwatchdog: {miss_timeout: *t}",
                r#"{"node":{"id":"b"},"stats_flush_interval":"7s","watchdog":{"miss_timeout":"7s"}}"#,
            ),
            (
                "node: {<<: {id: a}}",
                "f:1:8: node: message envoy.config.core.v3.Node: no such field: '<<'",
            ),
            ("node: {id: a, id: b}", r#"{"node":{"id":"b"}}"#),
            (
                "node: {id: a}\n---\nnode: {id: b}",
                r#"{"node":{"id":"a"}}"#,
            ),
            ("\u{feff}node: {id: a}", r#"{"node":{"id":"a"}}"#),
            ("? node\n: {id: a}", r#"{"node":{"id":"a"}}"#),
            (
                "node: *zz",
                "f:1:7: Unable to parse YAML: while parsing node, found unknown anchor",
            ),
            (
                "node: &a {metadata: {x: *a}}",
                "f:1:25: Unable to parse YAML: an alias inside the node it stands for",
            ),
            (
                "",
                "f:1:1: Unable to parse YAML: Unable to convert YAML as JSON: the document is empty or \
              a scalar",
            ),
            (
                "node: {id: a\nfoo: ]",
                "f:2:4: Unable to parse YAML: while parsing a flow mapping, did \
                                  not find expected ',' or '}'",
            ),
        ],
    );
    let text = "node: {id: a, id: b}";
    let warnings = load(text, Format::Yaml).unwrap().warnings;
    assert_eq!(warnings[0].kind, WarningKind::DuplicateKey);
    assert_eq!(warnings[0].location.as_ref().unwrap().to_string(), "f:1:8");
}

#[test]
fn bombs_are_refused() {
    let mut laughs = "!ignore a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        let list = vec![below; 10].join(",");
        laughs.push_str(&format!("!ignore a{level}: &a{level} [{list}]\n"));
    }
    let error = outcome(
        &format!("{laughs}node: {{metadata: {{a: *a11}}}}"),
        Format::Yaml,
    );
    assert!(
        error.ends_with("node.metadata: aliases expand to too many values"),
        "{error}"
    );
    let deep = format!(
        "node: {{metadata: {}1{}}}",
        "{a: ".repeat(120),
        "}".repeat(120)
    );
    assert!(outcome(&deep, Format::Yaml).contains("too deeply nested"));
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(outcome(&deep, Format::Json).contains("too deeply nested"));
    assert!(outcome(&deep, Format::Yaml).contains("recursion limit exceeded"));
}

#[test]
fn json_leniencies() {
    check(
        Format::Json,
        &[
            ("{'node': {id: \"a\",},}", r#"{"node":{"id":"a"}}"#),
            (
                r#"{"node":{"id":"\ud83d\ude00\n\/"}}"#,
                "{\"node\":{\"id\":\"😀\\n/\"}}",
            ),
            (
                r#"{"node":{"id":"\ud83d"}}"#,
                "f:1:16: Unable to parse JSON as proto (INVALID_ARGUMENT: \
                                         invalid or lone surrogate in a Unicode escape)",
            ),
            (r#"{"node":{"id":"a","id":"b"}}"#, r#"{"node":{"id":"b"}}"#),
            (
                r#"{"node":{"id":"a"},"node":{"cluster":"b"}}"#,
                r#"{"node":{"cluster":"b"}}"#,
            ),
            (
                r#"{"node":{"client_features":["a"],"clientFeatures":["b"]}}"#,
                r#"{"node":{"client_features":["a","b"]}}"#,
            ),
            (
                r#"{"node":{"metadata":{"a":1,"a":2}}}"#,
                "f:1:32: node.metadata: got unexpectedly-repeated repeated map key: 'a'",
            ),
            (
                r#"{"node":{}} x"#,
                "f:1:13: Unable to parse JSON as proto (INVALID_ARGUMENT: extraneous \
                              characters after end of JSON object)",
            ),
            (
                r#"{"node":/*x*/{}}"#,
                "f:1:9: Unable to parse JSON as proto (INVALID_ARGUMENT: \
                                 unexpected character: '/')",
            ),
            (
                "",
                "f:1:1: Unable to parse JSON as proto (INVALID_ARGUMENT: unexpected EOF)",
            ),
            (
                "{\n \"node\": {\n  \"id\": 01\n }\n}",
                "f:3:11: Unable to parse JSON as proto \
          (INVALID_ARGUMENT: number cannot have extraneous leading zero)",
            ),
            (
                "[]",
                "f:1:1: expected an object (message envoy.config.bootstrap.v3.Bootstrap), \
                found a list",
            ),
        ],
    );
}

fn listener(hcm: &str) -> String {
    format!(
        "static_resources:\n  listeners:\n  - name: l\n    address: {{socket_address: {{address: \
         a, port_value: 0}}}}\n    filter_chains:\n    - filters:\n      - name: h\n        \
         typed_config:\n          \"@type\": {HCM}\n          stat_prefix: a\n          \
         route_config: {{}}\n          {hcm}\n"
    )
}

#[test]
fn anys() {
    let path = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config";
    let log = |config: &str| {
        listener(&format!(
            "access_log: [{{name: a, typed_config: {config}}}]"
        ))
    };
    let file = "envoy.extensions.access_loggers.file.v3.FileAccessLog";
    let cases = [
        (
            format!("{{\"@type\": x.com/{file}, path: /f}}"),
            String::new(),
        ),
        (
            format!("{{path: /f, \"@type\": a/b/{file}}}"),
            String::new(),
        ),
        ("{}".to_owned(), String::new()),
        (
            format!("{{\"@type\": {file}}}"),
            format!(
                "f:12:58: {path}.access_log[0].typed_config: @type must contain at least one / and \
                 a nonempty host; got: {file}; write type.googleapis.com/{file}"
            ),
        ),
        (
            "{\"@type\": a/b.NoSuch}".to_owned(),
            format!(
                "f:12:58: {path}.access_log[0].typed_config: could not find @type 'a/b.NoSuch'"
            ),
        ),
        (
            "{\"@type\": a/envoy.config.accesslog.v2.FileAccessLog}".to_owned(),
            format!(
                "f:12:58: {path}.access_log[0].typed_config: could not find @type \
                 'a/envoy.config.accesslog.v2.FileAccessLog'; did you mean 'a/{file}'?"
            ),
        ),
        (
            "{path: /f}".to_owned(),
            format!(
                "f:12:48: {path}.access_log[0].typed_config: missing @type in Any is only allowed \
                 for an empty object"
            ),
        ),
        (
            format!("{{\"@type\": a/{file}}}"),
            format!(
                "f:12:34: {path}.access_log[0].typed_config.path: FileAccessLogValidationError.Path: \
                 value length must be at least 1 characters"
            ),
        ),
        (
            "{\"@type\": a/google.protobuf.Duration, value: 1s, x: 5}".to_owned(),
            format!(
                "f:12:100: {path}.access_log[0].typed_config: fields in a well-known-typed Any must \
                 be @type or value"
            ),
        ),
        (
            format!(
                "{{\"@type\": a/xds.type.v3.TypedStruct, type_url: a/{file}, value: {{foo: 1}}}}"
            ),
            format!(
                "f:12:34: {path}.access_log[0].typed_config: message {file}: no such field: 'foo'\n\
                 f:12:34: {path}.access_log[0].typed_config.path: FileAccessLogValidationError.Path: \
                 value length must be at least 1 characters"
            ),
        ),
        (
            "{\"@type\": a/envoy.extensions.filters.http.gzip.v3.Gzip}".to_owned(),
            format!(
                "f:12:58: {path}.access_log[0].typed_config: could not find @type \
                 'a/envoy.extensions.filters.http.gzip.v3.Gzip'; did you mean \
                 'a/envoy.extensions.compression.gzip.compressor.v3.Gzip'?"
            ),
        ),
    ];
    for (config, wanted) in cases {
        let found = outcome(&log(&config), Format::Yaml);
        let found = if wanted.is_empty() && found.starts_with('{') {
            String::new()
        } else {
            found
        };
        assert_eq!(found, wanted, "of {config}");
    }
}

#[test]
fn what_is_not_built_is_named() {
    let field = "record_route_resolution_stats";
    let name = HCM.rsplit('/').next().unwrap();
    let wanted = format!(
        "f:12:11: static_resources.listeners[0].filter_chains[0].filters[0].typed_config.{field}: \
         not built: field {name}.{field}"
    );
    assert_eq!(
        outcome(&listener(&format!("{field}: true")), Format::Yaml),
        wanted
    );
    assert!(load(&listener(&format!("{field}: false")), Format::Yaml).is_ok());
}

#[test]
fn constraints() {
    let base = "BootstrapValidationError.StaticResources: embedded message failed validation | \
                caused by StaticResourcesValidationError.Listeners[0]: embedded message failed \
                validation | caused by ";
    let error = load(
        "static_resources: {listeners: [{address: {socket_address: {address: a, port_value: 65536}}}]}",
        Format::Yaml,
    );
    assert_eq!(
        error.unwrap_err().envoy_text(),
        format!(
            "Proto constraint validation failed ({base}ListenerValidationError.Address: embedded \
             message failed validation | caused by AddressValidationError.SocketAddress: embedded \
             message failed validation | caused by SocketAddressValidationError.PortValue: value \
             must be less than or equal to 65535)"
        )
    );
    check(
        Format::Yaml,
        &[
            (
                "static_resources: {listeners: [{address: {}}]}",
                "f:1:33: static_resources.listeners[0].address: field: \"address\", reason: is required; set \
          one of socket_address, pipe, envoy_internal_address",
            ),
            (
                "layered_runtime: {layers: [{static_layer: {}}, {name: a}]}",
                "f:1:28: layered_runtime.layers[0].name: RuntimeLayerValidationError.Name: value length \
          must be at least 1 characters\n\
          f:1:48: layered_runtime.layers[1]: field: \"layer_specifier\", reason: is required; set one \
          of static_layer, disk_layer, admin_layer, rtds_layer",
            ),
            (
                "admin: {address: {pipe: {path: a, mode: 512}}}",
                "f:1:35: admin.address.pipe.mode: PipeValidationError.Mode: value must be less than or \
          equal to 511",
            ),
            (
                "stats_flush_interval: 300s",
                "f:1:1: stats_flush_interval: BootstrapValidationError.StatsFlushInterval: value must be \
          inside range [1ms, 5m0s)",
            ),
        ],
    );
    check_cluster(&[
        (
            "metadata: {filter_metadata: {'': {}}}",
            "f:1:70: ~.metadata.filter_metadata[\"\"]: MetadataValidationError.FilterMetadata[]: value \
          length must be at least 1 characters",
        ),
        (
            "common_lb_config: {healthy_panic_threshold: {value: 101}}",
            "f:1:86: ~.common_lb_config.healthy_panic_threshold.value: PercentValidationError.Value: \
          value must be inside range [0, 100]",
        ),
        (
            "health_checks: [{interval: 1s, timeout: 1s, unhealthy_threshold: 1, healthy_threshold: 1, \
          http_health_check: {path: /, method: CONNECT}}]",
            "f:1:160: ~.health_checks[0].http_health_check.method: \
          HttpHealthCheckValidationError.Method: value must not be in list [6]",
        ),
        (
            "metadata: {typed_filter_metadata: {x: {'@type': \
          a/envoy.extensions.access_loggers.file.v3.FileAccessLog}}}",
            r#""metadata":{"typed_filter_metadata":{"x":{"@type":"a/envoy.extensions.access_loggers.file.v3.FileAccessLog"}}}"#,
        ),
    ]);
}

#[test]
fn text_proto() {
    check(
        Format::TextProto,
        &[
            (
                "node { id: \"a\" 'b' cluster: \"c\\n\\101\" }\nstats_flush_interval { seconds: 5 } # end",
                r#"{"node":{"id":"ab","cluster":"c\nA"},"stats_flush_interval":"5s"}"#,
            ),
            (
                "node < client_features: ['x', 'y']; client_features: 'z' >",
                r#"{"node":{"client_features":["x","y","z"]}}"#,
            ),
            (
                "static_resources { clusters { name: 'a' lb_policy: RANDOM \
          per_connection_buffer_limit_bytes { value: 0x10 } metadata { filter_metadata { key: 'k' \
          value { fields { key: 'a' value { number_value: -1.5e1 } } } } } \
          typed_extension_protocol_options { key: 'e' value { [type.googleapis.com/\
          google.protobuf.Duration] { seconds: 1 } } } } }",
                r#"{"static_resources":{"clusters":[{"name":"a","per_connection_buffer_limit_bytes":16,"lb_policy":"RANDOM","metadata":{"filter_metadata":{"k":{"a":-15}}},"typed_extension_protocol_options":{"e":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}}}]}}"#,
            ),
            (
                "node { idd: 'a' }",
                "f:1:8: node: Unable to parse file \"f\" as a text protobuf (type \
          envoy.config.bootstrap.v3.Bootstrap): message envoy.config.core.v3.Node: no such field: \
          'idd'; did you mean 'id'?",
            ),
            (
                "node {\n id: 5 }",
                "f:2:6: node.id: Unable to parse file \"f\" as a text protobuf (type \
          envoy.config.bootstrap.v3.Bootstrap): expected a string, found '5'",
            ),
        ],
    );
}

#[test]
fn unknown_fields_by_policy() {
    let message = reflect::message("envoy.config.core.v3.Node").unwrap();
    let with = |unknown| {
        let text = "{foo: 1, id: a}";
        load::text("f", text, Format::Yaml, message, &Options { unknown })
    };
    assert!(with(UnknownFields::Reject).is_err());
    let warned = with(UnknownFields::Warn).unwrap();
    assert_eq!(warned.warnings[0].kind, WarningKind::UnknownField);
    assert_eq!(warned.bytes, b"\x0a\x01a");
    assert!(with(UnknownFields::Ignore).unwrap().warnings.is_empty());

    let bytes = b"\x0a\x01a\xf8\x7f\x01".to_vec();
    let with = |unknown| load::bytes(bytes.clone(), message, &Options { unknown });
    let error = with(UnknownFields::Reject).unwrap_err();
    assert_eq!(
        error.envoy_text(),
        "Protobuf message (type envoy.config.core.v3.Node(root) with unknown field set {2047}) has \
         unknown fields"
    );
    assert_eq!(with(UnknownFields::Warn).unwrap().warnings.len(), 1);
    assert!(with(UnknownFields::Ignore).is_ok());
    assert!(load::bytes(b"\x0a\x30a".to_vec(), message, &Options::default()).is_err());
}

#[test]
fn deprecated_fields_load_with_a_warning() {
    let loaded = load("use_tcp_for_dns_lookups: true", Format::Yaml).unwrap();
    let warning = &loaded.warnings[0];
    assert_eq!(warning.kind, WarningKind::Deprecated);
    assert!(warning.message.starts_with(
        "Deprecated field: type envoy.config.bootstrap.v3.Bootstrap Using deprecated option \
         'envoy.config.bootstrap.v3.Bootstrap.use_tcp_for_dns_lookups' from file bootstrap.proto. \
         This configuration will be removed from Envoy soon."
    ));
}

#[test]
fn merging_and_locating() {
    let message = load::message_of::<Bootstrap>().unwrap();
    let options = Options::default();
    let read = |name, text: &str| {
        load::read(
            name,
            text.as_bytes().to_vec(),
            Format::Yaml,
            message,
            &options,
        )
    };
    let mut config = read(
        "f",
        "node: {id: a, cluster: b}\nstatic_resources: {clusters: [{name: x}]}",
    );
    config.merge(read(
        "--config-yaml",
        "node: {id: c}\nstaticResources: {clusters: {name: ''}}",
    ));
    let errors = config.check().unwrap_err().to_string();
    assert!(
        errors.contains("\n  --config-yaml:2:30: static_resources.clusters[1].name: "),
        "{errors}"
    );

    let mut config = read(
        "f",
        "node: {id: a, cluster: b}\nstatic_resources: {clusters: [{name: x}]}",
    );
    config.merge(read(
        "--config-yaml",
        "node: {id: c}\nstaticResources: {clusters: {name: z}}",
    ));
    let loaded = config.check().unwrap();
    let bootstrap: Bootstrap = loaded.decode().unwrap();
    let node = bootstrap.node.unwrap();
    assert_eq!((node.id.as_str(), node.cluster.as_str()), ("c", "b"));
    let names: Vec<String> = bootstrap
        .static_resources
        .unwrap()
        .clusters
        .into_iter()
        .map(|c| c.name)
        .collect();
    assert_eq!(names, ["x", "z"]);
    let mut path = FieldPath::new();
    path.push("static_resources");
    path.push("clusters");
    path.push_index(1);
    path.push("name");
    assert_eq!(
        loaded.source.locate(&path).unwrap().to_string(),
        "--config-yaml:2:30"
    );
    path.truncate(2);
    path.push_index(0);
    path.push("lb_policy");
    assert_eq!(loaded.source.locate(&path).unwrap().to_string(), "f:2:31");
}

#[test]
fn all_errors_come_in_the_order_of_the_file() {
    let text = "node: {id: 5}\nstatic_resources:\n  clusters:\n  - lb_policy: BEST\n    nam: x\n  \
                - connect_timeout: 0s\n";
    assert_eq!(
        outcome(text, Format::Yaml),
        "f:1:12: node.id: expected a string (in quotes: \"5\"), found the number 5\n\
         f:4:16: static_resources.clusters[0].lb_policy: unknown enum value: 'BEST'; it is one of \
         ROUND_ROBIN, LEAST_REQUEST, RING_HASH, RANDOM, MAGLEV, CLUSTER_PROVIDED, \
         LOAD_BALANCING_POLICY_CONFIG\n\
         f:5:5: static_resources.clusters[0]: message envoy.config.cluster.v3.Cluster: no such \
         field: 'nam'; did you mean 'name'?\n\
         f:6:5: static_resources.clusters[1].name: ClusterValidationError.Name: value length must \
         be at least 1 characters\n\
         f:6:5: static_resources.clusters[1].connect_timeout: \
         ClusterValidationError.ConnectTimeout: value must be greater than 0s"
    );
}
