//! Ejects hosts and takes them back, on main.

mod compare;

use super::event::{OutlierAction, OutlierEvent};
use super::monitor::OutlierMonitor;
use super::spec::{Ejection, OutlierSpec};
use super::stats::OutlierStats;
use super::success_rate::SuccessRates;
use crate::discovery::Members;
use crate::health::HealthFlag;
use crate::host::Host;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_base::time::millis;
use nuncio_worker::Worker;
use nuncio_worker::timer::sleep_until;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A host that is watched.
struct Watched {
    host: Arc<Host>,
    ejections: u32,
    ejected_at: Option<Instant>,
    unejected_at: Option<Instant>,
    /// How many times the base time the next ejection lasts.
    backoff: u32,
    jitter: Duration,
    /// Success rates of the last interval: of the host itself, and of connecting to it.
    rates: [f64; 2],
}

impl Watched {
    fn monitor(&self) -> Option<&OutlierMonitor> {
        self.host.monitor()?.outlier()
    }

    fn is_ejected(&self) -> bool {
        self.host.has_flag(HealthFlag::FailedOutlierCheck)
    }
}

/// Watches the hosts of one cluster.
pub(crate) struct OutlierDetector {
    worker: Rc<Worker>,
    spec: Arc<OutlierSpec>,
    stats: OutlierStats,
    cluster: Arc<str>,
    members: Weak<Members>,
    hosts: RefCell<BTreeMap<u64, Watched>>,
    ejected: Cell<usize>,
    rates: Cell<[SuccessRates; 2]>,
}

impl OutlierDetector {
    /// Watches nobody yet.
    pub fn new(members: &Rc<Members>, spec: &Arc<OutlierSpec>) -> Rc<Self> {
        let info = members.info();
        let stats = info
            .scope
            .scope("outlier_detection")
            .group::<OutlierStats>();
        let detector = Rc::new(Self {
            worker: Rc::clone(members.worker()),
            spec: Arc::clone(spec),
            stats: stats.local(),
            cluster: Arc::clone(&info.spec.name),
            members: Rc::downgrade(members),
            hosts: RefCell::default(),
            ejected: Cell::new(0),
            rates: Cell::default(),
        });
        let this = Rc::downgrade(&detector);
        members
            .worker()
            .spawn(keep_looking(Rc::clone(members.worker()), this));
        detector
    }

    /// Watches a host.
    pub fn admit(&self, host: &Arc<Host>) {
        let watched = Watched {
            host: Arc::clone(host),
            ejections: 0,
            ejected_at: None,
            unejected_at: None,
            backoff: 0,
            jitter: Duration::ZERO,
            rates: [-1.0; 2],
        };
        let mut hosts = self.hosts.borrow_mut();
        hosts.entry(host.id()).or_insert(watched);
    }

    /// Watches a host no more.
    pub fn release(&self, host: u64) {
        let watched = self.hosts.borrow_mut().remove(&host);
        if watched.is_some_and(|watched| watched.is_ejected()) {
            self.count_ejected(-1);
        }
    }

    /// Watches nobody any more.
    pub fn release_all(&self) {
        let hosts = std::mem::take(&mut *self.hosts.borrow_mut());
        let ejected = hosts.values().filter(|watched| watched.is_ejected());
        ejected.for_each(|_| self.count_ejected(-1));
    }

    /// The success rates of a host, as `/clusters` shows them.
    pub fn rates_of(&self, host: u64) -> [f64; 2] {
        let hosts = self.hosts.borrow();
        hosts.get(&host).map_or([-1.0; 2], |watched| watched.rates)
    }

    /// The success rates of the cluster: of the hosts themselves, and of connecting to them.
    pub fn rates(&self) -> [SuccessRates; 2] {
        self.rates.get()
    }

    fn count_ejected(&self, change: isize) {
        let ejected = self.ejected.get().saturating_add_signed(change);
        self.ejected.set(ejected);
        if change > 0 {
            self.stats.ejections_active().inc();
        } else {
            self.stats.ejections_active().dec();
        }
    }

    /// A worker found failures in a row.
    pub fn on_consecutive(&self, host: u64, ejection: Ejection) {
        let watched = {
            let hosts = self.hosts.borrow();
            hosts
                .get(&host)
                .map(|watched| (Arc::clone(&watched.host), watched.is_ejected()))
        };
        // It may be gone, or ejected already.
        let Some((host, false)) = watched else {
            return;
        };
        self.stats.count_detected(ejection);
        self.eject(host.id(), ejection, [-1.0; 3]);
        if let Some(monitor) = host.monitor().and_then(|monitor| monitor.outlier()) {
            monitor.reset(ejection);
        }
    }

    /// A health check passed: what the host answers to others counts no more.
    pub fn on_check_passed(&self, host: &Arc<Host>) {
        if self.spec.successful_active_health_check_uneject_host
            && host.has_flag(HealthFlag::FailedOutlierCheck)
            && !host.has_flag(HealthFlag::FailedActiveHc)
        {
            self.uneject(host.id());
        }
    }

