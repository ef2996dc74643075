//! The filter on one stream.

use nuncio_base::runtime_flags::RuntimeFraction;
use nuncio_base::{HeaderMap, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, HeadersStatus, Hooks, HttpFilter, LocalReply};
use nuncio_matching::StringMatcher;
use nuncio_stats::{Group, stat_group};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

stat_group! {
    /// `http.<stat_prefix>.csrf.*`
    pub struct CsrfStats {
        counters { missing_source_origin, request_invalid, request_valid }
    }
}

/// What is refused, for the filter or a route.
#[derive(Debug)]
pub struct CsrfPolicy {
    /// For what share of requests it is enforced.
    pub enabled: RuntimeFraction,
    /// For what share of the others it is only counted.
    pub shadow: Option<RuntimeFraction>,
    /// Origins that are as good as the host itself.
    pub additional_origins: Vec<StringMatcher>,
}

/// The filter's configuration.
pub struct CsrfSpec {
    /// The policy where the route has none.
    pub policy: Arc<CsrfPolicy>,
    /// What is counted.
    pub stats: Group<CsrfStats>,
}

impl HttpFilterSpec for CsrfSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(LocalCsrf {
            policy: Arc::clone(&self.policy),
            stats: self.stats.local(),
        })))
    }
}

struct LocalCsrf {
    policy: Arc<CsrfPolicy>,
    stats: CsrfStats,
}

impl HttpFilterFactory for LocalCsrf {
    type Filter = CsrfFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS
    }

    fn create(self: &Rc<Self>) -> CsrfFilter {
        CsrfFilter(Rc::clone(self))
    }
}

/// The filter.
pub struct CsrfFilter(Rc<LocalCsrf>);

impl HttpFilter for CsrfFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let method = cx.request_headers_ref().get(names::METHOD);
        if !matches!(method, Some(b"POST" | b"PUT" | b"DELETE" | b"PATCH")) {
            return HeadersStatus::Continue;
        }
        let of_route = cx.route_spec::<CsrfPolicy>();
        let policy = of_route.as_ref().unwrap_or(&self.0.policy);
        let worker = cx.worker();
        let holds = |share: &RuntimeFraction| share.current(&worker.flags()).holds(worker.random());
        let enforced = holds(&policy.enabled);
        if !enforced && !policy.shadow.as_ref().is_some_and(holds) {
            return HeadersStatus::Continue;
        }
        let headers = cx.request_headers_ref();
        let stats = &self.0.stats;
        let valid = match source_origin(headers) {
            None => {
                stats.missing_source_origin().inc();
                false
            }
            Some(source) if is_known(source, headers, policy) => {
                stats.request_valid().inc();
                true
            }
            Some(_) => {
                stats.request_invalid().inc();
                false
            }
        };
        if valid || !enforced {
            return HeadersStatus::Continue;
        }
        let reply = LocalReply::new(403, "Invalid origin", "csrf_origin_mismatch");
        cx.local_reply(reply);
        HeadersStatus::StopIteration
    }
}

fn is_known(source: &[u8], headers: &HeaderMap, policy: &CsrfPolicy) -> bool {
    let own = headers.get(names::AUTHORITY).unwrap_or_default();
    source == host_and_port(own)
        || policy
            .additional_origins
            .iter()
            .any(|origin| origin.matches(source))
}

/// Who sent the client here.
fn source_origin(headers: &HeaderMap) -> Option<&[u8]> {
    let origin = headers
        .get(names::ORIGIN)
        .filter(|origin| *origin != b"null");
    [origin, headers.get(names::REFERER)]
        .into_iter()
        .flatten()
        .map(host_and_port)
        .find(|source| !source.is_empty())
}

/// The authority of an absolute URL; what is none is taken as it is.
fn host_and_port(url: &[u8]) -> &[u8] {
    let scheme_end = url.windows(3).position(|three| three == b"://");
    let Some(start) = scheme_end else {
        return url;
    };
    let rest = &url[start + 3..];
    let end = rest.iter().position(|byte| b"/?#".contains(byte));
    &rest[..end.unwrap_or(rest.len())]
}
