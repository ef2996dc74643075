//! `envoy.filters.http.decompressor`: takes a coding off bodies ("Decompressor" in Envoy's docs,
//! `http_filters/decompressor_filter`).
//!
//! Parity: gzip, brotli and zstd, requests and responses, what upstreams are told to take, the
//! trailers with both lengths, what becomes of bodies that are malformed, cut or grow too much,
//! stats. As in Envoy the coding that is named first is the one that is taken off. Unlike Envoy's a
//! body that grows much is taken apart over several turns, at the pace at which it is sent on, and
//! what is held meanwhile is what came; Zstandard's windows are those that HTTP allows (RFC 9659).
//! Brotli's ring buffer is never reallocated, and gzip's window is the largest there is: what needs
//! a larger one than `window_bits` says comes out too. Not built, and refused: dictionaries.

mod config;
mod decoder;
mod filter;
mod settings;
#[cfg(test)]
mod tests;
mod work;

pub use decoder::{Codec, Decoder, Fault, Library, Piece, Progress};
pub use filter::{DecompressorFilter, DecompressorSpec};
pub use settings::{
    BrotliStats, DirectionSettings, DirectionStats, LibraryStats, Settings, ZlibStats, ZstdStats,
};

/// The extension.
pub struct Decompressor;
