//! `envoy.config.route.v3.DirectResponseAction`: an answer without an upstream.

use bytes::Bytes;
use nuncio_observe::Formatter;
use std::sync::Arc;

/// An answer that the route has itself.
#[derive(Clone, Debug)]
pub struct DirectResponse {
    /// The status, 200 to 599.
    pub status: u16,
    /// The body, empty for none.
    pub body: Bytes,
    /// What the body becomes: a format that sees the body as `%LOCAL_REPLY_BODY%`.
    pub format: Option<DirectResponseFormat>,
}

/// How a direct response's body is formatted.
#[derive(Clone, Debug)]
pub struct DirectResponseFormat {
    /// The format.
    pub formatter: Arc<Formatter>,
    /// The content type that goes with it.
    pub content_type: Box<str>,
}
