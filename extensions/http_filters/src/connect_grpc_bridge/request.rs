//! Requests of Connect as gRPC's.

use nuncio_base::header_name::Key;
use nuncio_base::{HeaderMap, base64, names};
use nuncio_http::grpc_timeout;
use nuncio_matching::path::without_query;
use nuncio_matching::query::{decoded, parameters};
use std::borrow::Cow;
use std::time::Duration;

const VERSION: &str = "connect-protocol-version";
const TIMEOUT: &str = "connect-timeout-ms";
const GRPC_ENCODING: &str = "grpc-encoding";

/// What a request is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// One message, its body.
    Post {
        /// Whether it is compressed.
        compressed: bool,
    },
    /// One message, of the query.
    Get {
        /// The message.
        message: Vec<u8>,
        /// Whether it is compressed.
        compressed: bool,
    },
    /// Messages, framed as gRPC frames them.
    Stream,
}

/// Makes a request one of gRPC, if it is one of Connect. `bare`: it has no body.
pub(super) fn convert(headers: &mut HeaderMap, bare: bool) -> Option<Call> {
    if bare && headers.get(names::METHOD) == Some(b"GET") {
        get(headers)
    } else {
        post(headers)
    }
}

fn post(headers: &mut HeaderMap) -> Option<Call> {
    let kind = headers.get(names::CONTENT_TYPE)?;
    let kind = kind.strip_prefix(b"application/")?;
    let of_stream = kind.strip_prefix(b"connect+");
    let is_stream = of_stream.is_some();
    if !is_stream && !headers.contains(VERSION) {
        return None;
    }
    let codec = of_stream.unwrap_or(kind).to_vec();
    set_call(headers, &codec);
    headers.remove(VERSION);
    if is_stream {
        rename(headers, "connect-content-encoding", GRPC_ENCODING);
        rename(
            headers,
            "connect-accept-encoding",
            names::GRPC_ACCEPT_ENCODING,
        );
        return Some(Call::Stream);
    }
    let coding = headers.get(names::CONTENT_ENCODING);
    let compressed = coding.is_some_and(|coding| coding != b"identity");
    rename(headers, names::CONTENT_ENCODING, GRPC_ENCODING);
    rename(headers, names::ACCEPT_ENCODING, names::GRPC_ACCEPT_ENCODING);
    Some(Call::Post { compressed })
}

fn get(headers: &mut HeaderMap) -> Option<Call> {
    let target = headers.get(names::PATH)?.to_vec();
    let value = |wanted: &[u8]| -> Cow<'_, [u8]> {
        let mut all = parameters(&target);
        let found = all.find_map(|(name, value)| (*decoded(name) == *wanted).then_some(value));
        found.map(decoded).unwrap_or_default()
    };
    if *value(b"connect") != *b"v1" {
        return None;
    }
    let message = match &*value(b"base64") {
        // As Envoy, which calls with nothing where this is none.
        b"1" => url_base64(&value(b"message")).unwrap_or_default(),
        _ => value(b"message").into_owned(),
    };
    let mut coding = value(b"compression");
    if coding.is_empty() {
        coding = Cow::Borrowed(b"identity");
    }
    headers.set(names::METHOD, b"POST");
    headers.set(names::PATH, without_query(&target));
    set_call(headers, &value(b"encoding"));
    headers.set(GRPC_ENCODING, &coding);
    rename(headers, names::ACCEPT_ENCODING, names::GRPC_ACCEPT_ENCODING);
    Some(Call::Get {
        message,
        compressed: *coding != *b"identity",
    })
}

/// Base64 for URLs (RFC 4648 section 5), with or without padding.
fn url_base64(text: &[u8]) -> Option<Vec<u8>> {
    let usual = text.iter().map(|byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => *byte,
    });
    base64::decode(&usual.collect::<Vec<_>>())
}

/// What all calls have, with messages of a codec.
fn set_call(headers: &mut HeaderMap, codec: &[u8]) {
    let kind = [b"application/grpc+", codec].concat();
    headers.set(names::CONTENT_TYPE, &kind);
    headers.remove(names::CONTENT_LENGTH);
    let timeout = headers.get_str(TIMEOUT).and_then(|text| text.parse().ok());
    if let Some(timeout) = timeout {
        headers.remove(TIMEOUT);
        grpc_timeout::set(headers, Duration::from_millis(timeout));
    }
    headers.set(names::TE, b"trailers");
}

/// Gives a header another name.
pub(super) fn rename(headers: &mut HeaderMap, old: impl Key + Copy, new: impl Key + Copy) {
    if let Some(value) = headers.get(old).map(<[u8]>::to_vec) {
        headers.remove(old);
        headers.set(new, &value);
    }
}
