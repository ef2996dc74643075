//! Calls that filters and services make through a cluster: one request, one response (Envoy's
//! `Http::AsyncClient`).

use crate::client_stats::ClientStats;
use nuncio_base::time::millis;
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::{End, Frame, ResetReason};
use nuncio_upstream::outlier::OutlierResult;
use nuncio_upstream::{
    Choice, ClientStream, ClusterManager, Host, LbRequest, LocalCluster, Priority,
};
use nuncio_worker::{Timer, Worker};
use std::cell::OnceCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A request to be sent.
#[derive(Debug)]
pub struct AsyncRequest {
    /// Its headers; `:method`, `:path` and `:authority` among them.
    pub headers: HeaderMap,
    /// Its body, empty for none. `content-length` is the caller's to set.
    pub body: Buffer,
    /// How long the response may take to be complete; `None`: for ever.
    pub timeout: Option<Duration>,
    /// Whether it says by its headers that it is this proxy's own.
    pub envoy_headers: bool,
    /// How large the response's body may be, in bytes.
    pub max_response_bytes: usize,
}

/// A complete response.
#[derive(Debug)]
pub struct AsyncResponse {
    /// The status.
    pub status: u16,
    /// The headers, `x-envoy-upstream-service-time` added.
    pub headers: HeaderMap,
    /// The body.
    pub body: Buffer,
    /// The trailers.
    pub trailers: Option<HeaderMap>,
}

/// Why there is no response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AsyncFailure {
    /// There is no such cluster.
    NoCluster,
    /// The cluster has no host for this request.
    NoHost,
    /// There was no connection, or it broke; with what the transport says of it.
    Reset(ResetReason, Option<Arc<str>>),
    /// It took too long.
    Timeout,
    /// The body is larger than the caller takes.
    TooLarge,
}

/// Sends requests to one cluster, which is looked up anew for each.
#[derive(Clone)]
pub struct AsyncClient {
    worker: Rc<Worker>,
    clusters: Rc<ClusterManager>,
    cluster: Arc<str>,
}

struct HostRequest<'a>(&'a HeaderMap);

impl LbRequest for HostRequest<'_> {
    fn headers(&self) -> Option<&HeaderMap> {
        Some(self.0)
    }
}

impl AsyncClient {
    /// A client of this worker.
    pub fn new(worker: &Rc<Worker>, cluster: Arc<str>) -> Self {
        Self {
            worker: Rc::clone(worker),
            clusters: ClusterManager::of(worker),
            cluster,
        }
    }

    /// The name of the cluster.
    pub fn cluster(&self) -> &Arc<str> {
        &self.cluster
    }

    /// Sends a request, marked as internal. Dropping the future ends it. Cluster and host are
    /// charged as for any request.
    pub fn send(
        &self,
        mut request: AsyncRequest,
    ) -> impl Future<Output = Result<AsyncResponse, AsyncFailure>> + use<> {
        let worker = Rc::clone(&self.worker);
        let cluster = self.clusters.get(&self.cluster);
        async move {
            let cluster = cluster.ok_or(AsyncFailure::NoCluster)?;
            if let Some(stats) = worker.services().get::<ClientStats>() {
                stats.count_request();
            }
            if request.envoy_headers {
                request.headers.set(names::X_ENVOY_INTERNAL, b"true");
            }
            let started = worker.now();
            let mut deadline = Deadline {
                worker: Rc::clone(&worker),
                at: request.timeout.map(|timeout| started + timeout),
                timer: Timer::default(),
            };
            if let Some(timeout) = request.timeout
                && request.envoy_headers
            {
                let mut digits = itoa::Buffer::new();
                let text = digits.format(millis(timeout)).as_bytes();
                let name = names::X_ENVOY_EXPECTED_RQ_TIMEOUT_MS;
                request.headers.set(name, text);
            }
            let host = OnceCell::new();
            let mut outcome = {
                let mut exchange = pin!(exchange(&cluster, request, &host));
                poll_fn(|task| match exchange.as_mut().poll(task) {
                    Poll::Ready(outcome) => Poll::Ready(outcome),
                    Poll::Pending => deadline.poll(task).map(|()| Err(AsyncFailure::Timeout)),
                })
                .await
            };
            let waited = millis(worker.now().saturating_duration_since(started));
            charge(&cluster, host.get(), &outcome, waited);
            if let Ok(response) = &mut outcome {
                let mut digits = itoa::Buffer::new();
                let text = digits.format(waited).as_bytes();
                response
                    .headers
                    .set(names::X_ENVOY_UPSTREAM_SERVICE_TIME, text);
            }
            outcome
        }
    }
}

/// When the response is due.
struct Deadline {
    worker: Rc<Worker>,
    at: Option<Instant>,
    timer: Timer,
}

