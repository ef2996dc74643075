//! The filter on one stream.

use super::stats::CorsStats;
use nuncio_base::runtime_flags::{Fraction, RuntimeFraction};
use nuncio_base::{HeaderMap, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, HeadersStatus, Hooks, HttpFilter};
use nuncio_route::cors::CorsPolicy;
use nuncio_stats::Group;
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// The filter's configuration.
pub struct CorsSpec {
    /// What it counts.
    pub stats: Group<CorsStats>,
}

/// The filter on one worker.
pub struct CorsLocal {
    stats: CorsStats,
}

impl HttpFilterSpec for CorsSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        let stats = self.stats.local();
        Rc::new(Local(Rc::new(CorsLocal { stats })))
    }
}

impl HttpFilterFactory for CorsLocal {
    type Filter = CorsFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS.and(Hooks::RESPONSE_HEADERS)
    }

    fn create(self: &Rc<Self>) -> CorsFilter {
        CorsFilter {
            local: Rc::clone(self),
            allowed: None,
        }
    }
}

/// The filter.
pub struct CorsFilter {
    local: Rc<CorsLocal>,
    /// Of a cross-origin request that is allowed: what its response is told.
    allowed: Option<Box<Allowed>>,
}

struct Allowed {
    origin: Vec<u8>,
    policies: Policies,
}

/// A route's policies, the most specific first: of a weighted cluster, route, virtual host, table.
struct Policies([Option<Arc<CorsPolicy>>; 4]);

impl Policies {
    fn of(cx: &mut Cx<'_>) -> Self {
        let mut policies = [const { None }; 4];
        let mut count = 0;
        for policy in cx.route_specs::<CorsPolicy>().take(policies.len()) {
            policies[count] = Some(policy);
            count += 1;
        }
        policies[..count].reverse();
        if count == 0
            && let Some(selected) = cx.route()
        {
            // The old place counts only where the new one says nothing at all.
            let of_route = selected.action().and_then(|action| action.cors.clone());
            let of_host = selected.virtual_host.cors.clone();
            for (slot, policy) in policies.iter_mut().zip(of_route.into_iter().chain(of_host)) {
                *slot = Some(policy);
            }
        }
        Self(policies)
    }

    fn iter(&self) -> impl Iterator<Item = &CorsPolicy> {
        self.0.iter().flatten().map(|policy| &**policy)
    }

    /// The first policy's text that is not empty.
    fn text(&self, of: impl Fn(&CorsPolicy) -> &str) -> &[u8] {
        let texts = self.iter().map(of);
        let mut texts = texts.filter(|text| !text.is_empty());
        texts.next().unwrap_or_default().as_bytes()
    }

    /// The first policy's answer that is not left open.
    fn answer(&self, of: impl Fn(&CorsPolicy) -> Option<bool>) -> Option<bool> {
        self.iter().find_map(of)
    }

    fn allows(&self, origin: &[u8]) -> bool {
        let origins = self.iter().map(|policy| &policy.allow_origins[..]);
        let origins = origins.into_iter().find(|origins| !origins.is_empty());
        origins
            .unwrap_or_default()
            .iter()
            .any(|matcher| matcher.matches(b"*") || matcher.matches(origin))
    }
}

/// What the most specific policy does with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Off,
    /// Counted only.
    Shadow,
    Enforced,
}

impl Mode {
    fn of(cx: &Cx<'_>, policies: &Policies) -> Self {
        let Some(policy) = policies.iter().next() else {
            return Self::Off;
        };
        let flags = cx.worker().flags();
        let drawn = |fraction: &RuntimeFraction| {
            let share = fraction.current(&flags);
            share == Fraction::ALL || share.holds(cx.worker().random())
        };
        if policy.filter_enabled.as_ref().is_none_or(drawn) {
            Self::Enforced
        } else if policy.shadow_enabled.as_ref().is_some_and(drawn) {
            Self::Shadow
        } else {
            Self::Off
        }
    }
}

