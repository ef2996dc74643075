//! The filter on one stream.

use super::controller::Controller;
use nuncio_base::names;
use nuncio_base::runtime_flags::{RuntimeFlag, RuntimeFlags};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, HeadersStatus, Hooks, HttpFilter, LocalReply, TrailersStatus};
use nuncio_route::request::has_grpc_content_type;
use nuncio_stats::{Group, stat_group};
use nuncio_worker::Worker;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

stat_group! {
    /// `<stat_prefix>admission_control.*`
    pub struct AdmissionControlStats {
        counters { rq_failure, rq_rejected, rq_success }
    }
}

/// A number that runtime may change.
#[derive(Clone, Debug, PartialEq)]
pub struct RuntimeNumber {
    /// Where runtime says nothing.
    pub default: f64,
    /// The key, empty for none.
    pub key: String,
}

impl RuntimeNumber {
    fn current(&self, flags: &RuntimeFlags) -> f64 {
        match self.key.as_str() {
            "" => self.default,
            key => flags.number(key, self.default),
        }
    }
}

/// The filter's configuration.
pub struct AdmissionControlSpec {
    /// Whether it does anything.
    pub enabled: RuntimeFlag,
    /// How long requests are remembered.
    pub window: Duration,
    /// The exponent's reciprocal.
    pub aggression: RuntimeNumber,
    /// The success rate below which requests are refused, in percent.
    pub success_rate_threshold: RuntimeNumber,
    /// How many requests a second there must be.
    pub rps_threshold: RuntimeNumber,
    /// How likely a request is refused at most, in percent.
    pub max_rejection: RuntimeNumber,
    /// The statuses of success.
    pub http_success: Vec<Range<u16>>,
    /// The gRPC statuses of success.
    pub grpc_success: Vec<u32>,
    /// What is counted.
    pub stats: Group<AdmissionControlStats>,
}

/// The configuration, shared by the workers.
pub struct Shared(pub Arc<AdmissionControlSpec>);

impl HttpFilterSpec for Shared {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(AdmissionControlLocal {
            stats: self.0.stats.local(),
            controller: RefCell::new(Controller::new(self.0.window)),
            spec: Arc::clone(&self.0),
        })))
    }
}

/// The filter on one worker.
pub struct AdmissionControlLocal {
    spec: Arc<AdmissionControlSpec>,
    stats: AdmissionControlStats,
    controller: RefCell<Controller>,
}

impl HttpFilterFactory for AdmissionControlLocal {
    type Filter = AdmissionControlFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS
            .and(Hooks::RESPONSE_HEADERS)
            .and(Hooks::RESPONSE_TRAILERS)
            .and(Hooks::COMPLETE)
    }

    fn create(self: &Rc<Self>) -> AdmissionControlFilter {
        AdmissionControlFilter {
            local: Rc::clone(self),
            pending: false,
        }
    }
}

/// The filter.
pub struct AdmissionControlFilter {
    local: Rc<AdmissionControlLocal>,
    /// Whether what becomes of the request is to be recorded.
    pending: bool,
}

/// How finely the probability is drawn.
const ACCURACY: f64 = 1e4;

impl AdmissionControlLocal {
    fn rejects(&self, worker: &Worker) -> bool {
        let spec = &self.spec;
        let flags = worker.flags();
        let now = worker.now();
        let mut controller = self.controller.borrow_mut();
        if (controller.average_rps(now) as f64) < spec.rps_threshold.current(&flags) {
            return false;
        }
        let (requests, successes) = controller.counts(now);
        let threshold = spec.success_rate_threshold.current(&flags) / 100.0;
        let mut probability = requests as f64 - successes as f64 / threshold;
        probability /= requests as f64 + 1.0;
        let aggression = spec.aggression.current(&flags).max(1.0);
        if aggression > 1.0 {
            probability = probability.powf(1.0 / aggression);
        }
        let most = spec.max_rejection.current(&flags) / 100.0;
        let probability = probability.min(most).max(0.0);
        ACCURACY * probability > (worker.random() % ACCURACY as u64) as f64
    }

    fn is_grpc_success(&self, status: &[u8]) -> bool {
        let status = std::str::from_utf8(status).ok();
        let status: Option<u32> = status.and_then(|status| status.parse().ok());
        status.is_some_and(|status| self.spec.grpc_success.contains(&status))
    }
}

impl AdmissionControlFilter {
    fn record(&mut self, cx: &Cx<'_>, success: bool) {
        if !std::mem::take(&mut self.pending) {
            return;
        }
        match success {
            true => self.local.stats.rq_success().inc(),
            false => self.local.stats.rq_failure().inc(),
        }
        let mut controller = self.local.controller.borrow_mut();
        controller.record(success, cx.worker().now());
    }
}

impl HttpFilter for AdmissionControlFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let enabled = self.local.spec.enabled.current(&cx.worker().flags());
        if !enabled || cx.info().is_health_check {
            return HeadersStatus::Continue;
        }
        if self.local.rejects(cx.worker()) {
            self.local.stats.rq_rejected().inc();
            cx.local_reply(LocalReply::new(503, "", "denied_by_admission_control"));
            return HeadersStatus::StopIteration;
        }
        self.pending = true;
        HeadersStatus::Continue
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        if !self.pending {
            return HeadersStatus::Continue;
        }
        let Some(headers) = cx.response_headers() else {
            return HeadersStatus::Continue;
        };
        let success = if has_grpc_content_type(headers) {
            // Where the status is not here it is in the trailers.
            let status = headers.get(names::GRPC_STATUS);
            status.map(|status| self.local.is_grpc_success(status))
        } else {
            let status = headers.get_str(names::STATUS);
            let status: u16 = status.and_then(|status| status.parse().ok()).unwrap_or(0);
            let ranges = &self.local.spec.http_success;
            Some(ranges.iter().any(|range| range.contains(&status)))
        };
        if let Some(success) = success {
            self.record(cx, success);
        }
        HeadersStatus::Continue
    }

    fn response_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        if self.pending {
            let trailers = cx.response_trailers();
            let status = trailers.and_then(|trailers| trailers.get(names::GRPC_STATUS));
            let success = status.is_some_and(|status| self.local.is_grpc_success(status));
            self.record(cx, success);
        }
        TrailersStatus::Continue
    }

    fn on_complete(&mut self, cx: &mut Cx<'_>) {
        // There was no response that said how it went.
        self.record(cx, false);
    }
}
