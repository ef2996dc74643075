//! The filter on one stream.

use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, HeadersStatus, Hooks, HttpFilter, LocalReply};
use nuncio_policy::Facts;
use nuncio_policy::rbac::{Engine, RbacStats, Record, Scopes, hint};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// What is asked, with how the answers are recorded.
#[derive(Default)]
pub struct Rules {
    /// What is enforced.
    pub enforced: Option<(Engine, Record)>,
    /// What is only counted and recorded.
    pub shadow: Option<(Engine, Record)>,
    /// Whether verdicts are counted for each policy too.
    pub count_by_policy: bool,
}

/// The filter's configuration.
pub struct RbacSpec {
    /// The rules.
    pub rules: Arc<Rules>,
    /// Where verdicts are counted.
    pub scopes: Scopes,
}

/// The filter's configuration at a route: rules in place of the filter's.
pub struct RbacRouteSpec {
    /// The rules.
    pub rules: Arc<Rules>,
}

impl HttpFilterSpec for RbacSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(LocalRbac {
            rules: Arc::clone(&self.rules),
            stats: self.scopes.local(),
        })))
    }
}

struct LocalRbac {
    rules: Arc<Rules>,
    stats: RbacStats,
}

impl HttpFilterFactory for LocalRbac {
    type Filter = RbacFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS
    }

    fn create(self: &Rc<Self>) -> RbacFilter {
        RbacFilter {
            local: Rc::clone(self),
        }
    }
}

/// The filter.
pub struct RbacFilter {
    local: Rc<LocalRbac>,
}

impl HttpFilter for RbacFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let of_route = cx.route_spec::<RbacRouteSpec>();
        let rules: &Rules = of_route.as_ref().map_or(&self.local.rules, |it| &it.rules);
        let (stats, by_policy) = (&self.local.stats, rules.count_by_policy);
        let (headers, info) = cx.request_and_info();
        if let Some((engine, record)) = &rules.shadow {
            let verdict = engine.decide(&Facts::of_request(headers, info));
            stats.count(&verdict, true, by_policy);
            record.write(&verdict, &mut info.metadata);
        }
        let Some((engine, record)) = &rules.enforced else {
            return HeadersStatus::Continue;
        };
        let verdict = engine.decide(&Facts::of_request(headers, info));
        stats.count(&verdict, false, by_policy);
        record.write(&verdict, &mut info.metadata);
        hint(&verdict, &mut info.metadata);
        if verdict.allowed {
            return HeadersStatus::Continue;
        }
        cx.local_reply(LocalReply::new(
            403,
            "RBAC: access denied",
            verdict.details(),
        ));
        HeadersStatus::StopIteration
    }
}
