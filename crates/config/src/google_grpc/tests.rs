//! What is taken of `google_grpc`, and what is refused.

use super::*;
use crate::grpc_service::grpc_service;
use crate::testing::convert;
use std::sync::Arc;

fn service(google: &str) -> Result<Arc<GrpcService>, String> {
    let yaml = format!("google_grpc: {{{google}}}");
    convert(&yaml, grpc_service)
}

#[test]
fn a_service_at_an_address() {
    let one = service("target_uri: 'dns:///localhost:1', stat_prefix: p").unwrap();
    assert_eq!(one.authority, "localhost:1");
    assert_eq!(one.destination(), "dns:///localhost:1");
    assert_eq!(one.max_message_bytes, MAX_MESSAGE_BYTES);
    assert!(!one.envoy_headers && one.host_ip.is_none());
    let args = "target_uri: 'unix:/x', stat_prefix: p, channel_args: {args: {
        grpc.max_receive_message_length: {int_value: 7},
        grpc.http2.max_pings_without_data: {int_value: 0},
        grpc.keepalive_time_ms: {int_value: 1000},
        grpc.default_authority: {string_value: other}}},
        channel_credentials: {local_credentials: {}}";
    let other = service(args).unwrap();
    assert_eq!((other.max_message_bytes, &*other.authority), (7, "other"));
}

#[test]
fn the_same_service_is_one_cluster() {
    let names = convert::<core::GrpcService, _>(
        "google_grpc: {target_uri: 'a:1', stat_prefix: p}",
        |cx, proto| {
            let clusters = InternalClusters::of(cx.env());
            let mut told = Vec::new();
            let first = grpc_service(cx, proto.clone())?;
            let again = grpc_service(cx, proto.clone())?;
            let mut elsewhere = proto.clone();
            if let Some(core::grpc_service::TargetSpecifier::GoogleGrpc(google)) =
                &mut elsewhere.target_specifier
            {
                google.target_uri = "b:1".to_owned();
            }
            let other = grpc_service(cx, elsewhere)?;
            told.push((
                first.cluster == again.cluster,
                first.cluster == other.cluster,
            ));
            let name = other.cluster.to_string();
            drop((first, again));
            let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
            let sink = std::rc::Rc::clone(&seen);
            clusters.set_sink(Box::new(move |change| {
                use crate::internal_clusters::InternalChange;
                sink.borrow_mut().push(match change {
                    InternalChange::Added(config) => format!("+{}", config.spec.name),
                    InternalChange::Removed(name) => format!("-{name}"),
                });
            }));
            // The next one finds that nobody needs the first any more.
            let third = grpc_service(cx, proto)?;
            let changes = seen.borrow().clone();
            Ok((told, name, third.cluster.to_string(), changes))
        },
    );
    let (told, second, third, changes) = names.unwrap();
    assert_eq!(told, [(true, false)]);
    let first = "\u{1}google_grpc 0";
    let expected = [
        format!("+{first}"),
        format!("+{second}"),
        format!("-{first}"),
        format!("+{third}"),
    ];
    assert_eq!(changes, expected);
}

/// A service with a token out of this config.
fn from_plugin(config: &str) -> String {
    let kind = "type.googleapis.com/envoy.config.grpc_credential.v3.FileBasedMetadataConfig";
    format!(
        "target_uri: a, credentials_factory_name: {FILE_FACTORY}, channel_credentials:
        {{ssl_credentials: {{root_certs: {{inline_string: r}}}}}}, call_credentials: [
        {{from_plugin: {{name: {FILE_FACTORY}, typed_config: {{'@type': {kind}, {config}}}}}}}]"
    )
}

#[test]
fn refusals() {
    for (google, error) in [
        (
            "target_uri: 'xds:///a'",
            "google_grpc.target_uri: targets of scheme xds are not",
        ),
        (
            "target_uri: a, credentials_factory_name: foo",
            "Unknown google grpc credentials factory: foo",
        ),
        (
            "target_uri: a, channel_credentials: {google_default: {}}",
            "google_grpc.channel_credentials.google_default: google_default is not supported",
        ),
        (
            "target_uri: a, channel_credentials: {local_credentials: {}}",
            "local credentials are for Unix sockets",
        ),
        (
            "target_uri: a, channel_credentials: {ssl_credentials: {root_certs: {filename: /no}}}",
            "ssl_credentials.root_certs.filename: file /no does not exist",
        ),
        (
            "target_uri: a, call_credentials: [{access_token: x}]",
            "call_credentials[0]: call credentials are not sent over connections without TLS",
        ),
        (
            "target_uri: a, call_credentials: [{access_token: \"x\\r\\ny: z\"}], channel_credentials:
            {ssl_credentials: {root_certs: {inline_string: r}}}",
            "call_credentials[0].access_token: value has control characters",
        ),
        (
            &from_plugin("header_prefix: \"a\\n\", secret_data: {inline_string: x}"),
            "typed_config.header_prefix: value has control characters",
        ),
        (
            &from_plugin("secret_data: {inline_string: \"x\\n\"}"),
            "typed_config.secret_data: value has control characters",
        ),
        (
            "target_uri: a, channel_credentials: {ssl_credentials: {root_certs: {inline_string: r},
            private_key: {inline_string: k}}}",
            "ssl_credentials.private_key: private_key needs a cert_chain",
        ),
        (
            "target_uri: a, channel_credentials: {ssl_credentials: {root_certs: {inline_string: r},
            cert_chain: {inline_string: c}}}",
            "ssl_credentials.cert_chain: cert_chain needs a private_key",
        ),
        (
            "target_uri: a, channel_args: {args: {x: {int_value: 1}}}",
            "channel_args.args[\"x\"]: channel argument x is not supported",
        ),
        (
            "target_uri: a, per_stream_buffer_limit_bytes: 5",
            "per_stream_buffer_limit_bytes is not",
        ),
    ] {
        let found = service(&format!("{google}, stat_prefix: p")).unwrap_err();
        assert!(found.contains(error), "{google}: {found}");
    }
}