impl Deadline {
    fn poll(&mut self, task: &Context<'_>) -> Poll<()> {
        self.timer.poll(&self.worker, self.at, task)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.timer.disarm(&self.worker);
    }
}

async fn exchange(
    cluster: &Rc<LocalCluster>,
    mut request: AsyncRequest,
    chosen: &OnceCell<Arc<Host>>,
) -> Result<AsyncResponse, AsyncFailure> {
    let choice = cluster.choose(&HostRequest(&request.headers));
    let host = match choice {
        Choice::Host(host) => Some(host),
        Choice::Pending(host) => host.await,
        Choice::NoHost => None,
    };
    let host = host.ok_or(AsyncFailure::NoHost)?;
    let host = chosen.get_or_init(|| host);
    let mut pending = cluster.http_stream(host, Priority::Default, None);
    let stream = poll_fn(|task| pending.poll(task)).await;
    let mut stream = stream.map_err(|failure| {
        AsyncFailure::Reset(failure.reason, Some(failure.transport_failure_reason))
    })?;
    stream.send_headers(&request.headers, End::when(request.body.is_empty()));
    if !request.body.is_empty() {
        stream.send_data(&mut request.body, End::Stream);
    }
    receive(&mut stream, request.max_response_bytes).await
}

async fn receive(
    stream: &mut ClientStream,
    max_response_bytes: usize,
) -> Result<AsyncResponse, AsyncFailure> {
    let mut response = AsyncResponse {
        status: 0,
        headers: HeaderMap::new(),
        body: Buffer::new(),
        trailers: None,
    };
    loop {
        match poll_fn(|task| stream.poll(task)).await {
            Frame::Informational(_) => {}
            Frame::Headers(headers, end) => {
                let status = headers.get_str(names::STATUS);
                response.status = status.and_then(|status| status.parse().ok()).unwrap_or(0);
                response.headers = headers;
                if end.is_end() {
                    return Ok(response);
                }
            }
            Frame::Data(mut data, end) => {
                if response.body.len() + data.len() > max_response_bytes {
                    return Err(AsyncFailure::TooLarge);
                }
                response.body.append(&mut data);
                response.body.compact();
                if end.is_end() {
                    return Ok(response);
                }
            }
            Frame::Trailers(trailers) => {
                response.trailers = Some(trailers);
                return Ok(response);
            }
            Frame::Reset(reason) => return Err(AsyncFailure::Reset(reason, None)),
        }
    }
}

/// Tells what watches the host.
fn tell(host: &Host, worker: &Worker, outcome: &Result<AsyncResponse, AsyncFailure>) {
    let Some(monitor) = host.monitor() else {
        return;
    };
    match outcome {
        Ok(response) => {
            monitor.on_result(OutlierResult::Connected, worker);
            monitor.on_status(response.status, worker);
            if let (false, Some(trailers)) = (
                monitor.on_load_report(&response.headers, worker),
                &response.trailers,
            ) {
                monitor.on_load_report(trailers, worker);
            }
        }
        Err(AsyncFailure::Timeout) => monitor.on_result(OutlierResult::Timeout(504), worker),
        Err(AsyncFailure::Reset(..)) => monitor.on_result(OutlierResult::ConnectFailed, worker),
        Err(AsyncFailure::NoCluster | AsyncFailure::NoHost | AsyncFailure::TooLarge) => {}
    }
}

/// Charges cluster and host with what became of a request, as the router does.
fn charge(
    cluster: &LocalCluster,
    host: Option<&Arc<Host>>,
    outcome: &Result<AsyncResponse, AsyncFailure>,
    waited: u64,
) {
    let canary = host.is_some_and(|host| host.canary());
    let status = match outcome {
        Ok(response) => {
            cluster.record_response_time(waited, true, canary);
            if let Some(host) = host {
                cluster.record_zone_time(host, waited);
            }
            response.status
        }
        Err(AsyncFailure::Timeout) => {
            cluster.stats().upstream_rq_timeout().inc();
            if let Some(host) = host {
                host.stats().rq_timeout.inc();
            }
            504
        }
        Err(AsyncFailure::NoCluster | AsyncFailure::Reset(ResetReason::Overflow, _)) => return,
        Err(AsyncFailure::Reset(ResetReason::ProtocolError, _)) => 502,
        Err(AsyncFailure::NoHost | AsyncFailure::Reset(..) | AsyncFailure::TooLarge) => 503,
    };
    cluster.count_response(status, true, canary);
    if let Some(host) = host {
        cluster.count_zone(host, status);
        tell(host, cluster.worker(), outcome);
        let stats = host.stats();
        if status >= 500 {
            stats.rq_error.inc();
        } else {
            stats.rq_success.inc();
        }
    }
}
