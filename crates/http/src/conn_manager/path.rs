//! Paths and hosts made canonical before routes see them: dot segments, slashes, escapes, ports
//! (Envoy's `PathUtil` and `Utility::HostAndPort`; RFC 3986 section 6.2.2).

use crate::conn_manager::local::HcmLocal;
use crate::conn_manager::spec::{EscapedSlashes, HcmSpec, StripPort};
use crate::local_reply::LocalReply;
use nuncio_base::{HeaderMap, names};
use nuncio_stream_info::ConnectionInfo;

/// Removes the port and the trailing dot of the host, as configured.
pub(super) fn strip_host(spec: &HcmSpec, connection: &ConnectionInfo, headers: &mut HeaderMap) {
    if spec.strip_port == StripPort::No && !spec.strip_trailing_dot {
        return;
    }
    let Some(host) = headers.get(names::AUTHORITY) else {
        return;
    };
    let (name, port) = split_port(host);
    let mut kept = host;
    let strips = match (spec.strip_port, port) {
        (StripPort::No, _) | (_, None) => false,
        (StripPort::Any, Some(_)) => true,
        (StripPort::Matching, Some(port)) => connection
            .local_address
            .ip()
            .is_some_and(|local| local.port() == port),
    };
    let is_connect = headers.get(names::METHOD) == Some(b"CONNECT");
    if strips && (spec.strip_port == StripPort::Any || !is_connect) {
        kept = name;
    }
    let mut stripped = kept.to_vec();
    if spec.strip_trailing_dot {
        let (name, _) = split_port(&stripped);
        if let Some(without) = name.strip_suffix(b".") {
            stripped.remove(without.len());
        }
    }
    if stripped.as_slice() != host {
        headers.set(names::AUTHORITY, &stripped);
    }
}

/// A host and its port, where it has one.
fn split_port(host: &[u8]) -> (&[u8], Option<u16>) {
    let after_bracket = host
        .iter()
        .rposition(|byte| *byte == b']')
        .map_or(0, |at| at + 1);
    let Some(colon) = host[after_bracket..].iter().rposition(|byte| *byte == b':') else {
        return (host, None);
    };
    let (name, port) = (
        &host[..after_bracket + colon],
        &host[after_bracket + colon + 1..],
    );
    let port = std::str::from_utf8(port)
        .ok()
        .and_then(|text| text.parse().ok());
    if port.is_some() {
        (name, port)
    } else {
        (host, None)
    }
}

/// Makes the path canonical, as configured.
///
/// # Errors
/// 400 for a path that can't be, and the redirect that `UnescapeAndRedirect` asks for.
pub(super) fn normalize(local: &HcmLocal, headers: &mut HeaderMap) -> Result<(), LocalReply> {
    let spec = &local.spec;
    let Some(path) = headers.get(names::PATH) else {
        return Ok(());
    };
    if path.contains(&b'#') {
        local.stats.downstream_rq_failed_path_normalization().inc();
        return Err(LocalReply::new(400, "", "path_normalization_failed"));
    }
    if !spec.normalize_path && !spec.merge_slashes && spec.escaped_slashes == EscapedSlashes::Keep {
        return Ok(());
    }
    let rejected = || LocalReply::new(400, "", "path_normalization_failed");
    let (path, query) = split_query(path);
    let mut path = path.to_vec();
    let mut redirect = false;
    if spec.escaped_slashes != EscapedSlashes::Keep && has_escaped_slash(&path) {
        match spec.escaped_slashes {
            EscapedSlashes::Reject => {
                local.stats.downstream_rq_failed_path_normalization().inc();
                return Err(rejected());
            }
            EscapedSlashes::UnescapeAndRedirect => redirect = true,
            EscapedSlashes::UnescapeAndForward | EscapedSlashes::Keep => {}
        }
        path = unescape_slashes(&path);
    }
    if spec.normalize_path {
        let Some(canonical) = canonicalize(&path) else {
            local.stats.downstream_rq_failed_path_normalization().inc();
            return Err(rejected());
        };
        path = canonical;
    }
    if spec.merge_slashes {
        path = merge_slashes(&path);
    }
    path.extend_from_slice(query);
    headers.set(names::PATH, &path);
    if redirect {
        local
            .stats
            .downstream_rq_redirected_with_normalized_path()
            .inc();
        let reply = LocalReply::new(307, "", "path_normalization_failed");
        return Err(reply.header(names::LOCATION, path));
    }
    Ok(())
}

