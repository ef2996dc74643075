//! Printing as Envoy's admin does, secrets blotted out, and what `Any`s give.
#![allow(clippy::unwrap_used)] // tests, helpers included

use nuncio_proto::envoy::admin::v3::ServerInfo;
use nuncio_proto::envoy::config::bootstrap::v3::Bootstrap;
use nuncio_proto::envoy::extensions::filters::http::buffer::v3::Buffer;
use nuncio_proto::google::protobuf::{Any, Struct, Value, value::Kind};
use nuncio_proto::{Format, Message, Options, any, extra, json, load, reflect};

fn print(text: &str, options: json::Options) -> String {
    let message = load::message_of::<Bootstrap>().unwrap();
    let loaded = load::text("f", text, Format::Yaml, message, &Options::default()).unwrap();
    json::print(&loaded.bytes, message, &options)
}

#[test]
fn pretty_with_one_space() {
    let text = "node: {id: a, client_features: [b], metadata: {}}\nlayered_runtime: {layers: []}";
    assert_eq!(
        print(text, json::Options::default()),
        "{\n \"node\": {\n  \"id\": \"a\",\n  \"metadata\": {},\n  \"client_features\": [\n   \"b\"\n  \
         ]\n },\n \"layered_runtime\": {}\n}"
    );
}

