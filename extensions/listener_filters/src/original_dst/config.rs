//! The configuration, which has no fields.

use super::filter::OriginalDstSpec;
use nuncio_extension::{ListenerFilterExtension, ParseCx, Parsed};
use nuncio_listener::ListenerFilterFactory;
use nuncio_proto::envoy::extensions::filters::listener::original_dst::v3::OriginalDst as Proto;
use std::sync::Arc;

/// The extension.
pub struct OriginalDst;

impl ListenerFilterExtension for OriginalDst {
    const NAME: &'static str = "envoy.filters.listener.original_dst";
    type Proto = Proto;

    fn parse(&self, proto: Proto, _cx: &mut ParseCx) -> Parsed<Arc<dyn ListenerFilterFactory>> {
        let Proto {} = proto;
        Ok(Arc::new(OriginalDstSpec))
    }
}