fn split_query(path: &[u8]) -> (&[u8], &[u8]) {
    let at = path
        .iter()
        .position(|byte| *byte == b'?')
        .unwrap_or(path.len());
    path.split_at(at)
}

fn escape_at(path: &[u8], at: usize) -> Option<u8> {
    let hex = |byte: &u8| (*byte as char).to_digit(16);
    match path.get(at..at + 3)? {
        [b'%', high, low] => Some((hex(high)? * 16 + hex(low)?) as u8),
        _ => None,
    }
}

fn has_escaped_slash(path: &[u8]) -> bool {
    (0..path.len()).any(|at| matches!(escape_at(path, at), Some(b'/' | b'\\')))
}

fn unescape_slashes(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut at = 0;
    while at < path.len() {
        match escape_at(path, at) {
            Some(slash @ (b'/' | b'\\')) => {
                out.push(slash);
                at += 3;
            }
            _ => {
                out.push(path[at]);
                at += 1;
            }
        }
    }
    out
}

fn merge_slashes(path: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    for byte in path {
        if *byte != b'/' || out.last() != Some(&b'/') {
            out.push(*byte);
        }
    }
    out
}

/// Resolves dot segments (escaped ones too, and those with parameters), turns backslashes into
/// slashes, unescapes unreserved characters. `None` where an escape is broken or a byte can't stand
/// in a path.
pub fn canonicalize(path: &[u8]) -> Option<Vec<u8>> {
    if path.first() != Some(&b'/') {
        return None;
    }
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    let plain = unescape_unreserved(path)?;
    let mut segments = plain[1..].split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        // Servers that ignore parameters resolve `..;x` too. Envoy lets escaped dots before them
        // pass, which another server would resolve.
        let name = segment.split(|byte| *byte == b';').next();
        match name.unwrap_or_default() {
            name @ (b"." | b"..") => {
                if name == b".." {
                    let parent = out.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                    out.truncate(parent);
                }
                if last {
                    out.push(b'/');
                }
            }
            _ => {
                out.push(b'/');
                out.extend_from_slice(segment);
            }
        }
    }
    Some(out)
}

fn unescape_unreserved(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut at = 0;
    while at < path.len() {
        match path[at] {
            b'%' => {
                let byte = escape_at(path, at);
                match byte {
                    Some(0) => return None,
                    Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                        out.push(byte);
                        at += 3;
                        continue;
                    }
                    Some(_) | None => out.push(b'%'),
                }
            }
            b'\\' => out.push(b'/'),
            0 => return None,
            byte => out.push(byte),
        }
        at += 1;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_canonical() {
        for (path, expected) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/../../a", "/a"),
            ("/a/%2e%2E/b", "/b"),
            ("/%41%7e%2F", "/A~%2F"),
            ("/a\\b", "/a/b"),
            ("/a/..;/b", "/b"),
            ("/a;x/..;y;z/b;c", "/b;c"),
            ("/a/b/..;x", "/a/"),
            ("/a/.;x/b", "/a/b"),
            ("/a/...;/b", "/a/...;/b"),
            ("/a/%2e%2e;x/b", "/b"),
            ("/a\\..;x/b", "/b"),
            ("/a/..%3b/b", "/a/..%3b/b"),
            ("/a//b", "/a//b"),
            ("/a%zz", "/a%zz"),
        ] {
            let canonical = canonicalize(path.as_bytes()).map(|p| String::from_utf8(p).unwrap());
            assert_eq!(canonical.as_deref(), Some(expected), "{path}");
        }
        assert_eq!(canonicalize(b"a"), None);
        assert_eq!(canonicalize(b"/%00"), None);
    }

    #[test]
    fn slashes_are_merged_and_unescaped() {
        assert_eq!(merge_slashes(b"//a///b/"), b"/a/b/");
        assert_eq!(unescape_slashes(b"/a%2fb%5Cc%2"), b"/a/b\\c%2");
        assert!(has_escaped_slash(b"/%2F") && !has_escaped_slash(b"/%2"));
    }

    #[test]
    fn ports_are_split_off() {
        for (host, name, port) in [
            ("a:80", "a", Some(80)),
            ("a", "a", None),
            ("[::1]:80", "[::1]", Some(80)),
            ("[::1]", "[::1]", None),
            ("a:x", "a:x", None),
            ("a:99999", "a:99999", None),
        ] {
            assert_eq!(
                split_port(host.as_bytes()),
                (name.as_bytes(), port),
                "{host}"
            );
        }
    }
}
