//! The filter on one stream.

use super::limiter::Limiter;
use super::settings::{BandwidthStats, Settings, Trailers};
use crate::stats_of::StatsOf;
use nuncio_base::time::millis;
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, DataStatus, Direction, HeadersStatus, Hooks, HttpFilter, TrailersStatus};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The filter's configuration.
pub struct BandwidthLimitSpec(pub Arc<Settings>);

impl HttpFilterSpec for BandwidthLimitSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(BandwidthLimitLocal {
            settings: Arc::clone(&self.0),
            stats: StatsOf::default(),
        })))
    }
}

/// The filter on one worker.
pub struct BandwidthLimitLocal {
    settings: Arc<Settings>,
    /// What is counted, of the filter and of routes in use.
    stats: StatsOf<Settings, BandwidthStats>,
}

impl HttpFilterFactory for BandwidthLimitLocal {
    type Filter = BandwidthLimitFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST.and(Hooks::RESPONSE).and(Hooks::COMPLETE)
    }

    fn create(self: &Rc<Self>) -> BandwidthLimitFilter {
        BandwidthLimitFilter {
            local: Rc::clone(self),
            used: None,
            request: Side::default(),
            response: Side::default(),
        }
    }
}

/// One direction.
#[derive(Default)]
struct Side {
    limits: bool,
    limiter: Option<Limiter>,
    /// Whether a timer runs.
    waiting: bool,
    /// Whether the sender is held back.
    holding: bool,
    /// Whether trailers wait for the body.
    trailers: bool,
    /// How long it took, and how long of that it was held here.
    took: Option<[Duration; 2]>,
}

/// The filter.
pub struct BandwidthLimitFilter {
    local: Rc<BandwidthLimitLocal>,
    /// The settings that count, with their stats.
    used: Option<(Arc<Settings>, BandwidthStats)>,
    request: Side,
    response: Side,
}

