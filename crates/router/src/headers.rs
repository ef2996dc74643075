//! What a route does to heads: rewrites and header mutations of requests, and the replies that
//! routes hold themselves.

use nuncio_base::{HeaderMap, names};
use nuncio_http::format_cx::with_headers;
use nuncio_http::route_headers::finalize_response;
use nuncio_http::{Cx, LocalReply};
use nuncio_matching::path::without_query;
use nuncio_observe::{FormatCx, Formatter};
use nuncio_route::mutation::Scratch;
use nuncio_route::{DirectResponse, Redirect, Selected};
use nuncio_stream_info::StreamInfo;
use nuncio_worker::Worker;
use std::rc::Rc;

/// Makes a request what the route says upstream should get.
pub(crate) fn finalize_request(
    headers: &mut HeaderMap,
    info: &StreamInfo,
    worker: &Rc<Worker>,
    selected: Selected<'_>,
    keep_original: bool,
    scratch: &mut Scratch,
) {
    for mutations in selected.request_mutations() {
        mutations.apply(headers, scratch, |formatter, headers, out| {
            format_request(info, worker, headers, formatter, out);
        });
    }
    let Some(action) = selected.action() else {
        return;
    };
    let format = |formatter: &Formatter, headers: &HeaderMap, out: &mut Vec<u8>| {
        format_request(info, worker, headers, formatter, out);
    };
    if let Some(literal) = selected
        .weighted
        .and_then(|w| w.host_rewrite_literal.as_deref())
    {
        // Envoy keeps no original of this one, and lets the route rewrite it again.
        headers.set(names::AUTHORITY, literal);
    }
    action.host_rewrite.apply(
        headers,
        action.append_x_forwarded_host,
        keep_original,
        format,
    );
    if !action.path_rewrite.is_keep() {
        let matched = matched_len(selected, headers);
        action
            .path_rewrite
            .apply(headers, matched, keep_original, format);
    }
}

/// The header without which there is no request, if a filter has removed one.
pub(crate) fn missing(headers: &HeaderMap) -> Option<&'static str> {
    let method = headers.get(names::METHOD);
    let required = match method {
        None => return Some(names::METHOD.as_str()),
        Some(b"CONNECT") if !headers.contains(names::PROTOCOL) => names::AUTHORITY,
        Some(_) => names::PATH,
    };
    (!headers.contains(required)).then(|| required.as_str())
}

/// How much of the path the route's matcher stands for: what a prefix rewrite replaces.
fn matched_len(selected: Selected<'_>, headers: &HeaderMap) -> usize {
    let target = headers.get(names::PATH).unwrap_or_default();
    selected
        .route
        .matcher
        .path
        .matched_len(without_query(target))
}

fn format_request(
    info: &StreamInfo,
    worker: &Worker,
    headers: &HeaderMap,
    formatter: &Formatter,
    out: &mut Vec<u8>,
) {
    with_headers(worker, info, Some(headers), None, |cx| {
        formatter.append(cx, out)
    });
}

/// The reply of a route that redirects.
pub(crate) fn redirect(cx: &mut Cx<'_>, selected: Selected<'_>, redirect: &Redirect) -> LocalReply {
    let worker = Rc::clone(cx.worker());
    let (headers, info) = cx.request_and_info();
    let matched = matched_len(selected, headers);
    redirect.rewrite_path(headers, matched, true);
    let mut location = Vec::new();
    let format = |formatter: &Formatter, headers: &HeaderMap, out: &mut Vec<u8>| {
        format_request(info, &worker, headers, formatter, out);
    };
    redirect.append_location(headers, format, &mut location);
    let reply = LocalReply::new(redirect.status, "", "direct_response");
    with_route_headers(cx, reply.header(names::LOCATION, location))
}

/// The reply of a route that answers by itself.
pub(crate) fn direct_response(
    cx: &mut Cx<'_>,
    _selected: Selected<'_>,
    direct: &DirectResponse,
) -> LocalReply {
    let reply = match &direct.format {
        None => LocalReply::new(direct.status, direct.body.clone(), "direct_response"),
        Some(format) => {
            let worker = Rc::clone(cx.worker());
            let (headers, info) = cx.request_and_info();
            let text = String::from_utf8_lossy(&direct.body);
            let mut body = Vec::new();
            with_headers(&worker, info, Some(headers), None, |cx| {
                let cx = FormatCx {
                    local_reply_body: &text,
                    ..*cx
                };
                format.formatter.append(&cx, &mut body);
            });
            LocalReply::new(direct.status, body, "direct_response")
                .header(names::CONTENT_TYPE, format.content_type.as_bytes())
        }
    };
    let reply = match direct.status {
        // These have a location (RFC 9110 section 15.3.2): the request's own.
        201 | 300..=399 => reply.header(names::LOCATION, own_location(cx.request_headers_ref())),
        _ => reply,
    };
    with_route_headers(cx, reply)
}

fn own_location(headers: &HeaderMap) -> Vec<u8> {
    let part = |name| headers.get(name).unwrap_or_default();
    [
        part(names::SCHEME),
        b"://",
        part(names::AUTHORITY),
        part(names::PATH),
    ]
    .concat()
}

/// Adds what the route's response mutations make of an empty head.
fn with_route_headers(cx: &mut Cx<'_>, mut reply: LocalReply) -> LocalReply {
    cx.info().response_code_details = Some(reply.details.clone());
    let mut head = HeaderMap::new();
    for (name, value) in &reply.headers {
        head.append(name, value);
    }
    finalize_response(cx.state(), &mut head, &mut Scratch::default());
    reply.headers = head
        .iter()
        .map(|(name, value)| {
            let name = nuncio_base::HeaderName::new(&String::from_utf8_lossy(name));
            (name, value.to_vec())
        })
        .collect();
    reply
}
