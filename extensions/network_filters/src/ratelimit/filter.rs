//! The filter.

use super::wire::{self, Verdict};
use nuncio_base::Buffer;
use nuncio_base::metadata::Value;
use nuncio_base::runtime_flags::RuntimeFraction;
use nuncio_grpc::{GrpcClient, GrpcService};
use nuncio_net::{
    Close, ConnCx, FilterStatus, LocalNetworkFilterFactory, NetworkFilter, NetworkFilterFactory,
    NewConnection,
};
use nuncio_observe::{AccessLogType, FormatCx, Formatter};
use nuncio_stats::{Group, stat_group};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// Under what name the service's metadata are.
const NAME: &str = "envoy.filters.network.ratelimit";

/// `%DOWNSTREAM_LOCAL_CLOSE_REASON%`.
const OVER_LIMIT: &str = "ratelimit_close_over_limit";
const FAILED: &str = "ratelimit_error_failure_mode_connection_close";

stat_group! {
    /// `ratelimit.<stat_prefix>.*`
    pub struct RateLimitStats {
        counters { cx_closed, error, failure_mode_allowed, ok, over_limit, total }
        gauges { active }
    }
}

/// The entries of a descriptor: keys, and what their values are made of.
pub type DescriptorSpec = Vec<(String, Formatter)>;

/// What the filter is configured with.
pub struct RateLimitSpec {
    /// The service's name for what is limited here.
    pub domain: String,
    /// What connections are counted by.
    pub descriptors: Vec<DescriptorSpec>,
    /// Who is asked.
    pub service: Arc<GrpcService>,
    /// Whether connections are closed where the service fails.
    pub failure_mode_deny: bool,
    /// The share of connections that are asked for.
    pub enabled: RuntimeFraction,
    /// The share of those for which the answer matters.
    pub enforced: RuntimeFraction,
    /// The stats.
    pub stats: Group<RateLimitStats>,
}

/// Makes filters that ask a service.
pub struct RateLimitFactory(pub(super) Arc<RateLimitSpec>);

impl NetworkFilterFactory for RateLimitFactory {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        Rc::new(LocalFactory(Rc::new(LocalRateLimit {
            worker: Rc::clone(worker),
            client: GrpcClient::new(worker, &self.0.service),
            stats: self.0.stats.local(),
            spec: Arc::clone(&self.0),
        })))
    }
}

struct LocalRateLimit {
    worker: Rc<Worker>,
    client: GrpcClient,
    stats: RateLimitStats,
    spec: Arc<RateLimitSpec>,
}

struct LocalFactory(Rc<LocalRateLimit>);

impl LocalNetworkFilterFactory for LocalFactory {
    fn create(&self, _connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(RateLimited {
            local: Rc::clone(&self.0),
            calling: false,
        })
    }
}

impl LocalRateLimit {
    fn holds(&self, share: &RuntimeFraction) -> bool {
        let share = share.current(&self.worker.flags());
        share.holds(self.worker.random())
    }

    /// The question about a connection.
    fn question(&self, cx: &ConnCx<'_>) -> Vec<u8> {
        let info = cx.info().to_stream();
        FormatCx::with(&self.worker, &info, AccessLogType::NotSet, |format| {
            let entry = |(key, value): &(String, Formatter)| {
                let mut text = Vec::new();
                value.append(format, &mut text);
                (key.clone(), String::from_utf8_lossy(&text).into_owned())
            };
            let descriptors = self.spec.descriptors.iter();
            let descriptors = descriptors.map(|entries| entries.iter().map(entry).collect());
            wire::request(&self.spec.domain, descriptors.collect())
        })
    }
}

/// The filter of one connection.
struct RateLimited {
    local: Rc<LocalRateLimit>,
    /// Whether the service is being asked.
    calling: bool,
}

impl RateLimited {
    fn on_verdict(&mut self, cx: &mut ConnCx<'_>, (verdict, metadata): (Verdict, Option<Value>)) {
        let LocalRateLimit { stats, spec, .. } = &*self.local;
        self.calling = false;
        stats.active().dec();
        if let Some(metadata) = metadata {
            cx.info().metadata.borrow_mut().merge(NAME, &metadata);
        }
        let reason = match verdict {
            Verdict::Ok => {
                stats.ok().inc();
                None
            }
            Verdict::OverLimit => {
                stats.over_limit().inc();
                self.local.holds(&spec.enforced).then_some(OVER_LIMIT)
            }
            Verdict::Error => {
                stats.error().inc();
                if !spec.failure_mode_deny {
                    stats.failure_mode_allowed().inc();
                }
                spec.failure_mode_deny.then_some(FAILED)
            }
        };
        match reason {
            None => cx.continue_reading(),
            Some(reason) => {
                stats.cx_closed().inc();
                cx.info().local_close_reason.set(Some(reason));
                cx.close(Close::NoFlush);
            }
        }
    }
}

impl NetworkFilter for RateLimited {
    fn on_new_connection(&mut self, cx: &mut ConnCx<'_>) -> FilterStatus {
        let local = &self.local;
        if !local.holds(&local.spec.enabled) {
            return FilterStatus::Continue;
        }
        self.calling = true;
        local.stats.active().inc();
        local.stats.total().inc();
        let question = local.question(cx);
        let answer = local.client.unary(wire::SHOULD_RATE_LIMIT, &question);
        let verdict = async move {
            let answer = answer.await;
            answer.map_or((Verdict::Error, None), |answer| wire::verdict(&answer))
        };
        cx.call(verdict, Self::on_verdict);
        FilterStatus::StopIteration
    }

    fn on_data(&mut self, _: &mut ConnCx<'_>, _: &mut Buffer, _: bool) -> FilterStatus {
        match self.calling {
            true => FilterStatus::StopIteration,
            false => FilterStatus::Continue,
        }
    }
}

impl Drop for RateLimited {
    fn drop(&mut self) {
        if self.calling {
            self.local.stats.active().dec();
        }
    }
}
