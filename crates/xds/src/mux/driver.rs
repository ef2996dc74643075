//! Opens a stream, sends what is due, hands on what comes, and begins again when it has ended.

use super::GrpcMux;
use crate::resource::ResourceType;
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_grpc::{GrpcClient, GrpcEvent, GrpcStream, Status};
use nuncio_worker::timer::sleep_until;
use nuncio_worker::{Timer, Worker};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

/// The service and the method for a type, or for all.
pub fn method(kind: Option<ResourceType>, delta: bool) -> (&'static str, &'static str) {
    let pick = |service, methods: [&'static str; 2]| (service, methods[usize::from(delta)]);
    match kind {
        None => pick(
            "envoy.service.discovery.v3.AggregatedDiscoveryService",
            ["StreamAggregatedResources", "DeltaAggregatedResources"],
        ),
        Some(ResourceType::Cluster) => pick(
            "envoy.service.cluster.v3.ClusterDiscoveryService",
            ["StreamClusters", "DeltaClusters"],
        ),
        Some(ResourceType::Endpoint) => pick(
            "envoy.service.endpoint.v3.EndpointDiscoveryService",
            ["StreamEndpoints", "DeltaEndpoints"],
        ),
        Some(ResourceType::ExtensionConfig) => pick(
            "envoy.service.extension.v3.ExtensionConfigDiscoveryService",
            ["StreamExtensionConfigs", "DeltaExtensionConfigs"],
        ),
        Some(ResourceType::Listener) => pick(
            "envoy.service.listener.v3.ListenerDiscoveryService",
            ["StreamListeners", "DeltaListeners"],
        ),
        Some(ResourceType::Route) => pick(
            "envoy.service.route.v3.RouteDiscoveryService",
            ["StreamRoutes", "DeltaRoutes"],
        ),
        Some(ResourceType::Runtime) => pick(
            "envoy.service.runtime.v3.RuntimeDiscoveryService",
            ["StreamRuntime", "DeltaRuntime"],
        ),
        Some(ResourceType::ScopedRoute) => pick(
            "envoy.service.route.v3.ScopedRoutesDiscoveryService",
            ["StreamScopedRoutes", "DeltaScopedRoutes"],
        ),
        Some(ResourceType::Secret) => pick(
            "envoy.service.secret.v3.SecretDiscoveryService",
            ["StreamSecrets", "DeltaSecrets"],
        ),
        // They come one by one only.
        Some(ResourceType::VirtualHost) => pick(
            "envoy.service.route.v3.VirtualHostDiscoveryService",
            ["DeltaVirtualHosts", "DeltaVirtualHosts"],
        ),
    }
}

impl GrpcMux {
    /// Drives the stream from now on, until nobody holds this.
    pub(super) fn run(self: &Rc<Self>) {
        let env = self.owner.env();
        let Some(main) = env.as_ref().and_then(|env| env.main()) else {
            return;
        };
        if self.runs.replace(true) {
            return;
        }
        let client = GrpcClient::new(main, &self.source.service);
        let path = format!("/{}/{}", self.service, self.method);
        let (mux, worker) = (Rc::downgrade(self), Rc::clone(main));
        main.spawn(async move {
            while let Some(opened) = mux.upgrade() {
                opened.on_open();
                // As Envoy has it: while a stream is being tried.
                opened.stats.connected_state.set(1);
                drop(opened);
                let mut stream = client.open(&path);
                let mut timer = Timer::default();
                let ended = poll_fn(|task| {
                    worker.tick();
                    let ended = poll(&mux, &mut stream, &worker, task);
                    let (unsent, now) = (stream.unsent(), worker.now());
                    let due = mux.upgrade().and_then(|it| it.next_allowed(unsent, now));
                    if timer.poll(&worker, due, task).is_ready() {
                        task.waker().wake_by_ref();
                    }
                    ended
                });
                let ended = ended.await;
                timer.disarm(&worker);
                let Some(status) = ended else {
                    return;
                };
                let Some(closed) = mux.upgrade() else {
                    return;
                };
                closed.log_end(&status);
                closed.on_close();
                let wait = worker.with_random(|random| closed.backoff.borrow_mut().next(random));
                drop(closed);
                worker.tick();
                sleep_until(&worker, worker.now() + wait).await;
            }
        });
    }

    fn log_end(&self, status: &Status) {
        log!(
            logger::CONFIG,
            Level::Warning,
            "{} gRPC config stream to {} closed: {}, {}",
            self.method,
            self.source.service.destination(),
            status.code,
            status.message
        );
    }
}

/// Ready with the status once the stream has ended, and with none once nobody wants it.
fn poll(
    mux: &Weak<GrpcMux>,
    stream: &mut GrpcStream,
    worker: &Worker,
    task: &mut Context<'_>,
) -> Poll<Option<Status>> {
    let Some(mux) = mux.upgrade() else {
        return Poll::Ready(None);
    };
    loop {
        for request in mux.requests(stream.unsent(), worker.now()) {
            stream.send(&request);
        }
        stream.flush();
        // What comes is answered, which would grow what waits.
        if stream.is_open() && mux.is_behind(stream.unsent()) {
            *mux.waker.borrow_mut() = Some(task.waker().clone());
            return Poll::Pending;
        }
        match stream.poll(task) {
            Poll::Ready(GrpcEvent::Began) => {}
            Poll::Ready(GrpcEvent::Message(message)) => {
                if let Err(status) = mux.on_message(&message) {
                    return Poll::Ready(Some(status));
                }
                mux.watch_expiry();
            }
            Poll::Ready(GrpcEvent::End(status)) => return Poll::Ready(Some(status)),
            Poll::Pending => {
                *mux.waker.borrow_mut() = Some(task.waker().clone());
                return Poll::Pending;
            }
        }
    }
}
