//! Internal redirects: a redirect of the upstream's is followed here, by a request that begins
//! anew (Envoy's `Filter::setupRedirect`).

use crate::router::Router;
use nuncio_base::metadata::Value;
use nuncio_base::{HeaderMap, names};
use nuncio_codec::h1::H1Error;
use nuncio_codec::h1::target::Absolute;
use nuncio_http::Cx;
use nuncio_http::conn_manager::RouterStats;
use nuncio_route::internal_redirect::{InternalRedirectPolicy, RedirectPredicate};
use nuncio_route::{Lookup, RouteTable};
use nuncio_stream_info::filter_state::{FilterStateObject, LifeSpan};
use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Under this name the stream's filter state keeps what was followed.
const HISTORY: &str = "num_internal_redirects";

/// The redirects that a request has followed.
#[derive(Default)]
struct History(RefCell<Followed>);

#[derive(Default)]
struct Followed {
    count: u32,
    /// Pairs of routes' names: which one led to which.
    steps: Vec<(Arc<str>, Arc<str>)>,
}

impl FilterStateObject for History {
    fn as_text(&self) -> Option<String> {
        Some(self.0.borrow().count.to_string())
    }

    fn as_value(&self) -> Option<Value> {
        Some(Value::Number(self.0.borrow().count.into()))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn history(cx: &mut Cx<'_>) -> Rc<dyn FilterStateObject> {
    let state = &mut cx.info().filter_state;
    if let Some(history) = state.get(HISTORY) {
        return Rc::clone(history);
    }
    let history: Rc<dyn FilterStateObject> = Rc::new(History::default());
    state.set(HISTORY, LifeSpan::Request, Rc::clone(&history));
    history
}

/// Where a redirect leads.
struct Target<'a> {
    url: Absolute<'a>,
    is_http: bool,
    /// Whether the request came by plain HTTP.
    from_http: bool,
}

impl Router {
    /// Follows a redirect where the route says so; whether it did.
    pub(crate) fn follow_redirect(
        &mut self,
        cx: &mut Cx<'_>,
        response: &HeaderMap,
        status: u16,
    ) -> bool {
        let Some(table) = cx.state().route.table().cloned() else {
            return false;
        };
        let id = cx.state().route.id();
        let route = id.map(|id| table.selected(id));
        let Some((policy, name)) = route.and_then(|selected| {
            let policy = selected.action()?.internal_redirect.as_ref()?;
            Some((policy, &selected.route.name))
        }) else {
            return false;
        };
        if !policy.redirect_response_codes.contains(&status) {
            return false;
        }
        let followed = self.try_redirect(cx, response, status, policy, name);
        if let Some(cluster) = &self.cluster {
            let stats = cluster.stats();
            if followed {
                stats.upstream_internal_redirect_succeeded_total().inc();
            } else {
                stats.upstream_internal_redirect_failed_total().inc();
            }
        }
        if followed {
            let replay = self.replay.take().unwrap_or_default();
            let body = if status == 303 {
                nuncio_base::Buffer::new()
            } else {
                replay.body
            };
            cx.begin_anew(response.clone(), body);
        }
        followed
    }

