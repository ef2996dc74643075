//! The filter on one stream.

use super::limits::{Buckets, Limits, Place};
use crate::rate_limits::{self, VhRateLimits};
use crate::stats_of::StatsOf;
use nuncio_base::runtime_flags::RuntimeFraction;
use nuncio_base::token_bucket::TokenBucket;
use nuncio_base::{HeaderMap, HeaderName, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::format_cx::with_headers;
use nuncio_http::{Cx, HeadersStatus, Hooks, HttpFilter, LocalReply};
use nuncio_route::mutation::Scratch;
use nuncio_route::rate_limit::Descriptor;
use nuncio_route::{HeaderMutations, RateLimit};
use nuncio_stats::{Group, stat_group};
use nuncio_stream_info::{FilterStateObject, LifeSpan, ResponseFlag};
use nuncio_worker::Worker;
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What a gRPC client gets: `UNAVAILABLE`, or `RESOURCE_EXHAUSTED` where that is wanted.
const RESOURCE_EXHAUSTED: u32 = 8;

/// The filter state with a connection's own buckets.
const BUCKETS: &str = "envoy.filters.http.local_ratelimit.buckets";

stat_group! {
    /// `<stat_prefix>.http_local_rate_limit.*`
    pub struct RateLimitStats {
        counters { enabled, enforced, ok, rate_limited, shadow_mode }
    }
}

/// The settings of the filter, or of a route.
pub struct Settings {
    /// A number of their own, by which connections find their buckets.
    pub id: u64,
    /// How the buckets are made.
    pub limits: Limits,
    /// The buckets that all connections share.
    pub shared: Buckets,
    /// Whether each connection has a bucket of its own.
    pub per_connection: bool,
    /// For what share of requests a token is asked for; not set: for none.
    pub enabled: Option<RuntimeFraction>,
    /// For what share of the requests without a token that matters; not set: for none.
    pub enforced: Option<RuntimeFraction>,
    /// What requests get that pass without a token.
    pub request_headers: HeaderMutations,
    /// What the replies to others get.
    pub response_headers: HeaderMutations,
    /// The replies' status.
    pub status: u16,
    /// Whether a gRPC client is told that resources are exhausted.
    pub resource_exhausted: bool,
    /// Whether responses tell of the bucket (`x-ratelimit-limit` and its like).
    pub rate_limit_headers: bool,
    /// Whether replies tell when the next token comes.
    pub retry_after: bool,
    /// What requests are counted by.
    pub counted: Counted,
    /// What is counted.
    pub stats: Group<RateLimitStats>,
}

/// What requests are counted by.
pub struct Counted {
    /// The filter's own rate limits; without any, the route's count.
    pub rate_limits: Vec<RateLimit>,
    /// Of the route's, those of this stage.
    pub stage: u32,
    /// Whether the virtual host's count.
    pub virtual_host: VhRateLimits,
}

/// The filter's configuration.
pub struct LocalRateLimitSpec(pub Arc<Settings>);

impl HttpFilterSpec for LocalRateLimitSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(LocalRateLimit {
            stats: self.0.stats.local(),
            settings: Arc::clone(&self.0),
            of_routes: StatsOf::default(),
        })))
    }
}

struct LocalRateLimit {
    settings: Arc<Settings>,
    stats: RateLimitStats,
    /// What is counted for routes in use.
    of_routes: StatsOf<Settings, RateLimitStats>,
}

impl HttpFilterFactory for LocalRateLimit {
    type Filter = LocalRateLimitFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS.and(Hooks::RESPONSE_HEADERS)
    }

    fn create(self: &Rc<Self>) -> LocalRateLimitFilter {
        LocalRateLimitFilter {
            local: Rc::clone(self),
            asked: None,
        }
    }
}

/// The filter.
pub struct LocalRateLimitFilter {
    local: Rc<LocalRateLimit>,
    /// Whose bucket was asked, where responses tell of it.
    asked: Option<(Arc<Settings>, Place)>,
}

/// A connection's buckets, by the settings they belong to.
#[derive(Default)]
struct OfConnection(RefCell<HashMap<u64, Buckets>>);

impl FilterStateObject for OfConnection {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Settings {
    /// Calls `use_buckets` with the buckets for this stream.
    fn with_buckets<R>(&self, cx: &mut Cx<'_>, use_buckets: impl FnOnce(&Buckets) -> R) -> R {
        if !self.per_connection {
            return use_buckets(&self.shared);
        }
        let connection = Rc::clone(&cx.info().connection);
        let mut state = connection.filter_state.borrow_mut();
        if state.get_as::<OfConnection>(BUCKETS).is_none() {
            let none = Rc::<OfConnection>::default();
            state.set(BUCKETS, LifeSpan::Connection, none);
        }
        let Some(all) = state.get_as::<OfConnection>(BUCKETS) else {
            return use_buckets(&self.shared);
        };
        let mut all = all.0.borrow_mut();
        let buckets = all.entry(self.id);
        use_buckets(buckets.or_insert_with(|| self.limits.buckets()))
    }

