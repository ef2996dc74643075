//! Protos to [`CompressorSpec`] and [`CompressorRouteSpec`].

use super::Compressor;
use super::encoder::Library;
use super::filter::CompressorSpec;
use super::settings::{CompressorRouteSpec, Direction, ResponseSettings, Settings};
use nuncio_base::runtime_flags::RuntimeFlag;
use nuncio_config::common::runtime_flag;
use nuncio_config::unknown_extension::unknown_extension;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::Name;
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::config::core::v3::{RuntimeFeatureFlag, TypedExtensionConfig};
use nuncio_proto::envoy::extensions::compression;
use nuncio_proto::envoy::extensions::filters::http::compressor::v3 as proto;
use nuncio_stats::Scope;
use proto::compressor::CommonDirectionConfig;
use proto::compressor_per_route::Override;
use std::sync::Arc;

/// How long a body must be where nothing is said, in bytes.
const DEFAULT_MIN_LENGTH: u64 = 30;

/// The content types that are compressed where nothing is said.
const DEFAULT_TYPES: [&str; 18] = [
    "text/html",
    "text/plain",
    "text/css",
    "application/javascript",
    "application/x-javascript",
    "text/javascript",
    "text/x-javascript",
    "text/ecmascript",
    "text/js",
    "text/jscript",
    "text/x-js",
    "application/ecmascript",
    "application/x-json",
    "application/xml",
    "application/json",
    "image/svg+xml",
    "text/xml",
    "application/xhtml+xml",
];

impl HttpFilterExtension for Compressor {
    const NAME: &'static str = "envoy.filters.http.compressor";
    type Proto = proto::Compressor;
    type RouteProto = proto::CompressorPerRoute;
    type Spec = CompressorSpec;
    type RouteSpec = CompressorRouteSpec;

    fn parse(
        &self,
        proto: proto::Compressor,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<CompressorSpec> {
        let extension = proto.compressor_library.clone().unwrap_or_default();
        let library = cx.field("compressor_library", |cx| library(cx, &extension))?;
        let scope = cx.env().scope();
        let prefix = &filter.stat_prefix;
        let scope = scope.scope(&format!(
            "{prefix}compressor.{}.{}",
            extension.name,
            library.stat_name()
        ));
        settings(cx, proto, library, &scope).map(|settings| CompressorSpec(Arc::new(settings)))
    }

    fn parse_route(
        &self,
        proto: proto::CompressorPerRoute,
        cx: &mut ParseCx,
    ) -> Parsed<CompressorRouteSpec> {
        match proto.r#override {
            Some(Override::Disabled(disabled)) => Ok(CompressorRouteSpec {
                disabled,
                ..CompressorRouteSpec::default()
            }),
            Some(Override::Overrides(overrides)) => {
                let library = overrides.compressor_library.is_some();
                cx.refuse("compressor_library", library)?;
                let of_response = overrides.response_direction_config;
                let removes = of_response.and_then(|one| one.remove_accept_encoding_header);
                Ok(CompressorRouteSpec {
                    disabled: false,
                    remove_accept_encoding: removes.map(|value| value.value),
                })
            }
            None => Err(cx.error("field: 'override', reason: is required")),
        }
    }
}

