//! `Bootstrap.dynamic_resources`: where clusters and listeners come from.

use crate::config_source::{api_source, config_source};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::bootstrap::v3::bootstrap as proto;
use nuncio_xds::{ApiSource, ConfigSource};
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
) -> Parsed<DynamicSources> {
    let sources = cx.optional("dynamic_resources", proto, |cx, proto| {
        let locator = !proto.lds_resources_locator.is_empty();
        cx.refuse("lds_resources_locator", locator)?;
        let locator = !proto.cds_resources_locator.is_empty();
        cx.refuse("cds_resources_locator", locator)?;
        Ok(DynamicSources {
            ads: cx.optional("ads_config", proto.ads_config.as_ref(), api_source)?,
            cds: cx.optional("cds_config", proto.cds_config.as_ref(), config_source)?,
            lds: cx.optional("lds_config", proto.lds_config.as_ref(), config_source)?,
        })
    })?;
    Ok(sources.unwrap_or_default())
}
