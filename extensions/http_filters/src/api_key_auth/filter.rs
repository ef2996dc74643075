//! The filter on one stream.

use nuncio_base::{HeaderMap, HeaderName, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, HeadersStatus, Hooks, HttpFilter, LocalReply};
use nuncio_matching::cookie::first_cookie;
use nuncio_matching::path::split_path;
use nuncio_matching::query::first_value;
use nuncio_stats::{Group, stat_group};
use nuncio_worker::Worker;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

/// The scheme that may stand before a key in a header.
const BEARER: &[u8] = b"Bearer ";

stat_group! {
    /// `http.<stat_prefix>.api_key_auth.*`
    pub struct ApiKeyAuthStats {
        counters { allowed, forbidden, unauthorized }
    }
}

/// The clients by their keys.
#[derive(Debug, Default)]
pub struct Credentials(pub HashMap<Vec<u8>, Arc<str>>);

/// Where a key stands in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In a header, where `Bearer ` may stand before it.
    Header(HeaderName),
    /// In a query parameter.
    Query(Vec<u8>),
    /// In a cookie.
    Cookie(Vec<u8>),
}

/// What the upstream sees.
#[derive(Clone, Debug, Default)]
pub struct Forwarding {
    /// The header that gets the client's name.
    pub header: Option<HeaderName>,
    /// Whether keys are taken out of the request.
    pub hide_credentials: bool,
}

/// The settings of the filter, or of a route.
#[derive(Debug)]
pub struct Settings {
    /// Keys; at a route none means the filter's.
    pub credentials: Credentials,
    /// Where keys are looked for, the first that there is counts; likewise.
    pub sources: Vec<KeySource>,
    /// The clients that may pass; none means all.
    pub allowed_clients: HashSet<String>,
    /// What the upstream sees.
    pub forwarding: Forwarding,
}

/// The filter's configuration.
pub struct ApiKeyAuthSpec {
    /// The settings.
    pub settings: Arc<Settings>,
    /// What is counted.
    pub stats: Group<ApiKeyAuthStats>,
}

impl HttpFilterSpec for ApiKeyAuthSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(LocalApiKeyAuth {
            settings: Arc::clone(&self.settings),
            stats: self.stats.local(),
        })))
    }
}

struct LocalApiKeyAuth {
    settings: Arc<Settings>,
    stats: ApiKeyAuthStats,
}

impl HttpFilterFactory for LocalApiKeyAuth {
    type Filter = ApiKeyAuthFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS
    }

    fn create(self: &Rc<Self>) -> ApiKeyAuthFilter {
        ApiKeyAuthFilter(Rc::clone(self))
    }
}

/// The filter.
pub struct ApiKeyAuthFilter(Rc<LocalApiKeyAuth>);

impl HttpFilter for ApiKeyAuthFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let LocalApiKeyAuth { settings, stats } = &*self.0;
        let of_route = cx.route_spec::<Settings>();
        let own: &Settings = of_route.as_ref().unwrap_or(settings);
        let credentials = match own.credentials.0.is_empty() {
            true => &settings.credentials,
            false => &own.credentials,
        };
        let sources = match own.sources.is_empty() {
            true => &settings.sources,
            false => &own.sources,
        };
        let headers = cx.request_headers_ref();
        let key = sources.iter().find_map(|source| source.key(headers));
        let client = key.and_then(|key| credentials.0.get(key));
        let Some(client) = client else {
            stats.unauthorized().inc();
            let details = match key {
                None => "missing_api_key",
                Some(_) => "unknown_api_key",
            };
            let reply = LocalReply::new(401, "Client authentication failed.", details);
            cx.local_reply(reply);
            return HeadersStatus::StopIteration;
        };
        if !own.allowed_clients.is_empty() && !own.allowed_clients.contains(&**client) {
            stats.forbidden().inc();
            let reply = LocalReply::new(403, "Client is forbidden.", "client_not_allowed");
            cx.local_reply(reply);
            return HeadersStatus::StopIteration;
        }
        stats.allowed().inc();
        let headers = cx.request_headers();
        if own.forwarding.hide_credentials {
            sources.iter().for_each(|source| source.hide(headers));
        }
        if let Some(header) = &own.forwarding.header {
            headers.set(header, client.as_bytes());
        }
        HeadersStatus::Continue
    }
}

impl KeySource {
    fn key<'a>(&self, headers: &'a HeaderMap) -> Option<&'a [u8]> {
        let key = match self {
            Self::Header(name) => {
                let value = headers.get(name)?;
                value.strip_prefix(BEARER).unwrap_or(value)
            }
            Self::Query(name) => first_value(headers.get(names::PATH)?, name)?,
            Self::Cookie(name) => first_cookie(headers, name)?,
        };
        Some(key).filter(|key| !key.is_empty())
    }

    /// Takes what stands here out of the request.
    fn hide(&self, headers: &mut HeaderMap) {
        match self {
            Self::Header(name) => {
                headers.remove(name);
            }
            Self::Query(name) => {
                let path = headers.get(names::PATH).unwrap_or_default();
                if first_value(path, name).is_some() {
                    let path = without_parameter(path, name);
                    headers.set(names::PATH, &path);
                }
            }
            Self::Cookie(name) => {
                if first_cookie(headers, name).is_some() {
                    hide_cookie(headers, name);
                }
            }
        }
    }
}

fn without_parameter(target: &[u8], name: &[u8]) -> Vec<u8> {
    let (path, query) = split_path(target);
    let mut out = path.to_vec();
    let query = query.get(1..).unwrap_or_default();
    let kept = query.split(|byte| *byte == b'&').filter(|parameter| {
        let end = parameter.iter().position(|byte| *byte == b'=');
        &parameter[..end.unwrap_or(parameter.len())] != name
    });
    for (at, parameter) in kept.enumerate() {
        out.push(if at == 0 { b'?' } else { b'&' });
        out.extend_from_slice(parameter);
    }
    out
}

/// The other cookies stay, in one header.
fn hide_cookie(headers: &mut HeaderMap, name: &[u8]) {
    let mut kept = Vec::new();
    for line in headers.get_all(names::COOKIE) {
        for cookie in line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
            let end = cookie.iter().position(|byte| *byte == b'=');
            if &cookie[..end.unwrap_or(cookie.len())] == name {
                continue;
            }
            if !kept.is_empty() {
                kept.extend_from_slice(b"; ");
            }
            kept.extend_from_slice(cookie);
        }
    }
    match kept.is_empty() {
        true => {
            headers.remove(names::COOKIE);
        }
        false => headers.set(names::COOKIE, &kept),
    }
}
