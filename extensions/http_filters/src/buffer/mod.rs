//! `envoy.filters.http.buffer`: holds a request back until all of it is there, and gives it a
//! `content-length` where it had none ("Buffer" in Envoy's docs, `http_filters/buffer_filter`).
//!
//! Parity: all fields. A request that is larger than may be buffered is answered 413. Envoy lets
//! the last piece of an HTTP/2 body go over the limit; here no piece does.
//!
//! Security: made for untrusted downstreams. What a stream holds is bounded by
//! `max_request_bytes`.

mod config;
mod filter;
#[cfg(test)]
mod tests;

pub use filter::{BufferFilter, BufferRouteSpec, BufferSpec};

/// The extension.
pub struct Buffer;