impl BandwidthLimitFilter {
    fn settings(&mut self, cx: &mut Cx<'_>) -> &(Arc<Settings>, BandwidthStats) {
        self.used.get_or_insert_with(|| {
            let of_route = cx.route_spec::<Settings>();
            let settings = of_route.unwrap_or_else(|| Arc::clone(&self.local.settings));
            let stats = self.local.stats.get(&settings, || settings.stats.local());
            (settings, stats)
        })
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    fn push(&mut self, cx: &mut Cx<'_>, direction: Direction, data: &mut Buffer, end: bool) {
        let now = cx.worker().now();
        let Some((_, stats)) = self.used.clone() else {
            return;
        };
        let is_request = direction == Direction::Request;
        let (total, size) = match is_request {
            true => (
                stats.request_incoming_total_size(),
                stats.request_incoming_size(),
            ),
            false => (
                stats.response_incoming_total_size(),
                stats.response_incoming_size(),
            ),
        };
        total.add(data.len() as u64);
        size.set(data.len() as u64);
        let side = self.side(direction);
        if side.limiter.is_none() {
            match is_request {
                true => stats.request_pending().inc(),
                false => stats.response_pending().inc(),
            }
        }
        let limiter = side.limiter.get_or_insert_with(|| Limiter::new(now));
        limiter.push(data, end);
        if !side.waiting {
            self.send(cx, direction);
        }
    }

    /// Sends on what the rate allows, and waits where something is left.
    fn send(&mut self, cx: &mut Cx<'_>, direction: Direction) {
        let now = cx.worker().now();
        let Some((settings, stats)) = self.used.clone() else {
            return;
        };
        let side = self.side(direction);
        let Some(limiter) = &mut side.limiter else {
            return;
        };
        let allowed = limiter.take(&settings.bucket, settings.bytes_per_token, now);
        let held = limiter.held();
        let len = allowed.data.len() as u64;
        let limit = cx.buffer_limit();
        let hold = held > if side.holding { limit / 2 } else { limit };
        if hold != side.holding {
            side.holding = hold;
            cx.push_back(direction, hold);
        }
        if allowed.again.is_none() && (allowed.end || side.trailers) {
            side.finish(&stats, direction, now);
        }
        match direction {
            Direction::Request => {
                stats.request_allowed_total_size().add(len);
                stats.request_allowed_size().set(len);
            }
            Direction::Response => {
                stats.response_allowed_total_size().add(len);
                stats.response_allowed_size().set(len);
            }
        }
        if let Some(after) = allowed.again {
            self.wait(cx, direction, &stats, after);
        }
        self.pass(cx, direction, allowed.data, allowed.end);
    }

    fn wait(
        &mut self,
        cx: &mut Cx<'_>,
        direction: Direction,
        stats: &BandwidthStats,
        after: Duration,
    ) {
        let side = self.side(direction);
        side.waiting = true;
        // A timer of a millisecond at least, as Envoy's.
        let after = after.max(Duration::from_millis(1));
        match direction {
            Direction::Request => {
                stats.request_enforced().inc();
                cx.timer(after, |filter: &mut Self, cx, ()| {
                    filter.request.waiting = false;
                    filter.send(cx, Direction::Request);
                });
            }
            Direction::Response => {
                stats.response_enforced().inc();
                cx.timer(after, |filter: &mut Self, cx, ()| {
                    filter.response.waiting = false;
                    filter.send(cx, Direction::Response);
                });
            }
        }
    }

    fn pass(&mut self, cx: &mut Cx<'_>, direction: Direction, data: Buffer, end: bool) {
        let tells = end && direction == Direction::Response && self.tells_of_delays();
        let is_last = self.side(direction).trailers;
        let held = self
            .side(direction)
            .limiter
            .as_ref()
            .map_or(0, Limiter::held);
        if tells {
            let mut trailers = HeaderMap::new();
            self.tell(&mut trailers);
            *cx.add_trailers(Direction::Response) = trailers;
            cx.inject_data(direction, data, End::Stream);
        } else if end || !data.is_empty() {
            cx.inject_data(direction, data, End::when(end));
        }
        if is_last && held == 0 {
            self.side(direction).trailers = false;
            match direction {
                Direction::Request => cx.resume_request(),
                Direction::Response => {
                    if let Some(trailers) = cx.response_trailers() {
                        let mut told = std::mem::take(trailers);
                        self.tell(&mut told);
                        if let Some(trailers) = cx.response_trailers() {
                            *trailers = told;
                        }
                    }
                    cx.resume_response();
                }
            }
        }
    }

    fn trailers(&self) -> Option<&Trailers> {
        self.used.as_ref()?.0.trailers.as_ref()
    }

    fn tells_of_delays(&self) -> bool {
        let told = [&self.request, &self.response];
        self.trailers().is_some() && told.into_iter().any(|side| side.took.is_some())
    }

    fn tell(&self, trailers: &mut HeaderMap) {
        let Some(names) = self.trailers() else {
            return;
        };
        for (took, delay, filter_delay) in [
            (
                self.request.took,
                &names.request_delay,
                &names.request_filter_delay,
            ),
            (
                self.response.took,
                &names.response_delay,
                &names.response_filter_delay,
            ),
        ] {
            let Some([all, held]) = took.filter(|[_, held]| !held.is_zero()) else {
                continue;
            };
            trailers.set(delay, millis(all).to_string().as_bytes());
            trailers.set(filter_delay, millis(held).to_string().as_bytes());
        }
    }
}

impl Side {
    /// The body has gone.
    fn finish(&mut self, stats: &BandwidthStats, direction: Direction, now: std::time::Instant) {
        let Some(limiter) = &self.limiter else {
            return;
        };
        if self.took.is_some() {
            return;
        }
        let all = now.saturating_duration_since(limiter.started);
        self.took = Some([all, limiter.waited]);
        match direction {
            Direction::Request => {
                stats.request_pending().dec();
                stats.request_transfer_duration().record(millis(all));
            }
            Direction::Response => {
                stats.response_pending().dec();
                stats.response_transfer_duration().record(millis(all));
            }
        }
    }
}

impl HttpFilter for BandwidthLimitFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let flags = cx.worker().flags();
        let (settings, stats) = self.settings(cx).clone();
        if settings.request && settings.enabled.current(&flags) {
            stats.request_enabled().inc();
            self.request.limits = true;
        }
        HeadersStatus::Continue
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        if !self.request.limits {
            return DataStatus::Continue;
        }
        self.push(cx, Direction::Request, data, end.is_end());
        DataStatus::StopIterationNoBuffer
    }

    fn request_trailers(&mut self, _cx: &mut Cx<'_>) -> TrailersStatus {
        stop_trailers(&mut self.request)
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let flags = cx.worker().flags();
        let (settings, stats) = self.settings(cx).clone();
        if settings.response && settings.enabled.current(&flags) {
            stats.response_enabled().inc();
            self.response.limits = true;
        }
        HeadersStatus::Continue
    }

    fn response_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        if !self.response.limits {
            return DataStatus::Continue;
        }
        self.push(cx, Direction::Response, data, end.is_end());
        DataStatus::StopIterationNoBuffer
    }

    fn response_trailers(&mut self, _cx: &mut Cx<'_>) -> TrailersStatus {
        stop_trailers(&mut self.response)
    }

    fn on_complete(&mut self, cx: &mut Cx<'_>) {
        let now = cx.worker().now();
        if let Some((_, stats)) = &self.used {
            self.request.finish(stats, Direction::Request, now);
            self.response.finish(stats, Direction::Response, now);
        }
    }
}

/// Trailers wait for what waits of the body.
fn stop_trailers(side: &mut Side) -> TrailersStatus {
    match &side.limiter {
        Some(limiter) if limiter.held() > 0 => {
            side.trailers = true;
            TrailersStatus::StopIteration
        }
        _ => TrailersStatus::Continue,
    }
}
