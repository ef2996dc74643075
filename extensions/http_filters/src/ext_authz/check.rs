//! What a service is asked: the check's head, made of the request's.

use super::settings::{ExtAuthzSpec, HttpService, ServicePath};
use nuncio_base::{HeaderMap, names};
use nuncio_matching::ListStringMatcher;

/// The body that a check carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CheckBody {
    /// In bytes.
    pub len: usize,
    /// Whether it is the beginning only.
    pub partial: bool,
}

/// The head of a check, but for headers that config adds. `body`: none where the request's is not
/// sent along.
pub(super) fn head(
    spec: &ExtAuthzSpec,
    service: &HttpService,
    request: &HeaderMap,
    body: Option<CheckBody>,
) -> HeaderMap {
    let mut head = HeaderMap::new();
    let get = |name| request.get(name).unwrap_or_default();
    head.append(names::METHOD, get(names::METHOD));
    head.append(names::PATH, &path(service, get(names::PATH)));
    head.append(names::AUTHORITY, get(names::AUTHORITY));
    let mut digits = itoa::Buffer::new();
    let length = digits.format(body.map_or(0, |body| body.len));
    head.append(names::CONTENT_LENGTH, length.as_bytes());
    for (name, value) in request.iter() {
        if !is_sent(spec, name) || is_message_framing(name) {
            continue;
        }
        if spec.encode_raw_headers {
            head.append(name, value);
        } else if !head.contains(name) {
            head.append(name, &joined(request, name));
        }
    }
    if let Some(body) = body {
        let partial: &[u8] = if body.partial { b"true" } else { b"false" };
        head.append("x-envoy-auth-partial-body", partial);
    }
    head
}

fn path(service: &HttpService, path: &[u8]) -> Vec<u8> {
    match &service.path {
        ServicePath::Same => path.to_vec(),
        ServicePath::Prefix(prefix) => [prefix.as_bytes(), path].concat(),
        ServicePath::Override(path) => path.clone().into_bytes(),
    }
}

/// Whether the service gets a header of this name.
fn is_sent(spec: &ExtAuthzSpec, name: &[u8]) -> bool {
    let is_in = |list: &Option<ListStringMatcher>| {
        let matches = |list: &ListStringMatcher| list.matches(name);
        list.as_ref().is_some_and(matches)
    };
    (name == names::AUTHORIZATION.as_str().as_bytes() || is_in(&spec.allowed_headers))
        && !is_in(&spec.disallowed_headers)
}

/// Whether a header says where a message goes, or where it begins and ends: those are neither sent
/// to a service nor taken from it.
pub(super) fn is_message_framing(name: &[u8]) -> bool {
    name.starts_with(b":")
        || matches!(
            name,
            b"connection"
                | b"content-length"
                | b"expect"
                | b"keep-alive"
                | b"proxy-connection"
                | b"te"
                | b"trailer"
                | b"transfer-encoding"
                | b"upgrade"
        )
}

/// All lines of a header as one, in UTF-8: what upstream sees must not be hidden in a second line,
/// nor in bytes that the service would not read.
fn joined(request: &HeaderMap, name: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for (index, value) in request.get_all(name).enumerate() {
        if index > 0 {
            text.push(b',');
        }
        for chunk in value.utf8_chunks() {
            text.extend_from_slice(chunk.valid().as_bytes());
            text.extend(chunk.invalid().iter().map(|_| b'!'));
        }
    }
    text
}
