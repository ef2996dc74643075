//! The configuration.

use super::filter::{InspectorSpec, InspectorStats};
use nuncio_extension::{ListenerFilterExtension, ParseCx, Parsed};
use nuncio_listener::ListenerFilterFactory;
use nuncio_proto::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector as Proto;
use std::sync::Arc;

/// How long a ClientHello may be where the config says nothing; more is refused by Envoy too.
const HELLO_BYTES: u32 = 16 * 1024;

/// The extension.
pub struct TlsInspector;

impl ListenerFilterExtension for TlsInspector {
    const NAME: &'static str = "envoy.filters.listener.tls_inspector";
    type Proto = Proto;

    fn parse(&self, proto: Proto, cx: &mut ParseCx) -> Parsed<Arc<dyn ListenerFilterFactory>> {
        let is_true = |value: Option<nuncio_proto::google::protobuf::BoolValue>| {
            value.is_some_and(|value| value.value)
        };
        // `initial_read_buffer_size` only says how a buffer grows, which is not kept here.
        let limit = proto
            .max_client_hello_size
            .map_or(HELLO_BYTES, |size| size.value);
        if limit > HELLO_BYTES {
            return Err(cx.error(format!(
                "max_client_hello_size of {limit} is greater than maximum of {HELLO_BYTES}."
            )));
        }
        Ok(Arc::new(InspectorSpec {
            limit: limit as usize,
            ja3: is_true(proto.enable_ja3_fingerprinting),
            ja4: is_true(proto.enable_ja4_fingerprinting),
            closes_others: proto.close_connection_on_client_hello_parsing_errors,
            stats: cx
                .env()
                .store
                .root()
                .scope("tls_inspector")
                .group::<InspectorStats>(),
        }))
    }
}
