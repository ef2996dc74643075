//! Protos to [`DecompressorSpec`].

use super::Decompressor;
use super::decoder::{Codec, Library};
use super::filter::DecompressorSpec;
use super::settings::{DirectionSettings, Settings};
use compression::brotli::decompressor::v3::Brotli;
use compression::gzip::decompressor::v3::Gzip;
use compression::zstd::decompressor::v3::Zstd;
use nuncio_base::HeaderName;
use nuncio_config::common::runtime_flag;
use nuncio_config::unknown_extension::unknown_extension;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::Name;
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::config::core::v3::TypedExtensionConfig;
use nuncio_proto::envoy::extensions::compression;
use nuncio_proto::envoy::extensions::filters::http::decompressor::v3 as proto;
use nuncio_proto::google::protobuf::UInt32Value;
use nuncio_stats::Scope;
use proto::decompressor::{CommonDirectionConfig, RequestDirectionConfig, ResponseDirectionConfig};
use std::sync::Arc;
use zstd::zstd_safe::DCtx;

impl HttpFilterExtension for Decompressor {
    const NAME: &'static str = "envoy.filters.http.decompressor";
    type Proto = proto::Decompressor;
    type RouteProto = proto::Decompressor;
    type Spec = DecompressorSpec;
    type RouteSpec = ();

    fn parse(
        &self,
        proto: proto::Decompressor,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<DecompressorSpec> {
        let proto::Decompressor {
            decompressor_library,
            request_direction_config,
            response_direction_config,
        } = proto;
        let extension = decompressor_library.unwrap_or_default();
        let library = cx.field("decompressor_library", |cx| library(cx, &extension))?;
        let (name, prefix) = (&extension.name, &filter.stat_prefix);
        let prefix = format!("{prefix}decompressor.{name}.{}", library.stat_name());
        let scope = cx.env().scope().scope(&prefix);
        let RequestDirectionConfig {
            common_config: of_request,
            advertise_accept_encoding,
        } = request_direction_config.unwrap_or_default();
        let ResponseDirectionConfig {
            common_config: of_response,
        } = response_direction_config.unwrap_or_default();
        let trailer = |kind| HeaderName::new(&format!("x-envoy-decompressor-{name}-{kind}-bytes"));
        Ok(DecompressorSpec(Arc::new(Settings {
            library,
            library_scope: scope.scope("decompressor_library"),
            request: direction(of_request, &scope.scope("request")),
            response: direction(of_response, &scope.scope("response")),
            advertise: advertise_accept_encoding.is_none_or(|value| value.value),
            compressed_bytes: trailer("compressed"),
            uncompressed_bytes: trailer("uncompressed"),
        })))
    }

    fn parse_route(&self, _proto: proto::Decompressor, cx: &mut ParseCx) -> Parsed<()> {
        Err(crate::no_route_config(cx, Self::NAME))
    }
}

fn direction(proto: Option<CommonDirectionConfig>, scope: &Scope) -> DirectionSettings {
    let CommonDirectionConfig {
        enabled,
        ignore_no_transform_header,
    } = proto.unwrap_or_default();
    DirectionSettings {
        enabled: runtime_flag(enabled),
        ignore_no_transform: ignore_no_transform_header,
        stats: scope.group(),
    }
}

/// What gzip and Brotli gather where nothing is said, in bytes.
const DEFAULT_CHUNK: usize = 4096;

/// How many times as long as what came what is made of it may be where nothing is said.
const DEFAULT_RATIO: usize = 100;

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

fn or(value: Option<UInt32Value>, default: usize) -> usize {
    value.map_or(default, |value| value.value as usize)
}

fn gzip(proto: Gzip) -> Library {
    let Gzip {
        window_bits,
        chunk_size,
        max_inflate_ratio,
    } = proto;
    Library {
        codec: Codec::Gzip(or(window_bits, 15) as u8),
        chunk_size: or(chunk_size, DEFAULT_CHUNK),
        max_ratio: or(max_inflate_ratio, DEFAULT_RATIO),
    }
}

fn brotli(proto: Brotli) -> Library {
    let Brotli {
        // The library never does.
        disable_ring_buffer_reallocation: _,
        chunk_size,
    } = proto;
    Library {
        codec: Codec::Brotli,
        chunk_size: or(chunk_size, DEFAULT_CHUNK),
        max_ratio: DEFAULT_RATIO,
    }
}

fn zstd(cx: &mut ParseCx, proto: Zstd) -> Parsed<Library> {
    let Zstd {
        dictionaries,
        chunk_size,
    } = proto;
    cx.refuse("dictionaries", !dictionaries.is_empty())?;
    Ok(Library {
        codec: Codec::Zstd,
        // Where nothing is said Envoy gathers what the library recommends.
        chunk_size: or(chunk_size, DCtx::out_size()),
        max_ratio: DEFAULT_RATIO,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::testing::{any, parse_cx};

    /// A library by its name and its settings, as YAML.
    pub fn library(kind: &str, yaml: &str) -> Library {
        let message = match kind {
            "gzip" => "gzip.decompressor.v3.Gzip",
            "brotli" => "brotli.decompressor.v3.Brotli",
            _ => "zstd.decompressor.v3.Zstd",
        };
        let name = format!("envoy.extensions.compression.{message}");
        let extension = TypedExtensionConfig {
            name: "l".to_owned(),
            typed_config: Some(any(&name, yaml).unwrap()),
        };
        let mut cx = parse_cx();
        super::library(&mut cx, &extension).unwrap_or_else(|_| panic!("{yaml}"))
    }
}
