//! `envoy.config.core.v3.ConfigSource`: where resources come from.

use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3 as proto;
use nuncio_xds::{ConfigSource, PathSource};
use proto::config_source::ConfigSourceSpecifier;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Converts where resources come from. For files, which are there or not, `initial_fetch_timeout`
/// means nothing.
///
/// # Errors
/// Recorded in `cx`.
pub fn config_source(cx: &mut ParseCx, proto: &proto::ConfigSource) -> Parsed<ConfigSource> {
    cx.refuse("authorities", !proto.authorities.is_empty())?;
    match &proto.config_source_specifier {
        None => Err(cx.error("value is required")),
        Some(ConfigSourceSpecifier::Path(path)) => path_source(cx, "path", path, None),
        Some(ConfigSourceSpecifier::PathConfigSource(source)) => {
            cx.field("path_config_source", |cx| {
                let directory = source.watched_directory.as_ref();
                let directory = directory.map(|directory| PathBuf::from(&directory.path));
                path_source(cx, "path", &source.path, directory)
            })
        }
        Some(ConfigSourceSpecifier::ApiConfigSource(_)) => Err(cx.not_built("api_config_source")),
        Some(ConfigSourceSpecifier::Ads(_)) => Err(cx.not_built("ads")),
        Some(ConfigSourceSpecifier::Self_(_)) => Err(cx.not_built("self")),
    }
}

fn path_source(
    cx: &mut ParseCx,
    field: &'static str,
    path: &str,
    watched_directory: Option<PathBuf>,
) -> Parsed<ConfigSource> {
    if !Path::new(path).exists() {
        let message =
            format!("paths must refer to an existing path in the system: '{path}' does not exist");
        return Err(cx.error_at(field, message));
    }
    Ok(ConfigSource::Path(Arc::new(PathSource {
        path: path.into(),
        watched_directory,
    })))
}