/// The answer to a preflight request.
fn preflight_response(
    request: &HeaderMap,
    policies: &Policies,
    origin: Option<&[u8]>,
) -> HeaderMap {
    let mut response = HeaderMap::new();
    response.append(names::STATUS, b"200");
    if let Some(origin) = origin {
        response.append(names::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    if policies.answer(|policy| policy.allow_credentials) == Some(true) {
        response.append(names::ACCESS_CONTROL_ALLOW_CREDENTIALS, b"true");
    }
    let asked = |name| request.get(name).unwrap_or_default();
    // A star stands for whatever was asked: browsers take it literally with credentials.
    let or_asked = |text: &[u8], name| match text {
        b"*" => asked(name).to_vec(),
        _ => text.to_vec(),
    };
    let methods = policies.text(|policy| &policy.allow_methods);
    if !methods.is_empty() {
        let methods = or_asked(methods, names::ACCESS_CONTROL_REQUEST_METHOD);
        response.append(names::ACCESS_CONTROL_ALLOW_METHODS, &methods);
    }
    let headers = policies.text(|policy| &policy.allow_headers);
    if !headers.is_empty() {
        let headers = or_asked(headers, names::ACCESS_CONTROL_REQUEST_HEADERS);
        response.append(names::ACCESS_CONTROL_ALLOW_HEADERS, &headers);
    }
    let max_age = policies.text(|policy| &policy.max_age);
    if !max_age.is_empty() {
        response.append(names::ACCESS_CONTROL_MAX_AGE, max_age);
    }
    if policies.answer(|policy| policy.allow_private_network_access) == Some(true)
        && asked(names::ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK) == b"true"
    {
        response.append(names::ACCESS_CONTROL_ALLOW_PRIVATE_NETWORK, b"true");
    }
    response
}

impl HttpFilter for CorsFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let origin = cx.request_headers().get(names::ORIGIN).unwrap_or_default();
        if origin.is_empty() {
            return HeadersStatus::Continue;
        }
        let origin = origin.to_vec();
        if cx.route().and_then(|selected| selected.action()).is_none() {
            return HeadersStatus::Continue;
        }
        let policies = Policies::of(cx);
        let mode = Mode::of(cx, &policies);
        if mode == Mode::Off {
            return HeadersStatus::Continue;
        }
        let allowed = policies.allows(&origin);
        if allowed {
            self.local.stats.origin_valid().inc();
        } else {
            self.local.stats.origin_invalid().inc();
        }
        if mode == Mode::Shadow {
            return HeadersStatus::Continue;
        }
        let request = cx.request_headers();
        let asked_method = request.get(names::ACCESS_CONTROL_REQUEST_METHOD);
        let is_preflight = request.get(names::METHOD) == Some(b"OPTIONS")
            && asked_method.is_some_and(|method| !method.is_empty());
        let forward = policies
            .answer(|policy| policy.forward_not_matching_preflights)
            .unwrap_or(true);
        let status = if is_preflight && (allowed || !forward) {
            let origin = allowed.then_some(&origin[..]);
            let response = preflight_response(request, &policies, origin);
            cx.info().response_code_details = Some("cors_response".into());
            cx.respond_headers(response, End::Stream);
            HeadersStatus::StopIteration
        } else {
            HeadersStatus::Continue
        };
        self.allowed = allowed.then(|| Box::new(Allowed { origin, policies }));
        status
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        if let Some(allowed) = &self.allowed
            && let Some(headers) = cx.response_headers()
        {
            headers.set(names::ACCESS_CONTROL_ALLOW_ORIGIN, &allowed.origin);
            let policies = &allowed.policies;
            if policies.answer(|policy| policy.allow_credentials) == Some(true) {
                headers.set(names::ACCESS_CONTROL_ALLOW_CREDENTIALS, b"true");
            }
            let expose = policies.text(|policy| &policy.expose_headers);
            if !expose.is_empty() {
                headers.set(names::ACCESS_CONTROL_EXPOSE_HEADERS, expose);
            }
        }
        HeadersStatus::Continue
    }
}
