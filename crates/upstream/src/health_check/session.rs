//! The checks of one host, one after the other for as long as it is in the cluster.

use super::checker::HealthChecker;
use super::connection::Connection;
use super::exchange::HttpConnection;
use super::grpc::{self, GrpcProbe};
use super::host_health::{Failure, HostHealth};
use super::http::{Healthy, HttpProbe};
use super::spec::Probe;
use super::tcp::TcpProbe;
use crate::health::HealthFlag;
use crate::host::Host;
use nuncio_worker::timer::sleep_until;
use nuncio_worker::{Timer, Worker};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

/// A host that is checked.
pub(super) struct Session {
    pub host: Arc<Host>,
    pub health: RefCell<HostHealth>,
    ended: Cell<bool>,
    task: Cell<Option<Waker>>,
}

/// A connection that is kept for the next check.
enum Kept {
    Http(HttpConnection),
    Tcp(Connection),
}

type Outcome = Result<(Healthy, Option<Kept>), Failure>;

impl Session {
    pub fn new(host: &Arc<Host>) -> Rc<Self> {
        Rc::new(Self {
            host: Arc::clone(host),
            health: RefCell::new(HostHealth::new()),
            ended: Cell::new(false),
            task: Cell::new(None),
        })
    }

    /// Checks until [`end`](Self::end).
    pub async fn run(self: Rc<Self>, checker: Rc<HealthChecker>) {
        let mut checks = pin!(self.check_for_ever(&checker));
        poll_fn(|task| {
            if self.ended.get() {
                return Poll::Ready(());
            }
            self.task.set(Some(task.waker().clone()));
            checks.as_mut().poll(task)
        })
        .await;
    }

    /// Ends the checks; a connection is closed by that.
    pub fn end(&self) {
        self.ended.set(true);
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    async fn check_for_ever(&self, checker: &HealthChecker) {
        let worker = checker.worker();
        let wait = worker.with_random(|random| checker.spec().intervals.first(random));
        if !wait.is_zero() {
            sleep_until(worker, worker.now() + wait).await;
        }
        let mut kept = None;
        loop {
            checker.stats().attempt().inc();
            let deadline = worker.now() + checker.spec().timeout;
            let outcome = before(worker, deadline, self.check(checker, kept.take())).await;
            let outcome = outcome.unwrap_or(Err(Failure::Timeout));
            let pause = match outcome {
                Ok((healthy, connection)) => {
                    kept = connection.filter(|_| checker.spec().reuse_connection);
                    checker.on_success(self, healthy)
                }
                Err(failure) => checker.on_failure(self, failure),
            };
            rest(worker, worker.now() + pause, &mut kept).await;
        }
    }

    async fn check(&self, checker: &HealthChecker, kept: Option<Kept>) -> Outcome {
        match &checker.spec().probe {
            Probe::Tcp(probe) => {
                let connection = match kept {
                    Some(Kept::Tcp(connection)) => connection,
                    _ => checker.connector().connect(&self.host, &[]).await?,
                };
                check_tcp(probe, connection).await
            }
            Probe::Http(probe) => {
                let connection = self.http_connection(checker, kept, probe.http2).await?;
                self.check_http(checker, probe, connection).await
            }
            Probe::Grpc(probe) => {
                let connection = self.http_connection(checker, kept, true).await?;
                self.check_grpc(checker, probe, connection).await
            }
        }
    }

    async fn http_connection(
        &self,
        checker: &HealthChecker,
        kept: Option<Kept>,
        http2: bool,
    ) -> Result<HttpConnection, Failure> {
        match kept {
            Some(Kept::Http(connection)) => Ok(connection),
            _ => {
                let connector = checker.connector();
                connector.connect_http(&self.host, http2).await
            }
        }
    }

    /// The name by which the host is asked: its own, that of the check, or that of the cluster.
    fn name<'a>(&'a self, checker: &'a HealthChecker, of_check: &'a str) -> &'a str {
        let own = self.host.check().map(|check| &*check.hostname);
        let cluster = &checker.connector().info.spec.name;
        let names = [own.unwrap_or_default(), of_check, cluster];
        let mut names = names.into_iter();
        names.find(|name| !name.is_empty()).unwrap_or_default()
    }

    async fn check_http(
        &self,
        checker: &HealthChecker,
        probe: &HttpProbe,
        mut connection: HttpConnection,
    ) -> Outcome {
        let connector = checker.connector();
        let flags = connector.worker.flags();
        let percent = flags.integer("health_check.verify_cluster", 100);
        let verify = connector.worker.random() % 100 < percent;
        let name = self.name(checker, &probe.host);
        let headers = probe.request(name, connector.is_secure(&self.host));
        let (body, keep) = (probe.send.clone(), probe.kept_body());
        let response = connection.exchange(&headers, body, keep).await?;
        let answer = probe.judge(&response.headers, &response.body, verify);
        if answer.verified {
            checker.stats().verify_cluster().inc();
        }
        if answer.immediate_fail {
            let flag = HealthFlag::ExcludedViaImmediateHcFail;
            self.host.set_flag(flag, true);
        }
        let healthy = answer.outcome?;
        Ok((healthy, response.reusable.then_some(Kept::Http(connection))))
    }

    async fn check_grpc(
        &self,
        checker: &HealthChecker,
        probe: &GrpcProbe,
        mut connection: HttpConnection,
    ) -> Outcome {
        let name = self.name(checker, &probe.authority);
        let secure = checker.connector().is_secure(&self.host);
        let headers = probe.request(name, secure);
        let sent = connection.exchange(&headers, probe.message(), grpc::MAX_MESSAGE);
        let response = sent.await?;
        let healthy = grpc::judge(&response)?;
        Ok((healthy, response.reusable.then_some(Kept::Http(connection))))
    }
}

async fn check_tcp(probe: &TcpProbe, mut connection: Connection) -> Outcome {
    let reusable = probe.check(&mut connection).await?;
    let healthy = Healthy { degraded: false };
    Ok((healthy, reusable.then_some(Kept::Tcp(connection))))
}

/// What `future` gives before `deadline`, else nothing.
async fn before<T>(
    worker: &Rc<Worker>,
    deadline: Instant,
    future: impl Future<Output = T>,
) -> Option<T> {
    let (mut future, mut timer) = (pin!(future), Timer::default());
    let outcome = poll_fn(|task| {
        worker.tick();
        match future.as_mut().poll(task) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => timer.poll(worker, Some(deadline), task).map(|()| None),
        }
    })
    .await;
    timer.disarm(worker);
    outcome
}

/// Waits; a kept connection on which anything happens meanwhile is let go.
async fn rest(worker: &Rc<Worker>, until: Instant, kept: &mut Option<Kept>) {
    let mut timer = Timer::default();
    poll_fn(|task| {
        worker.tick();
        let moved = match kept {
            Some(Kept::Http(connection)) => connection.poll_idle(task).is_ready(),
            Some(Kept::Tcp(connection)) => connection.poll_read(task).is_ready(),
            None => false,
        };
        if moved {
            *kept = None;
        }
        timer.poll(worker, Some(until), task)
    })
    .await;
    timer.disarm(worker);
}
