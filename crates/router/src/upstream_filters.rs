//! HTTP filters between the router and a connection: those of a cluster, or the router's own
//! (`HttpProtocolOptions.http_filters`, `Router.upstream_http_filters`).

use crate::router::Router;
use crate::upstream_stream::UpstreamStream;
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::{End, Frame};
use nuncio_http::Cx;
use nuncio_http::chain::orders::Respond;
use nuncio_http::chain::{FilterStream, LocalChain, Out};
use nuncio_http::config::StreamConfig;
use nuncio_http::factory::{ChainSpec, HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::filter::{DataStatus, HeadersStatus, Hooks, HttpFilter, TrailersStatus};
use nuncio_stream_info::{BytesMeter, UpstreamInfo};
use nuncio_upstream::LocalCluster;
use nuncio_worker::Worker;
use nuncio_worker::local_slot::LocalSlot;
use std::any::Any;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

/// The filter that ends an upstream chain: what comes to it goes to the connection
/// (`envoy.filters.http.upstream_codec`).
pub struct UpstreamCodecSpec;

impl HttpFilterSpec for UpstreamCodecSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(UpstreamCodecLocal)))
    }
}

struct UpstreamCodecLocal;

impl HttpFilterFactory for UpstreamCodecLocal {
    type Filter = UpstreamCodec;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST
    }

    fn create(self: &Rc<Self>) -> UpstreamCodec {
        UpstreamCodec
    }
}

struct UpstreamCodec;

impl HttpFilter for UpstreamCodec {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        let headers = cx.request_headers().clone();
        cx.state().sent.push_back(Respond::Headers(headers, end));
        HeadersStatus::StopIteration
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        let data = std::mem::take(data);
        cx.state().sent.push_back(Respond::Data(data, end));
        DataStatus::StopIterationNoBuffer
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        let trailers = cx.request_trailers().cloned().unwrap_or_default();
        cx.state().sent.push_back(Respond::Trailers(trailers));
        TrailersStatus::StopIteration
    }
}

/// The upstream chains of a worker, by the configuration they were made of.
pub(crate) struct UpstreamChains {
    of_router: Option<Rc<LocalChain>>,
    of_clusters: LocalSlot<HashMap<*const (), OfCluster>>,
    config: Rc<StreamConfig>,
}

/// A cluster's chain, and what it was made of.
type OfCluster = (Arc<dyn Any + Send + Sync>, Rc<LocalChain>);

impl UpstreamChains {
    pub fn new(of_router: &ChainSpec, worker: &Rc<Worker>) -> Self {
        let has_filters = !of_router.filters.is_empty();
        Self {
            of_router: has_filters.then(|| LocalChain::new(of_router, worker)),
            of_clusters: LocalSlot::default(),
            config: Rc::default(),
        }
    }

    /// The chain of requests to a cluster: its own, or the router's; most often none.
    fn of(&self, cluster: &LocalCluster, worker: &Rc<Worker>) -> Option<Rc<LocalChain>> {
        let Some(spec) = &cluster.spec().http.filters else {
            return self.of_router.clone();
        };
        let key = Arc::as_ptr(spec).cast::<()>();
        self.of_clusters.with(|known| {
            if let Some((_, chain)) = known.get(&key) {
                return Some(Rc::clone(chain));
            }
            // Clusters that were replaced hold theirs no more.
            known.retain(|_, (spec, _)| Arc::strong_count(spec) > 1);
            let chain = LocalChain::new(spec.downcast_ref::<ChainSpec>()?, worker);
            known.insert(key, (Arc::clone(spec), Rc::clone(&chain)));
            Some(chain)
        })
    }
}

impl Router {
    /// Puts the upstream filters, if there are any, before the connection that the attempt got.
    pub(crate) fn add_upstream_filters(&mut self, cx: &mut Cx<'_>) {
        let Some(cluster) = self.cluster.clone() else {
            return;
        };
        let worker = Rc::clone(cx.worker());
        let chains = &self.local.upstream_chains;
        let Some(chain) = chains.of(&cluster, &worker) else {
            return;
        };
        let config = Rc::clone(&chains.config);
        let mut info = self.attempt_info(cx);
        info.protocol = info.upstream_mut().protocol;
        let mut filters = FilterStream::new(&chain, &config, info);
        filters.state.buffer_limit = cx.buffer_limit();
        let route = &cx.state().route;
        if let Some(table) = route.table().cloned() {
            let found = route.found();
            filters.state.route.begin(table, worker.random());
            filters.state.restore_route(found);
        }
        if let Some(attempt) = &mut self.attempt {
            attempt.wrap(|inner| {
                UpstreamStream::Filtered(Box::new(FilteredStream {
                    filters: Some(filters),
                    inner,
                }))
            });
        }
    }
}

