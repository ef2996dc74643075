//! Protos to [`CompressorSpec`] and [`CompressorRouteSpec`].

use super::Compressor;
use super::encoder::{BrotliContent, BrotliSettings, Codec, Library, ZstdSettings};
use super::filter::CompressorSpec;
use super::settings::{CompressorRouteSpec, ContentTypes, Direction, ResponseSettings, Settings};
use compression::brotli::compressor::v3::Brotli;
use compression::brotli::compressor::v3::brotli::EncoderMode;
use compression::gzip::compressor::v3::Gzip;
use compression::gzip::compressor::v3::gzip::CompressionStrategy;
use compression::zstd::compressor::v3::Zstd;
use compression::zstd::compressor::v3::zstd::Strategy;
use nuncio_config::common::runtime_flag;
use nuncio_config::matching::string_matcher;
use nuncio_config::unknown_extension::unknown_extension;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::Name;
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::config::core::v3::TypedExtensionConfig;
use nuncio_proto::envoy::extensions::compression;
use nuncio_proto::envoy::extensions::filters::http::compressor::v3 as proto;
use nuncio_proto::google::protobuf::UInt32Value;
use nuncio_stats::Scope;
use proto::compressor::{CommonDirectionConfig, ResponseDirectionConfig};
use proto::compressor_per_route::Override;
use std::sync::Arc;
use zlib_rs as deflate;

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
        let own = proto::Compressor::full_name();
        let alone = filter.chain.iter().filter(|kind| **kind == own).count() == 1;
        let settings = settings(cx, proto, library, &scope)?;
        let settings = Settings { alone, ..settings };
        Ok(CompressorSpec(Arc::new(settings)))
    }

    fn parse_route(
        &self,
        proto: proto::CompressorPerRoute,
        cx: &mut ParseCx,
    ) -> Parsed<CompressorRouteSpec> {
        match proto.r#override {
            Some(Override::Disabled(disabled)) => Ok(CompressorRouteSpec {
                response: Some(!disabled),
                remove_accept_encoding: None,
            }),
            Some(Override::Overrides(proto::CompressorOverrides {
                response_direction_config,
                compressor_library,
            })) => {
                cx.refuse("compressor_library", compressor_library.is_some())?;
                let removes = response_direction_config.as_ref();
                let removes = removes.and_then(|one| one.remove_accept_encoding_header);
                Ok(CompressorRouteSpec {
                    // That it is there is enough.
                    response: response_direction_config.map(|_| true),
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
    let proto::Compressor {
        content_length,
        content_type,
        disable_on_etag_header,
        remove_accept_encoding_header,
        runtime_enabled,
        compressor_library: _,
        request_direction_config,
        response_direction_config,
        choose_first,
    } = proto;
    let request = request_direction_config.map(|request| {
        let proto::compressor::RequestDirectionConfig { common_config } = request;
        common_config.unwrap_or_default()
    });
    let scopes = [scope.scope("request"), scope.scope("response")];
    let request = direction(cx, "request_direction_config", request, &scopes[0])?;
    let is_old = response_direction_config.is_none();
    let of_response = response_direction_config.unwrap_or_else(|| ResponseDirectionConfig {
        common_config: Some(CommonDirectionConfig {
            enabled: runtime_enabled,
            min_content_length: content_length,
            content_type,
            content_type_matcher: Vec::new(),
        }),
        disable_on_etag_header,
        remove_accept_encoding_header,
        ..Default::default()
    });
    let ResponseDirectionConfig {
        common_config,
        disable_on_etag_header,
        weaken_etag_on_compress,
        remove_accept_encoding_header,
        uncompressible_response_codes,
        status_header_enabled,
    } = of_response;
    let response_scope = if is_old { scope } else { &scopes[1] };
    let common = Some(common_config.unwrap_or_default());
    let response = direction(cx, "response_direction_config", common, response_scope)?;
    cx.field("response_direction_config", |cx| {
        cx.refuse("status_header_enabled", status_header_enabled)
    })?;
    let codes = uncompressible_response_codes.into_iter();
    Ok(Settings {
        library,
        choose_first,
        alone: false,
        request,
        response,
        of_response: ResponseSettings {
            disable_on_etag: disable_on_etag_header,
            weaken_etag: weaken_etag_on_compress,
            remove_accept_encoding: remove_accept_encoding_header,
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
    let is_there = proto.is_some();
    let CommonDirectionConfig {
        enabled,
        min_content_length: least,
        content_type,
        content_type_matcher,
    } = proto.unwrap_or_default();
    let matchers = cx.field(field, |cx| {
        cx.field("common_config", |cx| {
            cx.list("content_type_matcher", content_type_matcher, string_matcher)
        })
    })?;
    let content_types = match (matchers.is_empty(), content_type.is_empty()) {
        (false, _) => ContentTypes::Matching(matchers),
        (true, false) => ContentTypes::Listed(content_type),
        (true, true) => ContentTypes::Listed(DEFAULT_TYPES.map(str::to_owned).to_vec()),
    };
    Ok(Direction {
        enabled: is_there.then(|| runtime_flag(enabled)),
        min_content_length: least.map_or(DEFAULT_MIN_LENGTH, |least| u64::from(least.value)),
        content_types,
        stats: scope.group(),
    })
}

/// What a library gathers where nothing is said, in bytes.
const DEFAULT_CHUNK: u32 = 4096;

fn library(cx: &mut ParseCx, proto: &TypedExtensionConfig) -> Parsed<Library> {
    let config = proto.typed_config.clone().unwrap_or_default();
    let kind = type_name(&config);
    if kind == Gzip::full_name() {
        return cx.field("typed_config", |cx| cx.unpack(&config)).map(gzip);
    }
    if kind == Brotli::full_name() {
        return cx
            .field("typed_config", |cx| cx.unpack(&config))
            .map(brotli);
    }
    if kind == Zstd::full_name() {
        return cx.field("typed_config", |cx| {
            let message = cx.unpack(&config)?;
            zstd(cx, message)
        });
    }
    Err(unknown_extension(cx, &proto.name, &config))
}

fn or(value: Option<UInt32Value>, default: u32) -> u32 {
    value.map_or(default, |value| value.value)
}

fn gzip(proto: Gzip) -> Library {
    let strategy = match proto.compression_strategy() {
        CompressionStrategy::DefaultStrategy => deflate::Strategy::Default,
        CompressionStrategy::Filtered => deflate::Strategy::Filtered,
        CompressionStrategy::HuffmanOnly => deflate::Strategy::HuffmanOnly,
        CompressionStrategy::Rle => deflate::Strategy::Rle,
        CompressionStrategy::Fixed => deflate::Strategy::Fixed,
    };
    let Gzip {
        memory_level,
        compression_level,
        compression_strategy: _,
        window_bits,
        chunk_size,
    } = proto;
    Library {
        codec: Codec::Gzip(deflate::DeflateConfig {
            level: match compression_level {
                0 => 6,
                level => level,
            },
            mem_level: or(memory_level, 5) as i32,
            // 16 more ask for gzip's head and foot.
            window_bits: 16 + or(window_bits, 12) as i32,
            strategy,
            ..deflate::DeflateConfig::default()
        }),
        chunk_size: or(chunk_size, DEFAULT_CHUNK) as usize,
    }
}

fn brotli(proto: Brotli) -> Library {
    let content = match proto.encoder_mode() {
        EncoderMode::Default | EncoderMode::Generic => BrotliContent::Generic,
        EncoderMode::Text => BrotliContent::Text,
        EncoderMode::Font => BrotliContent::Font,
    };
    let Brotli {
        quality,
        encoder_mode: _,
        window_bits,
        input_block_bits,
        chunk_size,
        disable_literal_context_modeling,
    } = proto;
    Library {
        codec: Codec::Brotli(BrotliSettings {
            quality: or(quality, 3) as i32,
            window_bits: or(window_bits, 18) as i32,
            input_block_bits: or(input_block_bits, 0) as i32,
            content,
            plain_literals: disable_literal_context_modeling,
        }),
        chunk_size: or(chunk_size, DEFAULT_CHUNK) as usize,
    }
}

fn zstd(cx: &mut ParseCx, proto: Zstd) -> Parsed<Library> {
    use ::zstd::zstd_safe::Strategy as Found;
    let strategy = match proto.strategy() {
        Strategy::Default => None,
        Strategy::Fast => Some(Found::ZSTD_fast),
        Strategy::Dfast => Some(Found::ZSTD_dfast),
        Strategy::Greedy => Some(Found::ZSTD_greedy),
        Strategy::Lazy => Some(Found::ZSTD_lazy),
        Strategy::Lazy2 => Some(Found::ZSTD_lazy2),
        Strategy::Btlazy2 => Some(Found::ZSTD_btlazy2),
        Strategy::Btopt => Some(Found::ZSTD_btopt),
        Strategy::Btultra => Some(Found::ZSTD_btultra),
        Strategy::Btultra2 => Some(Found::ZSTD_btultra2),
    };
    let Zstd {
        compression_level,
        enable_checksum,
        strategy: _,
        dictionary,
        chunk_size,
    } = proto;
    cx.refuse("dictionary", dictionary.is_some())?;
    Ok(Library {
        codec: Codec::Zstd(ZstdSettings {
            level: or(compression_level, 3).min(22) as i32,
            checksum: enable_checksum,
            strategy,
        }),
        chunk_size: or(chunk_size, DEFAULT_CHUNK) as usize,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::testing::{any, parse_cx};

    /// A library by its type and its settings, as YAML.
    pub fn library(type_name: &str, yaml: &str) -> Library {
        let extension = TypedExtensionConfig {
            name: "l".to_owned(),
            typed_config: Some(any(type_name, yaml).unwrap()),
        };
        let mut cx = parse_cx();
        super::library(&mut cx, &extension).unwrap_or_else(|_| panic!("{yaml}"))
    }
}
