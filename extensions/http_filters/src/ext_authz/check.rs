//! What a service is asked: the check's head, made of the request's.

use super::settings::{ExtAuthzSpec, HttpService, ServicePath};
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_http::{Cx, Direction};
use nuncio_matching::ListStringMatcher;
use nuncio_upstream::{ClusterManager, LocalCluster};
use std::rc::Rc;

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

/// The headers that a gRPC service gets: those that are allowed, all where nothing says which.
pub(super) fn sent_headers(spec: &ExtAuthzSpec, request: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let is_in = |list: &Option<ListStringMatcher>, name: &[u8], default| {
        let matches = |list: &ListStringMatcher| list.matches(name);
        list.as_ref().map_or(default, matches)
    };
    let mut sent = Vec::<(String, Vec<u8>)>::new();
    for (name, value) in request.iter() {
        let allowed = is_in(&spec.allowed_headers, name, true)
            && !is_in(&spec.disallowed_headers, name, false);
        let text = String::from_utf8_lossy(name);
        if !allowed {
            continue;
        }
        if spec.encode_raw_headers {
            sent.push((text.into_owned(), value.to_vec()));
        } else if !sent.iter().any(|(other, _)| *other == text) {
            sent.push((text.into_owned(), joined(request, name)));
        }
    }
    sent
}

/// The body that was gathered, up to `max_bytes`, and whether it is the beginning only.
pub(super) fn gathered(cx: &mut Cx<'_>, last: Option<&Buffer>, max_bytes: usize) -> (Buffer, bool) {
    let mut body = cx.buffered(Direction::Request).clone();
    if let Some(last) = last {
        body.append(&mut last.clone());
    }
    let partial = body.len() > max_bytes;
    let mut body = body.split_to(body.len().min(max_bytes));
    // What is kept of the body must not pin the memory it was read into.
    body.compact();
    (body, partial)
}

/// The cluster that the request itself goes to.
pub(super) fn request_cluster(
    cx: &mut Cx<'_>,
    clusters: &ClusterManager,
) -> Option<Rc<LocalCluster>> {
    cx.lookup_route();
    let state = cx.state();
    let name = state
        .route
        .selected()?
        .cluster_name(&state.request.headers)?;
    clusters.get(std::str::from_utf8(name).ok()?)
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