/// A connection behind filters.
pub(crate) struct FilteredStream {
    /// Taken when it is dropped.
    filters: Option<Box<FilterStream>>,
    inner: UpstreamStream,
}

impl FilteredStream {
    /// Sends what has passed the filters.
    fn pump(&mut self) {
        let Some(filters) = &mut self.filters else {
            return;
        };
        while let Some(sent) = filters.state.sent.pop_front() {
            match sent {
                Respond::Headers(headers, end) => self.inner.send_headers(&headers, end),
                Respond::Data(mut data, end) => self.inner.send_data(&mut data, end),
                Respond::Trailers(trailers) => self.inner.send_trailers(&trailers),
                Respond::Informational(_) => {}
            }
        }
    }

    pub fn send_headers(&mut self, headers: &HeaderMap, end: End) {
        if let Some(filters) = &mut self.filters {
            filters.state.request.headers = headers.clone();
            filters.request_headers(end);
        }
        self.pump();
    }

    pub fn send_data(&mut self, data: &mut Buffer, end: End) {
        if let Some(filters) = &mut self.filters
            && !filters.state.request_aborted
        {
            filters.request_data(std::mem::take(data), end);
        }
        self.pump();
    }

    pub fn send_trailers(&mut self, trailers: &HeaderMap) {
        if let Some(filters) = &mut self.filters
            && !filters.state.request_aborted
        {
            filters.request_trailers(trailers.clone());
        }
        self.pump();
    }

    /// What has passed the filters on the way back.
    fn next_out(&mut self) -> Option<Frame> {
        let state = &mut self.filters.as_mut()?.state;
        Some(match state.out.pop_front()? {
            Out::Informational(headers) => Frame::Informational(headers),
            Out::Headers(end) => Frame::Headers(std::mem::take(&mut state.response.headers), end),
            Out::Data(data, end) => Frame::Data(data, end),
            Out::Trailers => Frame::Trailers(state.response.trailers.take().unwrap_or_default()),
            Out::Reset(reason) => Frame::Reset(reason),
        })
    }

    pub fn poll(&mut self, task: &mut Context<'_>) -> Poll<Frame> {
        loop {
            let moved = self
                .filters
                .as_mut()
                .is_some_and(|filters| filters.poll(task));
            self.pump();
            if let Some(frame) = self.next_out() {
                return Poll::Ready(frame);
            }
            let Some(filters) = self.filters.as_mut().filter(|filters| !filters.is_over()) else {
                return Poll::Pending;
            };
            match self.inner.poll(task) {
                Poll::Pending if moved => {}
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Frame::Reset(reason)) => return Poll::Ready(Frame::Reset(reason)),
                Poll::Ready(frame) => filters.order(|cx| match frame {
                    Frame::Informational(headers) => cx.respond_1xx(headers),
                    Frame::Headers(headers, end) => cx.respond_headers(headers, end),
                    Frame::Data(data, end) => cx.respond_data(data, end),
                    Frame::Trailers(trailers) => cx.respond_trailers(trailers),
                    Frame::Reset(reason) => cx.reset(reason),
                }),
            }
        }
    }

    pub fn flush(&mut self, task: &mut Context<'_>) {
        self.inner.flush(task);
    }

    pub fn write_blocked(&self) -> bool {
        let paused = |filters: &FilterStream| filters.state.request.paused();
        self.inner.write_blocked() || self.filters.as_deref().is_some_and(paused)
    }

    pub fn bytes(&self) -> BytesMeter {
        self.inner.bytes()
    }

    pub fn describe(&self, upstream: &mut UpstreamInfo) {
        self.inner.describe(upstream);
    }

    /// The request's headers as the filters have left them: another attempt begins with them.
    pub fn request_headers(&self) -> Option<&HeaderMap> {
        Some(&self.filters.as_ref()?.state.request.headers)
    }

    /// When a filter wants its turn at the latest.
    pub fn wake_at(&self) -> Option<Instant> {
        self.filters.as_ref()?.state.wake_at
    }
}

impl Drop for FilteredStream {
    fn drop(&mut self) {
        if let Some(filters) = self.filters.take() {
            filters.finish();
        }
    }
}
