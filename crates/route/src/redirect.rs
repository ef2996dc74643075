//! `envoy.config.route.v3.RedirectAction`: where a client is sent instead.

use crate::rewrite::PathRewrite;
use nuncio_base::header_map::HeaderMap;
use nuncio_base::header_name::names;
use nuncio_observe::Formatter;
use std::sync::Arc;

/// A redirect. Each part says what becomes of that part of the request's URL.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// The status: 301, 302, 303, 307 or 308.
    pub status: u16,
    /// The new scheme (`https` for `https_redirect`), empty: the request's.
    pub scheme: Box<str>,
    /// The new host, empty: the request's.
    pub host: Box<str>,
    /// The new port, 0: the request's, or none with a new host.
    pub port: u32,
    /// The new path.
    pub path: RedirectPath,
    /// Whether the query goes; one in a new path stays.
    pub strip_query: bool,
}

/// What becomes of the path.
#[derive(Clone, Debug)]
pub enum RedirectPath {
    /// It becomes this; where this has a query, that takes the place of the request's.
    Whole(Box<str>),
    /// It becomes what a format makes of the request, if that is anything; a query in it as
    /// above.
    Format(Arc<Formatter>),
    /// It is rewritten, or stays. The request's own path is changed for that, as in Envoy, where
    /// logs show the new one: see [`Redirect::rewrite_path`].
    Rewrite(PathRewrite),
}

impl Redirect {
    /// Changes the request's path before `location` is built from it. `matched`: how many bytes
    /// of the path the route matched.
    pub fn rewrite_path(&self, headers: &mut HeaderMap, matched: usize, keep_original: bool) {
        if let RedirectPath::Rewrite(rewrite) = &self.path {
            // A redirect's formats are no rewrites.
            rewrite.apply(headers, matched, keep_original, |_, _, _| {});
        }
    }

    /// Appends the value of `location` for a request whose path was rewritten already.
    pub fn append_location(
        &self,
        headers: &HeaderMap,
        format: impl FnOnce(&Formatter, &HeaderMap, &mut Vec<u8>),
        out: &mut Vec<u8>,
    ) {
        let header = |name| headers.get(name).unwrap_or_default();
        let scheme = match self.scheme.as_bytes() {
            b"" => header(names::SCHEME),
            scheme => scheme,
        };
        out.extend_from_slice(scheme);
        out.extend_from_slice(b"://");
        if self.host.is_empty() {
            let protocol = header(names::X_FORWARDED_PROTO);
            out.extend_from_slice(request_host(
                header(names::AUTHORITY),
                protocol,
                scheme,
                self.port != 0,
            ));
        } else {
            out.extend_from_slice(self.host.as_bytes());
        }
        if self.port != 0 {
            out.extend_from_slice(format!(":{}", self.port).as_bytes());
        }
        let target = header(names::PATH);
        match &self.path {
            RedirectPath::Whole(path) => self.append_path(path.as_bytes(), target, out),
            RedirectPath::Format(formatter) => {
                let mut path = Vec::new();
                format(formatter, headers, &mut path);
                self.append_path(&path, target, out);
            }
            RedirectPath::Rewrite(_) => self.append_path(b"", target, out),
        }
    }

    /// Appends the new path, or the request's where there is none.
    fn append_path(&self, path: &[u8], target: &[u8], out: &mut Vec<u8>) {
        let query_at = |text: &[u8]| text.iter().position(|byte| *byte == b'?');
        if query_at(path).is_some() {
            return out.extend_from_slice(path);
        }
        let (old_path, query) = target.split_at(query_at(target).unwrap_or(target.len()));
        out.extend_from_slice(if path.is_empty() { old_path } else { path });
        if !self.strip_query {
            out.extend_from_slice(query);
        }
    }
}

/// The request's host, without its port where that goes: a new port takes its place, or it is the
/// default port of a scheme that changes.
fn request_host<'a>(
    host: &'a [u8],
    protocol: &[u8],
    new_scheme: &[u8],
    has_new_port: bool,
) -> &'a [u8] {
    let colon = host.iter().rposition(|byte| *byte == b':');
    let Some(colon) = colon.filter(|at| !host.starts_with(b"[") || host[at - 1] == b']') else {
        return host;
    };
    let is_default = match protocol {
        b"https" => host[colon..] == *b":443",
        b"http" => host[colon..] == *b":80",
        _ => false,
    };
    if has_new_port || (new_scheme != protocol && is_default) {
        &host[..colon]
    } else {
        host
    }
}

/// Appends the value of `location` for a plain request to a virtual host that asks for TLS.
pub fn append_ssl_redirect(headers: &HeaderMap, out: &mut Vec<u8>) {
    out.extend_from_slice(b"https://");
    out.extend_from_slice(headers.get(names::AUTHORITY).unwrap_or_default());
    out.extend_from_slice(headers.get(names::PATH).unwrap_or_default());
}

#[cfg(test)]
#[path = "redirect_tests.rs"]
mod tests;