    fn eject(&self, id: u64, ejection: Ejection, rates: [f64; 3]) {
        let flags = self.worker.flags();
        let (ejected, total) = (self.ejected.get(), self.hosts.borrow().len());
        let most = flags.integer(
            "outlier_detection.max_ejection_percent",
            self.spec.max_ejection_percent.into(),
        );
        let percent = 100.0 * (ejected + 1) as f64 / total.max(1) as f64;
        let allowed =
            percent <= most.min(100) as f64 || (self.spec.always_eject_one_host && ejected == 0);
        if !allowed {
            return self.stats.ejections_overflow().inc();
        }
        if matches!(ejection, Ejection::Consecutive5xx | Ejection::SuccessRate) {
            self.stats.ejections_total().inc();
        }
        let likely = flags.integer(
            ejection.enforcing_key(),
            self.spec.enforcing[ejection as usize].into(),
        );
        let enforced = self.worker.random() % 100 < likely;
        let host = {
            let mut hosts = self.hosts.borrow_mut();
            let Some(watched) = hosts.get_mut(&id) else {
                return;
            };
            if enforced {
                self.note_ejection(watched, &flags);
            }
            Arc::clone(&watched.host)
        };
        let members = self.members.upgrade();
        if enforced {
            self.count_ejected(1);
            self.stats.count_enforced(ejection);
            host.set_flag(HealthFlag::FailedOutlierCheck, true);
            if let Some(members) = &members {
                members.on_outlier(&host, true);
            }
        }
        let action = OutlierAction::Eject {
            ejection,
            enforced,
            rates,
        };
        self.log(id, action);
    }

    fn note_ejection(&self, watched: &mut Watched, flags: &RuntimeFlags) {
        watched.ejections += 1;
        watched.ejected_at = Some(self.worker.now());
        let (base, max) = self.ejection_times(flags);
        let jitter = millis(self.spec.max_ejection_time_jitter);
        watched.jitter = Duration::from_millis(self.worker.random() % (jitter + 1));
        if base * watched.backoff < max + base {
            watched.backoff += 1;
        }
    }

    /// The shortest and the longest time.
    fn ejection_times(&self, flags: &RuntimeFlags) -> (Duration, Duration) {
        let time = |key: &str, default: Duration| {
            Duration::from_millis(flags.integer(key, millis(default)))
        };
        let spec = &self.spec;
        (
            time(
                "outlier_detection.base_ejection_time_ms",
                spec.base_ejection_time,
            ),
            time(
                "outlier_detection.max_ejection_time_ms",
                spec.max_ejection_time,
            ),
        )
    }

    fn uneject(&self, id: u64) {
        let host = {
            let mut hosts = self.hosts.borrow_mut();
            let Some(watched) = hosts.get_mut(&id) else {
                return;
            };
            watched.unejected_at = Some(self.worker.now());
            if let Some(monitor) = watched.monitor() {
                monitor.reset_all();
            }
            Arc::clone(&watched.host)
        };
        self.count_ejected(-1);
        host.set_flag(HealthFlag::FailedOutlierCheck, false);
        if let Some(members) = self.members.upgrade() {
            members.on_outlier(&host, false);
        }
        self.log(id, OutlierAction::Uneject);
    }

    fn log(&self, id: u64, action: OutlierAction) {
        let (Some(members), hosts) = (self.members.upgrade(), self.hosts.borrow()) else {
            return;
        };
        let Some(watched) = hosts.get(&id) else {
            return;
        };
        let last = match action {
            OutlierAction::Eject { .. } => watched.unejected_at,
            OutlierAction::Uneject => watched.ejected_at,
        };
        let now = self.worker.now();
        let event = OutlierEvent {
            action,
            time: self.worker.wall(),
            since_last_action: last.map(|last| now.saturating_duration_since(last).as_secs()),
            cluster: self.cluster.to_string(),
            address: watched.host.address(),
            ejections: watched.ejections,
        };
        drop(hosts);
        members.log_outlier(&event);
    }

    /// The work of each interval.
    fn look(&self) {
        let flags = self.worker.flags();
        let (base, max) = self.ejection_times(&flags);
        let now = self.worker.now();
        let mut due = Vec::new();
        let mut counts = Vec::new();
        for (id, watched) in self.hosts.borrow_mut().iter_mut() {
            let lasts = (base * watched.backoff).min(max) + watched.jitter;
            let since = watched.ejected_at;
            let over = since.is_some_and(|at| now.saturating_duration_since(at) >= lasts);
            if watched.is_ejected() && over {
                due.push(*id);
            }
            watched.rates = [-1.0; 2];
            let taken = watched
                .monitor()
                .map_or_else(Default::default, |it| it.take_counts());
            counts.push((*id, taken));
        }
        due.into_iter().for_each(|id| self.uneject(id));
        for (origin, which) in [false, true].into_iter().enumerate() {
            let counts: Vec<_> = counts
                .iter()
                .map(|(id, taken)| (*id, taken[origin]))
                .collect();
            self.compare(&counts, which, &flags);
        }
        for watched in self.hosts.borrow_mut().values_mut() {
            if !watched.is_ejected() {
                watched.backoff = watched.backoff.saturating_sub(1);
            }
        }
    }
}

/// Looks at the hosts once per interval, for as long as there is somebody to look.
async fn keep_looking(worker: Rc<Worker>, detector: Weak<OutlierDetector>) {
    loop {
        let interval = match detector.upgrade() {
            Some(detector) => millis(detector.spec.interval),
            None => return,
        };
        let interval = worker
            .flags()
            .integer("outlier_detection.interval_ms", interval);
        let pause = Duration::from_millis(interval.max(1));
        sleep_until(&worker, worker.now() + pause).await;
        if let Some(detector) = detector.upgrade() {
            detector.look();
        }
    }
}