#[test]
fn secrets_are_blotted_out() {
    let options = json::Options {
        redact: true,
        compact: true,
        ..json::Options::default()
    };
    let auth = "type.googleapis.com/envoy.extensions.filters.http.basic_auth.v3.BasicAuth";
    let cases = [
        ("{name: s, generic_secret: {secret: {inline_string: abc}}}".to_owned(),
         r#"{"name":"s","generic_secret":{"secret":{"inline_string":"[redacted]"}}}"#.to_owned()),
        ("{name: s, generic_secret: {secret: {inline_bytes: YWJj}}}".to_owned(),
         r#"{"name":"s","generic_secret":{"secret":{"inline_bytes":"W3JlZGFjdGVkXQ=="}}}"#.to_owned()),
        ("{name: s, tls_certificate: {private_key: {filename: /f}, certificate_chain: {filename: /c}}}"
            .to_owned(),
         r#"{"name":"s","tls_certificate":{"certificate_chain":{"filename":"/c"},"private_key":{"filename":"[redacted]"}}}"#
            .to_owned()),
    ];
    for (secret, wanted) in cases {
        let text = format!("static_resources: {{secrets: [{secret}]}}");
        let wanted = format!(r#"{{"static_resources":{{"secrets":[{wanted}]}}}}"#);
        assert_eq!(print(&text, options), wanted);
    }
    let any = |inner: &str| {
        let text = format!("bootstrap_extensions: [{{name: a, typed_config: {inner}}}]");
        let printed = print(&text, options);
        printed.replace(
            r#"{"bootstrap_extensions":[{"name":"a","typed_config":"#,
            "",
        )
    };
    assert_eq!(
        any(&format!(
            "{{\"@type\": {auth}, users: {{inline_string: abc}}}}"
        )),
        format!(r#"{{"@type":"{auth}","users":{{"inline_string":"[redacted]"}}}}}}]}}"#)
    );
    let wrapper = "type.googleapis.com/udpa.type.v1.TypedStruct";
    let value = "{users: {inline_string: abc}, forward_username_header: x}";
    assert_eq!(
        any(&format!(
            "{{\"@type\": {wrapper}, type_url: {auth}, value: {value}}}"
        )),
        format!(
            "{{\"@type\":\"{wrapper}\",\"type_url\":\"{auth}\",\"value\":{{\"users\":\
             {{\"inline_string\":\"[redacted]\"}},\"forward_username_header\":\"x\"}}}}}}]}}"
        )
    );
}

#[test]
fn server_info_prints_defaults() {
    let info = ServerInfo {
        version: "v".to_owned(),
        ..ServerInfo::default()
    };
    let message = load::message_of::<ServerInfo>().unwrap();
    let options = json::Options {
        always_print: true,
        compact: true,
        ..json::Options::default()
    };
    assert_eq!(
        json::print(&info.encode_to_vec(), message, &options),
        r#"{"version":"v","state":"LIVE","hot_restart_version":"","hot_restart_initializing":false}"#
    );
}

#[test]
fn anys_unpack_through_typed_structs() {
    let number = Value {
        kind: Some(Kind::NumberValue(5.0)),
    };
    let inner = extra::TypedStruct {
        type_url: "a/envoy.extensions.filters.http.buffer.v3.Buffer".to_owned(),
        value: Some(Struct {
            fields: [("max_request_bytes".to_owned(), number)].into(),
        }),
    };
    let wrapped = any::pack(&inner);
    assert_eq!(
        any::type_name(&wrapped),
        "envoy.extensions.filters.http.buffer.v3.Buffer"
    );
    let buffer: Buffer = any::unpack(&wrapped).unwrap();
    assert_eq!(buffer.max_request_bytes.unwrap().value, 5);
    let plain: Buffer = any::unpack(&any::pack(&Buffer::default())).unwrap();
    assert_eq!(plain, Buffer::default());
    let error = any::unpack::<Bootstrap>(&wrapped).unwrap_err().to_string();
    assert!(
        error.starts_with("Unable to unpack as envoy.config.bootstrap.v3.Bootstrap"),
        "{error}"
    );
    assert_eq!(any::type_name(&Any::default()), "");
}

#[test]
fn own_messages_are_in_the_tables() {
    let names = [
        load::message_of::<extra::FieldMask>(),
        load::message_of::<extra::UdpaTypedStruct>(),
        load::message_of::<extra::IpMatcher>(),
        load::message_of::<extra::ServerNameMatcher>(),
        load::message_of::<extra::Int32RangeMatcher>(),
        load::message_of::<extra::Int64Ranges>(),
        load::message_of::<extra::DoubleRange>(),
        load::message_of::<extra::CelMatcher>(),
        load::message_of::<extra::HttpAttributesCelMatchInput>(),
    ];
    assert!(names.iter().all(Option::is_some), "{names:?}");
}

/// `validate.FieldRules` by number: the rules of each kind that are checked.
const CHECKED: &[(u32, &[u32])] = &[
    (1, &[2, 3, 4, 5, 8]),
    (2, &[2, 3, 4, 5, 8]),
    (3, &[2, 3, 4, 5, 8]),
    (4, &[2, 3, 4, 5, 8]),
    (5, &[2, 3, 4, 5, 8]),
    (6, &[2, 3, 4, 5, 8]),
    (13, &[1]),
    (14, &[2, 3, 5, 6, 7, 8, 10, 24, 25, 26]),
    (15, &[2, 3]),
    (16, &[2, 4]),
    (17, &[1, 2]),
    (18, &[1, 2, 3, 4]),
    (19, &[1, 2, 4, 5]),
    (20, &[1]),
    (21, &[1, 3, 4, 5, 6]),
    (22, &[1]),
];

fn only_checked_rules(rules: &[u8], at: &str) {
    for part in nuncio_proto::wire::fields(rules) {
        let (kind, value) = part.unwrap();
        let checked = CHECKED.iter().find(|(known, _)| *known == kind);
        let (_, checked) = checked.unwrap_or_else(|| panic!("{at}: rules {kind}"));
        for rule in nuncio_proto::wire::fields(value.bytes().unwrap()) {
            let (rule, value) = rule.unwrap();
            assert!(checked.contains(&rule), "{at}: rule {kind}.{rule}");
            if matches!((kind, rule), (18, 4) | (19, 4 | 5)) {
                only_checked_rules(value.bytes().unwrap(), at);
            }
        }
    }
}

#[test]
fn every_rule_of_the_protos_is_checked() {
    let mut count = 0;
    for message in reflect::messages() {
        for field in message.fields().filter(|field| !field.rules().is_empty()) {
            only_checked_rules(
                field.rules(),
                &format!("{}.{}", message.name(), field.name()),
            );
            count += 1;
        }
    }
    assert!(count > 1100, "{count} fields with rules");
}
