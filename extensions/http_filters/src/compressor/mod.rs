//! `envoy.filters.http.compressor`: compresses bodies for whom takes them so ("Compressor" in
//! Envoy's docs, `http_filters/compressor_filter`).
//!
//! Parity: gzip, brotli and zstd, requests and responses, the choice among several compressors of
//! a chain, routes, stats. Not built, and refused: libraries of routes, dictionaries, the headers
//! that tell why a body was not compressed. Unlike Envoy's it leaves alone what CONNECT opens, and
//! Brotli chooses itself how much it looks at together where nothing is said.

mod accept;
mod config;
mod encoder;
mod filter;
mod settings;
#[cfg(test)]
mod tests;

pub use encoder::{BrotliContent, BrotliSettings, Codec, Encoder, Library, ZstdSettings};
pub use filter::{CompressorFilter, CompressorSpec};
pub use settings::{
    CommonStats, CompressorRouteSpec, ContentTypes, Direction as DirectionSettings,
    ResponseSettings, ResponseStats, Settings,
};

/// The extension.
pub struct Compressor;
