//! The configuration, which has no fields.

use super::filter::{InspectorSpec, InspectorStats};
use nuncio_extension::{ListenerFilterExtension, ParseCx, Parsed};
use nuncio_listener::ListenerFilterFactory;
use nuncio_proto::envoy::extensions::filters::listener::http_inspector::v3::HttpInspector as Proto;
use std::sync::Arc;

/// The extension.
pub struct HttpInspector;

impl ListenerFilterExtension for HttpInspector {
    const NAME: &'static str = "envoy.filters.listener.http_inspector";
    type Proto = Proto;

    fn parse(&self, proto: Proto, cx: &mut ParseCx) -> Parsed<Arc<dyn ListenerFilterFactory>> {
        let Proto {} = proto;
        let scope = cx.env().scope().scope("http_inspector");
        Ok(Arc::new(InspectorSpec {
            stats: scope.group::<InspectorStats>(),
        }))
    }
}