    /// The descriptors of a request, where there are limits for some.
    fn descriptors(&self, cx: &mut Cx<'_>) -> Vec<Descriptor> {
        if self.limits.descriptors.is_empty() {
            return Vec::new();
        }
        let counted = &self.counted;
        rate_limits::of_request(
            cx,
            &counted.rate_limits,
            counted.stage,
            counted.virtual_host,
        )
    }

    /// Whether a share has this request; one that is not set has none.
    fn is_among(share: Option<&RuntimeFraction>, worker: &Worker) -> bool {
        share.is_some_and(|share| share.current(&worker.flags()).holds(worker.random()))
    }

    fn reply(&self, cx: &mut Cx<'_>, place: Option<Place>) -> LocalReply {
        let mut reply = LocalReply::new(self.status, "local_rate_limited", "local_rate_limited");
        reply = reply.flag(ResponseFlag::RateLimited);
        reply.grpc_status = self.resource_exhausted.then_some(RESOURCE_EXHAUSTED);
        let mut headers = HeaderMap::new();
        apply(&self.response_headers, cx, &mut headers);
        for (name, value) in headers.iter() {
            let name = HeaderName::new(&String::from_utf8_lossy(name));
            reply = reply.header(name, value);
        }
        if self.retry_after {
            let now = cx.worker().now();
            let bucket = |buckets: &Buckets| {
                let bucket = buckets.get(place?)?;
                Some(reset_seconds(bucket, now))
            };
            let seconds = self.with_buckets(cx, bucket);
            let seconds = seconds.unwrap_or_default().to_string();
            reply = reply.header(names::RETRY_AFTER, seconds);
        }
        reply
    }
}

fn apply(mutations: &HeaderMutations, cx: &mut Cx<'_>, headers: &mut HeaderMap) {
    let worker = Rc::clone(cx.worker());
    let state = cx.state();
    let mut scratch = Scratch::default();
    mutations.apply(headers, &mut scratch, |formatter, _, out| {
        let request = Some(&state.request.headers);
        with_headers(&worker, &state.info, request, None, |cx| {
            formatter.append(cx, out)
        });
    });
}

/// In how many seconds there is a token, none while there is one.
fn reset_seconds(bucket: &TokenBucket, now: std::time::Instant) -> u64 {
    match bucket.remaining(now) {
        0 => {
            let wait = bucket.next_token(now) + Duration::from_nanos(999_999_999);
            wait.as_secs()
        }
        _ => 0,
    }
}

impl HttpFilter for LocalRateLimitFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let of_route = cx.route_spec::<Settings>();
        let own;
        let (settings, stats) = match &of_route {
            None => (&self.local.settings, &self.local.stats),
            Some(settings) => {
                own = self
                    .local
                    .of_routes
                    .get(settings, || settings.stats.local());
                (settings, &own)
            }
        };
        if !Settings::is_among(settings.enabled.as_ref(), cx.worker()) {
            return HeadersStatus::Continue;
        }
        stats.enabled().inc();
        let now = cx.worker().now();
        let descriptors = settings.descriptors(cx);
        let taken = settings.with_buckets(cx, |buckets| {
            buckets.take(&settings.limits, &descriptors, now)
        });
        if taken.shadowed > 0 {
            stats.shadow_mode().add(taken.shadowed);
        }
        if settings.rate_limit_headers
            && let Some(place) = taken.place
        {
            self.asked = Some((Arc::clone(settings), place));
        }
        if taken.allowed {
            stats.ok().inc();
            return HeadersStatus::Continue;
        }
        stats.rate_limited().inc();
        if !Settings::is_among(settings.enforced.as_ref(), cx.worker()) {
            if !settings.request_headers.is_empty() {
                let mut headers = std::mem::take(cx.request_headers());
                apply(&settings.request_headers, cx, &mut headers);
                *cx.request_headers() = headers;
            }
            return HeadersStatus::Continue;
        }
        stats.enforced().inc();
        let reply = settings.reply(cx, taken.place);
        cx.local_reply(reply);
        HeadersStatus::StopIteration
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let Some((settings, place)) = self.asked.take() else {
            return HeadersStatus::Continue;
        };
        let now = cx.worker().now();
        let state = settings.with_buckets(cx, |buckets| {
            let bucket = buckets.get(place)?;
            Some([bucket.remaining(now), reset_seconds(bucket, now)])
        });
        let limit = settings.limits.max(place);
        if let (Some([remaining, reset]), Some(headers)) = (state, cx.response_headers()) {
            for (name, value) in [
                ("x-ratelimit-limit", u64::from(limit)),
                ("x-ratelimit-remaining", remaining),
                ("x-ratelimit-reset", reset),
            ] {
                let mut digits = itoa::Buffer::new();
                headers.set(name, digits.format(value).as_bytes());
            }
        }
        HeadersStatus::Continue
    }
}
