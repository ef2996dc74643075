//! The filter on one stream.

use nuncio_base::runtime_flags::RuntimeFraction;
use nuncio_base::token_bucket::TokenBucket;
use nuncio_base::{HeaderMap, HeaderName, names};
use nuncio_codec::End;
use nuncio_config::token_bucket::Settings as BucketSettings;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::format_cx::with_headers;
use nuncio_http::{Cx, HeadersStatus, Hooks, HttpFilter, LocalReply};
use nuncio_route::HeaderMutations;
use nuncio_route::mutation::Scratch;
use nuncio_stats::{Group, stat_group};
use nuncio_stream_info::{FilterStateObject, LifeSpan, ResponseFlag};
use nuncio_worker::Worker;
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};
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
    /// How a bucket is made; none lets all requests pass.
    pub bucket: Option<BucketSettings>,
    /// The bucket that all connections share.
    pub shared: Option<TokenBucket>,
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
    /// What is counted.
    pub stats: Group<RateLimitStats>,
}

/// The filter's configuration.
pub struct LocalRateLimitSpec(pub Arc<Settings>);

impl HttpFilterSpec for LocalRateLimitSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(LocalRateLimit {
            stats: self.0.stats.local(),
            settings: Arc::clone(&self.0),
            of_routes: RefCell::default(),
        })))
    }
}

struct LocalRateLimit {
    settings: Arc<Settings>,
    stats: RateLimitStats,
    /// What is counted for routes in use.
    of_routes: RefCell<Vec<(Weak<Settings>, RateLimitStats)>>,
}

impl LocalRateLimit {
    /// What is counted for a route.
    fn stats_of(&self, settings: &Arc<Settings>) -> RateLimitStats {
        let mut all = self.of_routes.borrow_mut();
        let is_it = |(known, _): &&(Weak<Settings>, _)| known.as_ptr() == Arc::as_ptr(settings);
        if let Some((_, stats)) = all.iter().find(is_it) {
            return stats.clone();
        }
        // Those of former configurations go.
        all.retain(|(known, _)| known.strong_count() > 0);
        let stats = settings.stats.local();
        all.push((Arc::downgrade(settings), stats.clone()));
        stats
    }
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
    asked: Option<Arc<Settings>>,
}

/// A connection's buckets, by the settings they belong to.
#[derive(Default)]
struct Buckets(RefCell<HashMap<u64, TokenBucket>>);

impl FilterStateObject for Buckets {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Settings {
    /// Calls `use_bucket` with the bucket for this stream, if there is one.
    fn with_bucket<R>(
        &self,
        cx: &mut Cx<'_>,
        use_bucket: impl FnOnce(&TokenBucket) -> R,
    ) -> Option<R> {
        if !self.per_connection {
            return self.shared.as_ref().map(use_bucket);
        }
        let settings = self.bucket.as_ref()?;
        let connection = Rc::clone(&cx.info().connection);
        let mut state = connection.filter_state.borrow_mut();
        if state.get_as::<Buckets>(BUCKETS).is_none() {
            state.set(BUCKETS, LifeSpan::Connection, Rc::<Buckets>::default());
        }
        let buckets = state.get_as::<Buckets>(BUCKETS)?;
        let mut buckets = buckets.0.borrow_mut();
        let bucket = buckets.entry(self.id);
        Some(use_bucket(bucket.or_insert_with(|| settings.bucket())))
    }

    /// Whether a share has this request; one that is not set has none.
    fn is_among(share: Option<&RuntimeFraction>, worker: &Worker) -> bool {
        share.is_some_and(|share| share.current(&worker.flags()).holds(worker.random()))
    }

    fn reply(&self, cx: &mut Cx<'_>) -> LocalReply {
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
            let seconds = self.with_bucket(cx, |bucket| reset_seconds(bucket, now));
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
                own = self.local.stats_of(settings);
                (settings, &own)
            }
        };
        if !Settings::is_among(settings.enabled.as_ref(), cx.worker()) {
            return HeadersStatus::Continue;
        }
        stats.enabled().inc();
        let now = cx.worker().now();
        let taken = settings.with_bucket(cx, |bucket| bucket.take(1, now));
        if settings.rate_limit_headers && taken.is_some() {
            self.asked = Some(Arc::clone(settings));
        }
        if taken.unwrap_or(true) {
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
        let reply = settings.reply(cx);
        cx.local_reply(reply);
        HeadersStatus::StopIteration
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let Some(settings) = self.asked.take() else {
            return HeadersStatus::Continue;
        };
        let now = cx.worker().now();
        let state = settings.with_bucket(cx, |bucket| {
            [bucket.remaining(now), reset_seconds(bucket, now)]
        });
        let limit = settings.bucket.map_or(0, |bucket| bucket.max);
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
