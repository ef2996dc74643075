//! Texts: what each format reads as.

use crate::*;

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
            "f:1:52: ~.lb_policy: unknown enum value: '1.0'; it is one of ROUND_ROBIN, \
          LEAST_REQUEST, RING_HASH, RANDOM, MAGLEV, CLUSTER_PROVIDED, LOAD_BALANCING_POLICY_CONFIG",
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
                "f:1:1: Unable to parse YAML: Unable to convert YAML as JSON: the document is \
              empty or a scalar",
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
