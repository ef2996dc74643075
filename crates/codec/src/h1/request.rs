//! A request's head, once its lines are read: framing, target and what else must hold.

use super::body::Body;
use super::connection_header::{
    asks_to_close, is_upgrade, remove_ignored_upgrades, remove_nominated,
};
use super::error::H1Error;
use super::head::{Head, Start, part};
use super::settings::H1Settings;
use super::start_line::{RequestLine, Version};
use super::target::Absolute;
use crate::chars::{is_authority, number};
use nuncio_base::header_map::Part;
use nuncio_base::{HeaderMap, names};

/// What the codec must remember of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct RequestFacts {
    pub is_http10: bool,
    pub is_head: bool,
    pub is_connect: bool,
    /// It asks for another protocol, and its body is that protocol's bytes.
    pub is_upgrade: bool,
    /// The client wants the connection closed behind the response.
    pub closes: bool,
    pub expects_continue: bool,
}

/// Checks the head, in Envoy's order, and adds the pseudo-headers: `:authority` (of `host`),
/// `:path`, `:method`, and `:scheme` where the target has one.
pub(super) fn finish(
    head: &mut Head,
    settings: &H1Settings,
    input: &[u8],
) -> Result<(RequestFacts, Body), H1Error> {
    let Head {
        map,
        start: Start::Request(Some(line)),
        block,
        ..
    } = head
    else {
        return Err(H1Error::INVALID_METHOD);
    };
    let place = |range: &std::ops::Range<usize>| {
        let bytes = input.get(range.clone()).unwrap_or_default();
        part(*block, bytes, range.start)
    };
    let (method_part, target) = (place(&line.method), place(&line.target));
    let method = method_part.bytes;
    let mut facts = RequestFacts {
        is_http10: line.version != Version::Http11,
        is_head: method == b"HEAD",
        is_connect: method == b"CONNECT",
        ..RequestFacts::default()
    };
    if map.contains(names::UPGRADE) {
        if is_upgrade(map) {
            remove_ignored_upgrades(map, &settings.ignore_http_11_upgrade);
        }
        facts.is_upgrade = is_upgrade(map);
    }
    let body = framing(map, settings, facts)?;
    check_version(line, settings, map)?;
    if map.contains(names::CONNECTION) || facts.is_http10 || map.contains(names::PROXY_CONNECTION) {
        facts.closes = asks_to_close(map, facts.is_http10);
        if !facts.is_upgrade && !facts.is_connect {
            remove_nominated(map)?;
        }
    }
    if map.contains(names::EXPECT) {
        let expect = map.get(names::EXPECT).unwrap_or_default();
        facts.expects_continue = expect.eq_ignore_ascii_case(b"100-continue");
    }
    set_target(map, settings, method, target)?;
    if facts.is_http10
        && !settings.default_host_for_http_10.is_empty()
        && !map.contains(names::AUTHORITY)
    {
        let host = settings.default_host_for_http_10.as_bytes();
        map.append(names::AUTHORITY, host);
    }
    map.append_part(names::METHOD, method_part);
    match map.get(names::AUTHORITY) {
        // Whose target has no authority, has an empty `host` (RFC 9112 section 3.2).
        Some(authority) if !authority.is_empty() && !is_authority(authority) => {
            Err(H1Error::INVALID_AUTHORITY)
        }
        _ => Ok((facts, body)),
    }
}

/// Where the body ends (RFC 9112 section 6.3).
fn framing(
    map: &mut HeaderMap,
    settings: &H1Settings,
    facts: RequestFacts,
) -> Result<Body, H1Error> {
    let coding = map.get(names::TRANSFER_ENCODING);
    let has_coding = coding.is_some();
    let is_chunked = coding.is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    let drops_length = settings.allow_chunked_length && is_chunked;
    if has_coding && !drops_length && !facts.is_connect && map.contains(names::CONTENT_LENGTH) {
        return Err(H1Error::CHUNKED_AND_LENGTH);
    }
    let length = content_length(map)?;
    if facts.is_connect && length.is_some_and(|length| length > 0) {
        return Err(H1Error::BODY_DISALLOWED);
    }
    if has_coding {
        if !is_chunked || facts.is_connect {
            return Err(H1Error::INVALID_TRANSFER_ENCODING);
        }
        map.remove(names::CONTENT_LENGTH);
    }
    if facts.is_connect {
        map.remove(names::CONTENT_LENGTH);
        return Ok(Body::Opaque);
    }
    if facts.is_upgrade {
        return Ok(Body::Opaque);
    }
    Ok(match (has_coding, length) {
        (true, _) => Body::chunked(),
        (false, Some(length)) if length > 0 => Body::Length(length),
        (false, _) => Body::None,
    })
}

/// The value of content-length, if there is one; an error if it is no number.
pub(super) fn content_length(map: &HeaderMap) -> Result<Option<u64>, H1Error> {
    if !map.contains(names::CONTENT_LENGTH) {
        return Ok(None);
    }
    map.get(names::CONTENT_LENGTH)
        .and_then(number)
        .map(Some)
        .ok_or(H1Error::INVALID_CONTENT_LENGTH)
}

/// HTTP/1.1 always, HTTP/1.0 where it is accepted.
fn check_version(
    line: &RequestLine,
    settings: &H1Settings,
    map: &HeaderMap,
) -> Result<(), H1Error> {
    match line.version {
        Version::Http11 => Ok(()),
        Version::Http10 if settings.accept_http_10 => {
            // Such a message's framing cannot be trusted (RFC 9112 section 6.1).
            if map.contains(names::TRANSFER_ENCODING) {
                return Err(H1Error::TRANSFER_ENCODING_NOT_ALLOWED);
            }
            Ok(())
        }
        Version::Http10 | Version::Other => Err(H1Error::LOW_VERSION),
    }
}

fn set_target(
    map: &mut HeaderMap,
    settings: &H1Settings,
    method: &[u8],
    target_part: Part<'_>,
) -> Result<(), H1Error> {
    let target = target_part.bytes;
    if method == b"CONNECT" {
        let absolute = Absolute::parse_connect(target)?;
        map.set(names::AUTHORITY, absolute.authority);
        return Ok(());
    }
    if target.starts_with(b"/") || (target == b"*" && method == b"OPTIONS") {
        map.append_part(names::PATH, target_part);
        return Ok(());
    }
    if target.starts_with(b"*") {
        return Err(H1Error::INVALID_URL);
    }
    if !settings.allow_absolute_url {
        map.append_part(names::PATH, target_part);
        return Ok(());
    }
    let absolute = Absolute::parse(target)?;
    // The target counts, not the Host header (RFC 9112 section 3.2.2).
    map.set(names::AUTHORITY, absolute.authority);
    let path = if absolute.path.is_empty() {
        b"/"
    } else {
        absolute.path
    };
    map.append(names::PATH, path);
    if let Some(scheme) = absolute.scheme {
        map.append(names::SCHEME, scheme.as_bytes());
    }
    Ok(())
}
