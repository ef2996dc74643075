//! Protos to [`SetMetadataSpec`].

use super::{Entry, SetMetadata, SetMetadataSpec};
use nuncio_config::common::structure;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::set_metadata::v3 as proto;

impl HttpFilterExtension for SetMetadata {
    const NAME: &'static str = "envoy.filters.http.set_metadata";
    type Proto = proto::Config;
    type RouteProto = proto::Config;
    type Spec = SetMetadataSpec;
    type RouteSpec = ();

    fn parse(
        &self,
        proto: proto::Config,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<SetMetadataSpec> {
        let old = proto.value.map(|value| Entry {
            namespace: proto.metadata_namespace,
            allow_overwrite: true,
            value: structure(value),
        });
        let new = cx.list("metadata", proto.metadata, |cx, entry| {
            cx.refuse("typed_value", entry.typed_value.is_some())?;
            Ok(Entry {
                namespace: entry.metadata_namespace,
                allow_overwrite: entry.allow_overwrite,
                value: structure(entry.value.unwrap_or_default()),
            })
        })?;
        let scope = cx.env().scope();
        let scope = scope.scope(&format!("{}set_metadata", filter.stat_prefix));
        Ok(SetMetadataSpec {
            entries: old.into_iter().chain(new).collect(),
            stats: scope.group(),
        })
    }

    fn parse_route(&self, _proto: proto::Config, cx: &mut ParseCx) -> Parsed<()> {
        Err(cx.not_built("typed_per_filter_config"))
    }
}