/// The old fields count where there is no `response_direction_config`.
fn settings(
    cx: &mut ParseCx,
    proto: proto::Compressor,
    library: Library,
    scope: &Scope,
) -> Parsed<Settings> {
    let old = CommonDirectionConfig {
        enabled: proto.runtime_enabled,
        min_content_length: proto.content_length,
        content_type: proto.content_type,
        ..CommonDirectionConfig::default()
    };
    let request = proto.request_direction_config;
    let request = request.map(|request| request.common_config.unwrap_or_default());
    let request = direction(
        cx,
        "request_direction_config",
        request,
        &scope.scope("request"),
    )?;
    let of_response = proto.response_direction_config;
    let (common, response_scope, of_response) = match of_response {
        Some(mut response) => {
            let common = response.common_config.take().unwrap_or_default();
            (common, scope.scope("response"), response)
        }
        None => {
            let response = proto::compressor::ResponseDirectionConfig {
                disable_on_etag_header: proto.disable_on_etag_header,
                remove_accept_encoding_header: proto.remove_accept_encoding_header,
                ..Default::default()
            };
            (old, scope.clone(), response)
        }
    };
    let response = direction(
        cx,
        "response_direction_config",
        Some(common),
        &response_scope,
    )?;
    cx.field("response_direction_config", |cx| {
        cx.refuse("status_header_enabled", of_response.status_header_enabled)
    })?;
    let codes = of_response.uncompressible_response_codes.into_iter();
    Ok(Settings {
        library,
        choose_first: proto.choose_first,
        request,
        response,
        of_response: ResponseSettings {
            disable_on_etag: of_response.disable_on_etag_header,
            weaken_etag: of_response.weaken_etag_on_compress,
            remove_accept_encoding: of_response.remove_accept_encoding_header,
            uncompressible: codes.filter_map(|code| u16::try_from(code).ok()).collect(),
            stats: scope.group(),
        },
    })
}

/// A direction; without settings it is not compressed.
fn direction(
    cx: &mut ParseCx,
    field: &'static str,
    proto: Option<CommonDirectionConfig>,
    scope: &Scope,
) -> Parsed<Direction> {
    let enabled = |flag: Option<RuntimeFeatureFlag>| -> RuntimeFlag { runtime_flag(flag) };
    let is_there = proto.is_some();
    let common = proto.unwrap_or_default();
    cx.field(field, |cx| {
        cx.field("common_config", |cx| {
            cx.refuse(
                "content_type_matcher",
                !common.content_type_matcher.is_empty(),
            )
        })
    })?;
    let types = match common.content_type.is_empty() {
        true => DEFAULT_TYPES.map(str::to_owned).to_vec(),
        false => common.content_type,
    };
    let least = common.min_content_length;
    Ok(Direction {
        enabled: is_there.then(|| enabled(common.enabled)),
        min_content_length: least.map_or(DEFAULT_MIN_LENGTH, |least| u64::from(least.value)),
        content_types: types,
        stats: scope.group(),
    })
}

fn library(cx: &mut ParseCx, proto: &TypedExtensionConfig) -> Parsed<Library> {
    use compression::brotli::compressor::v3::Brotli;
    use compression::gzip::compressor::v3::Gzip;
    use compression::zstd::compressor::v3::Zstd;
    let config = proto.typed_config.clone().unwrap_or_default();
    let kind = type_name(&config);
    if kind == Gzip::full_name() {
        let gzip: Gzip = cx.field("typed_config", |cx| cx.unpack(&config))?;
        cx.refuse("compression_strategy", gzip.compression_strategy != 0)?;
        // Memory, windows and pieces are the library's own; the bytes mean the same.
        return Ok(Library::Gzip(match gzip.compression_level {
            0 => 6,
            level => level as u32,
        }));
    }
    if kind == Brotli::full_name() {
        let brotli: Brotli = cx.field("typed_config", |cx| cx.unpack(&config))?;
        return Ok(Library::Brotli {
            quality: brotli.quality.map_or(3, |value| value.value),
            window_bits: brotli.window_bits.map_or(18, |value| value.value),
        });
    }
    if kind == Zstd::full_name() {
        let zstd: Zstd = cx.field("typed_config", |cx| cx.unpack(&config))?;
        cx.refuse("dictionary", zstd.dictionary.is_some())?;
        cx.refuse("strategy", zstd.strategy != 0)?;
        let level = zstd.compression_level.map_or(3, |level| level.value);
        return Ok(Library::Zstd {
            level: level.min(22) as i32,
            checksum: zstd.enable_checksum,
        });
    }
    Err(unknown_extension(cx, &proto.name, &config))
}
