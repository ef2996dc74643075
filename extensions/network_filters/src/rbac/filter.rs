//! The filter.

use nuncio_base::Buffer;
use nuncio_base::metadata::Metadata;
use nuncio_net::{
    Close, ConnCx, FilterStatus, LocalNetworkFilterFactory, NetworkFilter, NetworkFilterFactory,
    NewConnection,
};
use nuncio_policy::Facts;
use nuncio_policy::rbac::{Engine, RbacStats, Record, Scopes, Verdict, hint};
use nuncio_worker::{Timer, Worker};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant};

/// `%DOWNSTREAM_LOCAL_CLOSE_REASON%`.
const DENIED: &str = "rbac_deny_close";

/// The filter as configured.
pub(super) struct RbacSpec {
    pub enforced: Option<Engine>,
    pub shadow: Option<(Engine, Record)>,
    /// Whether it asks with each read, not only with the first.
    pub continuous: bool,
    /// How long a connection that is denied is kept before it is closed.
    pub delay: Option<Duration>,
    pub scopes: Scopes,
}

/// Makes the filters.
pub struct RbacFactory(pub(super) Arc<RbacSpec>);

impl NetworkFilterFactory for RbacFactory {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        Rc::new(LocalFactory(Rc::new(LocalRbac {
            worker: Rc::clone(worker),
            stats: self.0.scopes.local(),
            spec: Arc::clone(&self.0),
        })))
    }
}

struct LocalRbac {
    worker: Rc<Worker>,
    stats: RbacStats,
    spec: Arc<RbacSpec>,
}

struct LocalFactory(Rc<LocalRbac>);

impl LocalNetworkFilterFactory for LocalFactory {
    fn create(&self, _connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(RbacFilter {
            local: Rc::clone(&self.0),
            allowed: None,
            asked_shadow: false,
            close_at: None,
            timer: Timer::default(),
        })
    }
}

struct RbacFilter {
    local: Rc<LocalRbac>,
    /// What was decided, where that is for good.
    allowed: Option<bool>,
    asked_shadow: bool,
    /// When a connection that was denied is closed.
    close_at: Option<Instant>,
    timer: Timer,
}

impl RbacFilter {
    fn ask_shadow(&mut self, cx: &ConnCx<'_>) {
        let spec = &self.local.spec;
        let Some((engine, record)) = &spec.shadow else {
            return;
        };
        if self.asked_shadow && !spec.continuous {
            return;
        }
        self.asked_shadow = true;
        let verdict = decide(engine, cx);
        self.local.stats.count(&verdict, true, false);
        record.write(&verdict, &mut cx.info().metadata.borrow_mut());
    }

    fn is_allowed(&mut self, cx: &mut ConnCx<'_>) -> bool {
        let LocalRbac {
            worker,
            stats,
            spec,
        } = &*self.local;
        let Some(engine) = &spec.enforced else {
            return true;
        };
        if let Some(allowed) = self.allowed {
            return allowed;
        }
        let verdict = decide(engine, cx);
        stats.count(&verdict, false, false);
        hint(&verdict, &mut cx.info().metadata.borrow_mut());
        if !spec.continuous || !verdict.allowed {
            self.allowed = Some(verdict.allowed);
        }
        if !verdict.allowed {
            let info = cx.info();
            info.local_close_reason.set(Some(DENIED));
            *info.termination_details.borrow_mut() = Some(verdict.details().into());
            match spec.delay {
                Some(delay) => self.close_at = Some(worker.now() + delay),
                None => cx.close(Close::NoFlush),
            }
        }
        verdict.allowed
    }
}

/// Metadata are lent out meanwhile.
fn decide(engine: &Engine, cx: &ConnCx<'_>) -> Verdict {
    let info = cx.info();
    let metadata: &Metadata = &info.metadata.borrow();
    engine.decide(&Facts::of_connection(info, metadata))
}

impl NetworkFilter for RbacFilter {
    fn on_data(&mut self, cx: &mut ConnCx<'_>, _data: &mut Buffer, _end: bool) -> FilterStatus {
        if self.allowed != Some(false) {
            self.ask_shadow(cx);
        }
        match self.is_allowed(cx) {
            true => FilterStatus::Continue,
            false => FilterStatus::StopIteration,
        }
    }

    fn poll(&mut self, cx: &mut ConnCx<'_>, task: &mut Context<'_>) {
        let worker = &self.local.worker;
        if !cx.is_closing() && self.timer.poll(worker, self.close_at, task).is_ready() {
            cx.close(Close::NoFlush);
        }
    }
}

impl Drop for RbacFilter {
    fn drop(&mut self) {
        self.timer.disarm(&self.local.worker);
    }
}
