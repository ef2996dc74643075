//! One request and its response on a health check's own connection, in either version of HTTP.

use super::connection::Connection;
use super::host_health::Failure;
use super::http1::Http1Connection;
use super::http2::Http2Connection;
use bytes::Bytes;
use nuncio_base::{HeaderMap, names};
use std::task::{Context, Poll};

/// A complete response.
pub(super) struct Response {
    pub headers: HeaderMap,
    /// As much of the body as was asked for.
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
    /// The connection may carry another request.
    pub reusable: bool,
}

/// A connection with its codec.
pub(super) enum HttpConnection {
    Http1(Box<Http1Connection>),
    Http2(Box<Http2Connection>),
}

impl HttpConnection {
    /// Sends a request, and waits for its response, of whose body `keep` bytes are kept.
    pub async fn exchange(
        &mut self,
        headers: &HeaderMap,
        body: Bytes,
        keep: usize,
    ) -> Result<Response, Failure> {
        let mut response = match self {
            Self::Http1(connection) => connection.exchange(headers, body, keep).await?,
            Self::Http2(connection) => connection.exchange(headers, body, keep).await?,
        };
        response.reusable &= !asks_to_close(&response.headers);
        Ok(response)
    }

    /// Ready once the connection is of no more use. Nothing is awaited on it.
    pub fn poll_idle(&mut self, task: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Http1(connection) => connection.connection().poll_read(task).map(|_| ()),
            Self::Http2(connection) => connection.poll_idle(task),
        }
    }
}

/// As much of `bytes` as fits.
pub(super) fn keep_some(body: &mut Vec<u8>, data: &nuncio_base::Buffer, keep: usize) {
    let bytes = data.slices().flat_map(|slice| slice.iter());
    body.extend(bytes.take(keep.saturating_sub(body.len())));
}

/// What came, behind what had not been taken yet.
pub(super) fn join(rest: Bytes, more: Bytes) -> Bytes {
    if rest.is_empty() {
        more
    } else {
        [&rest[..], &more[..]].concat().into()
    }
}

/// Reads more; the end is a failure here.
pub(super) async fn read_more(connection: &mut Connection) -> Result<Bytes, Failure> {
    let bytes = connection.read().await?;
    if bytes.is_empty() {
        return Err(Failure::Network);
    }
    Ok(bytes)
}

fn asks_to_close(headers: &HeaderMap) -> bool {
    let asks = |value: Option<&[u8]>| {
        let mut tokens = value.unwrap_or_default().split(|byte| *byte == b',');
        tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"))
    };
    asks(headers.get(names::CONNECTION)) || asks(headers.get(names::PROXY_CONNECTION))
}