    fn try_redirect(
        &mut self,
        cx: &mut Cx<'_>,
        response: &HeaderMap,
        status: u16,
        policy: &InternalRedirectPolicy,
        route: &Arc<str>,
    ) -> bool {
        // What is not kept can't be sent again.
        if !self.request_ended || self.replay.is_none() || !cx.can_begin_anew() {
            return false;
        }
        let Some(location) = response.get(names::LOCATION) else {
            return false;
        };
        if !cx.request_headers_ref().contains(names::PATH) {
            return false;
        }
        let stats = self.local.stats.clone();
        let url = match Absolute::parse(location) {
            Ok(url) => url,
            Err(H1Error::INVALID_SCHEME) => {
                stats.passthrough_internal_redirect_unsafe_scheme().inc();
                return false;
            }
            Err(_) => {
                stats.passthrough_internal_redirect_bad_location().inc();
                return false;
            }
        };
        let scheme = cx.request_headers_ref().get(names::SCHEME);
        let is_http = scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"http"));
        let target = Target {
            is_http: url.scheme == Some("http"),
            url,
            from_http: is_http || cx.info().connection.tls.is_none(),
        };
        if !policy.allow_cross_scheme_redirect && target.from_http != target.is_http {
            stats.passthrough_internal_redirect_unsafe_scheme().inc();
            return false;
        }
        let history = history(cx);
        let Some(History(followed)) = history.as_any().downcast_ref() else {
            return false;
        };
        if followed.borrow().count >= policy.max_internal_redirects {
            let stat = stats.passthrough_internal_redirect_too_many_redirects();
            stat.inc();
            return false;
        }
        let saved = cx.request_headers_ref().clone();
        let found = cx.state().route.found();
        rewrite(cx.request_headers(), response, policy, &target);
        if !accepts(cx, policy, &target, route, followed, &stats) {
            *cx.request_headers() = saved;
            cx.state().restore_route(found);
            return false;
        }
        followed.borrow_mut().count += 1;
        let headers = cx.request_headers();
        // RFC 9110 section 15.4.4.
        let keeps_method = matches!(headers.get(names::METHOD), Some(b"GET" | b"HEAD"));
        if status == 303 && !keeps_method {
            headers.set(names::METHOD, b"GET");
            headers.remove(names::CONTENT_LENGTH);
        }
        headers.set(names::X_ENVOY_ORIGINAL_URL, &url_of(&saved));
        true
    }
}

/// Whether there is a route where the redirect leads, and the predicates take it.
fn accepts(
    cx: &mut Cx<'_>,
    policy: &InternalRedirectPolicy,
    target: &Target<'_>,
    from: &Arc<str>,
    followed: &RefCell<Followed>,
    stats: &RouterStats,
) -> bool {
    cx.clear_route();
    let lookup = cx.lookup_route();
    if cx.state().route.action().is_none() {
        // Logs tell of the route that was looked for last, and its cluster.
        cx.info().upstream_mut().cluster = None;
    }
    let to: Arc<str> = match lookup {
        Lookup::Route(id) => {
            let name = |table: &RouteTable| Arc::clone(&table.selected(id).route.name);
            cx.state().route.table().map(|table| name(table))
        }
        Lookup::SslRedirect { .. } => Some(Arc::default()),
        Lookup::NoRoute { .. } | Lookup::NoVirtualHost => {
            stats.passthrough_internal_redirect_no_route().inc();
            return false;
        }
    }
    .unwrap_or_default();
    let accepted = policy.predicates.iter().all(|predicate| match predicate {
        RedirectPredicate::PreviousRoutes => {
            let step = (Arc::clone(from), Arc::clone(&to));
            let steps = &mut followed.borrow_mut().steps;
            let is_new = !steps.contains(&step);
            if is_new {
                steps.push(step);
            }
            is_new
        }
        RedirectPredicate::AllowListedRoutes(names) => names.iter().any(|name| **name == *to),
        RedirectPredicate::SafeCrossScheme => !target.from_http || target.is_http,
    });
    if !accepted {
        stats.passthrough_internal_redirect_predicate().inc();
    }
    accepted
}

/// Makes the request one for where the redirect leads.
fn rewrite(
    headers: &mut HeaderMap,
    response: &HeaderMap,
    policy: &InternalRedirectPolicy,
    target: &Target<'_>,
) {
    for name in &policy.response_headers_to_copy {
        headers.remove(name);
        for value in response.get_all(name) {
            headers.append(name, value);
        }
    }
    let url = &target.url;
    headers.set(names::SCHEME, url.scheme.unwrap_or("http").as_bytes());
    headers.set(names::AUTHORITY, url.authority);
    // A fragment is the client's affair.
    let path = url.path.split(|byte| *byte == b'#').next();
    let path = path.filter(|path| !path.is_empty()).unwrap_or(b"/");
    headers.set(names::PATH, path);
}

fn url_of(headers: &HeaderMap) -> Vec<u8> {
    let part = |name| headers.get(name).unwrap_or_default();
    [
        part(names::SCHEME),
        b"://",
        part(names::AUTHORITY),
        part(names::PATH),
    ]
    .concat()
}
