//! `Bootstrap.dynamic_resources`: where clusters and listeners come from.

use crate::config_source::{
    api_source, check_local_info, config_source, locator, sound_config_source,
};
use nuncio_base::options::Mode;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::bootstrap::v3::bootstrap as proto;
use nuncio_proto::envoy::config::core::v3::api_config_source::ApiType;
use nuncio_proto::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use nuncio_proto::envoy::config::core::v3::{ApiConfigSource, ConfigSource as ConfigSourceProto};
use nuncio_xds::{ApiSource, ConfigSource, ResourceType};
use std::sync::Arc;

/// Where clusters and listeners come from.
#[derive(Clone, Debug, Default)]
pub struct DynamicSources {
    /// The stream for all types.
    pub ads: Option<Arc<ApiSource>>,
    /// Clusters.
    pub cds: Option<ConfigSource>,
    /// Listeners.
    pub lds: Option<ConfigSource>,
}

/// Converts where they come from.
///
/// # Errors
/// Recorded in `cx`.
pub fn dynamic_resources(
    cx: &mut ParseCx,
    proto: Option<&proto::DynamicResources>,
    mode: Mode,
) -> Parsed<DynamicSources> {
    let sources = cx.optional("dynamic_resources", proto, |cx, proto| {
        // Whether the file is there Envoy asks only where it is going to be read.
        let is_path = |source: &&ConfigSourceProto| {
            use ConfigSourceSpecifier::{Path, PathConfigSource};
            let source = &source.config_source_specifier;
            matches!(source, Some(Path(_) | PathConfigSource(_)))
        };
        let lds = proto.lds_config.as_ref();
        let lds = lds.filter(|source| mode != Mode::Validate || !is_path(source));
        let cds = proto.cds_config.as_ref();
        let cds = cx.optional("cds_config", cds, |cx, source| {
            config_source(cx, source, ResourceType::Cluster)
        })?;
        let lds = cx.optional("lds_config", lds, |cx, source| match mode {
            // Nor who is going to ask.
            Mode::Validate => sound_config_source(cx, source),
            Mode::Serve | Mode::InitOnly => config_source(cx, source, ResourceType::Listener),
        })?;
        Ok(DynamicSources {
            ads: cx.optional("ads_config", proto.ads_config.as_ref(), ads_source)?,
            cds: located(cx, "cds_resources_locator", &proto.cds_resources_locator)?.or(cds),
            lds: located(cx, "lds_resources_locator", &proto.lds_resources_locator)?.or(lds),
        })
    })?;
    Ok(sources.unwrap_or_default())
}

/// Where a locator leads, which counts before the other field.
fn located(cx: &mut ParseCx, field: &'static str, text: &str) -> Parsed<Option<ConfigSource>> {
    match text {
        "" => Ok(None),
        text => locator(cx, field, text).map(Some),
    }
}

/// The stream for all types.
fn ads_source(cx: &mut ParseCx, proto: &ApiConfigSource) -> Parsed<Arc<ApiSource>> {
    check_local_info(cx, "ads")?;
    if !matches!(proto.api_type(), ApiType::Grpc | ApiType::DeltaGrpc) {
        let message = "envoy.config.core.v3.ApiConfigSource type must be of non-aggregated gRPC";
        return Err(cx.error_at("api_type", message));
    }
    let source = api_source(cx, proto)?;
    let cluster = &*source.service.cluster;
    if source.service.google.is_none() && !cx.env().is_primary_cluster(cluster) {
        return Err(cx.error(format!("Unknown gRPC client cluster '{cluster}'")));
    }
    Ok(source)
}
