//! `envoy.config.route.v3.RedirectAction`: where a client is sent instead.

use crate::rewrite::PathRewrite;
use nuncio_base::header_map::HeaderMap;
use nuncio_base::header_name::names;

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
    /// It is rewritten, or stays.
    Rewrite(PathRewrite),
}

impl Redirect {
    /// Appends the value of `location` for a request whose path was rewritten already
    /// ([`RedirectPath::Rewrite`] is applied to the request's headers first, as in Envoy, where
    /// logs show the new path).
    pub fn append_location(&self, headers: &HeaderMap, out: &mut Vec<u8>) {
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
        self.append_path(header(names::PATH), out);
    }

    fn append_path(&self, target: &[u8], out: &mut Vec<u8>) {
        let query_at = |text: &[u8]| text.iter().position(|byte| *byte == b'?');
        let old_query = query_at(target).unwrap_or(target.len());
        match &self.path {
            RedirectPath::Whole(path) if query_at(path.as_bytes()).is_some() => {
                out.extend_from_slice(path.as_bytes());
                return;
            }
            RedirectPath::Whole(path) => out.extend_from_slice(path.as_bytes()),
            RedirectPath::Rewrite(_) => out.extend_from_slice(&target[..old_query]),
        }
        if !self.strip_query {
            out.extend_from_slice(&target[old_query..]);
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
