//! The filter on one stream.

use super::messages::MessageCounter;
use crate::grpc_calls::{CallStats, MethodStats, service_and_method};
use nuncio_base::metadata::Value;
use nuncio_base::time::millis;
use nuncio_base::{Buffer, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::local_reply::is_grpc;
use nuncio_http::{Cx, DataStatus, HeadersStatus, Hooks, HttpFilter, TrailersStatus};
use nuncio_stream_info::filter_state::{FilterStateObject, LifeSpan};
use nuncio_upstream::ClusterManager;
use nuncio_worker::Worker;
use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// The name of the filter state.
const STATE: &str = "envoy.filters.http.grpc_stats";

/// Which methods are counted apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Methods {
    /// Every method; what is none is not counted.
    All,
    /// These services' methods; the others together.
    Listed(Vec<(String, String)>),
}

/// The filter's configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrpcStatsSpec {
    /// Whether the numbers of messages are left as filter state.
    pub emit_filter_state: bool,
    /// Whether the upstream's time is recorded.
    pub enable_upstream_stats: bool,
    /// Whether a service's dots become underscores in stats.
    pub replace_dots: bool,
    /// Which methods are counted apart.
    pub methods: Methods,
}

/// The filter on one worker.
pub struct GrpcStatsLocal {
    spec: GrpcStatsSpec,
    stats: CallStats,
}

impl HttpFilterSpec for GrpcStatsSpec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        let clusters = ClusterManager::of(worker);
        Rc::new(Local(Rc::new(GrpcStatsLocal {
            // Names that were listed are told as they were.
            stats: CallStats::new(
                clusters,
                "grpc",
                self.replace_dots && self.methods == Methods::All,
            ),
            spec: self.clone(),
        })))
    }
}

impl HttpFilterFactory for GrpcStatsLocal {
    type Filter = GrpcStatsFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS
            .and(Hooks::REQUEST_DATA)
            .and(Hooks::RESPONSE_HEADERS)
            .and(Hooks::RESPONSE_DATA)
            .and(Hooks::RESPONSE_TRAILERS)
    }

    fn create(self: &Rc<Self>) -> GrpcStatsFilter {
        GrpcStatsFilter {
            local: Rc::clone(self),
            is_call: false,
            is_answer: false,
            stats: None,
            sent: MessageCounter::default(),
            received: MessageCounter::default(),
            state: None,
        }
    }
}

/// The filter.
pub struct GrpcStatsFilter {
    local: Rc<GrpcStatsLocal>,
    is_call: bool,
    is_answer: bool,
    stats: Option<Rc<MethodStats>>,
    sent: MessageCounter,
    received: MessageCounter,
    state: Option<Rc<MessageCounts>>,
}

/// How many messages went each way: the filter state.
#[derive(Default)]
struct MessageCounts {
    request: Cell<u64>,
    response: Cell<u64>,
}

impl FilterStateObject for MessageCounts {
    fn as_text(&self) -> Option<String> {
        Some(format!("{},{}", self.request.get(), self.response.get()))
    }

    fn as_value(&self) -> Option<Value> {
        let number = |cell: &Cell<u64>| Value::Text(cell.get().to_string().into());
        let mut fields = BTreeMap::new();
        for (name, cell) in [
            ("requestMessageCount", &self.request),
            ("responseMessageCount", &self.response),
        ] {
            // As protos are printed: what is zero is left out.
            if cell.get() > 0 {
                fields.insert(name.to_owned(), number(cell));
            }
        }
        Some(Value::Struct(Arc::new(fields)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl GrpcStatsFilter {
    fn find_stats(&self, cx: &mut Cx<'_>) -> Option<Rc<MethodStats>> {
        let path = cx.request_headers_ref().get(names::PATH)?.to_vec();
        let called = service_and_method(&path);
        let method = match &self.local.spec.methods {
            Methods::All => Some(called?),
            Methods::Listed(listed) => Some(called?).filter(|(service, method)| {
                let mut listed = listed.iter();
                listed.any(|(a, b)| a == service && b == method)
            }),
        };
        self.local.stats.of(cx, method)
    }

    fn show(&mut self, cx: &mut Cx<'_>) {
        if !self.local.spec.emit_filter_state {
            return;
        }
        let state = self.state.get_or_insert_with(|| {
            let state = Rc::new(MessageCounts::default());
            let object: Rc<dyn FilterStateObject> = Rc::<MessageCounts>::clone(&state);
            cx.info()
                .filter_state
                .set(STATE, LifeSpan::FilterChain, object);
            state
        });
        state.request.set(self.sent.count);
        state.response.set(self.received.count);
    }

    /// Records how long it took from the request's last byte to the response's.
    fn record_time(&self, cx: &mut Cx<'_>) {
        let timings = &cx.info().timings;
        if let (true, Some(stats), Some(sent), Some(received)) = (
            self.local.spec.enable_upstream_stats,
            &self.stats,
            timings.last_upstream_tx,
            timings.last_upstream_rx,
        ) {
            stats.record_time(millis(received.saturating_duration_since(sent)));
        }
    }
}

impl HttpFilter for GrpcStatsFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        self.is_call = is_grpc(cx.request_headers().get(names::CONTENT_TYPE));
        if self.is_call {
            self.stats = self.find_stats(cx);
        }
        HeadersStatus::Continue
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, _end: End) -> DataStatus {
        if self.is_call {
            let more = self.sent.inspect(data);
            if more > 0 {
                self.show(cx);
                if let Some(stats) = &self.stats {
                    stats.add("request_message_count", more);
                }
            }
        }
        DataStatus::Continue
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        let Some(headers) = cx.response_headers() else {
            return HeadersStatus::Continue;
        };
        self.is_answer =
            headers.get(names::STATUS) == Some(b"200") && is_grpc(headers.get(names::CONTENT_TYPE));
        if let Some(stats) = &self.stats {
            stats.count_status(headers);
            if end.is_end() {
                self.record_time(cx);
            }
        }
        HeadersStatus::Continue
    }

    fn response_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, _end: End) -> DataStatus {
        if self.is_answer {
            let more = self.received.inspect(data);
            if more > 0 {
                self.show(cx);
                if let Some(stats) = &self.stats {
                    stats.add("response_message_count", more);
                }
            }
        }
        DataStatus::Continue
    }

    fn response_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        if let (Some(stats), Some(trailers)) = (&self.stats, cx.response_trailers()) {
            stats.count_status(trailers);
            self.record_time(cx);
        }
        TrailersStatus::Continue
    }
}
