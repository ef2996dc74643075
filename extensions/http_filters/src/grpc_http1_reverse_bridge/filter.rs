//! The filter on one stream.

use bytes::{BufMut, Bytes, BytesMut};
use nuncio_base::{Buffer, HeaderMap, HeaderName, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::local_reply::{grpc_status_of, is_grpc};
use nuncio_http::{
    Cx, DataStatus, Direction, HeadersStatus, Hooks, HttpFilter, LocalReply, TrailersStatus,
};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// The bytes before a message.
const PREFIX: usize = 5;
/// `INTERNAL`.
const INTERNAL: u32 = 13;

/// The filter's configuration.
#[derive(Clone, Debug)]
pub struct ReverseBridgeSpec(pub(super) Arc<Settings>);

#[derive(Debug)]
pub(super) struct Settings {
    /// What upstreams are sent, and what they must answer.
    pub content_type: String,
    /// Upstreams get bare messages, and answer so.
    pub withholds_frames: bool,
    /// The header that says how large the answer is.
    pub size_header: Option<HeaderName>,
}

/// What a route changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReverseBridgeRouteSpec {
    /// Whether calls are let through as they are.
    pub disabled: bool,
}

/// The filter on one worker.
pub struct ReverseBridgeLocal(Arc<Settings>);

impl HttpFilterSpec for ReverseBridgeSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(ReverseBridgeLocal(Arc::clone(&self.0)))))
    }
}

impl HttpFilterFactory for ReverseBridgeLocal {
    type Filter = ReverseBridgeFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST
            .and(Hooks::RESPONSE_HEADERS)
            .and(Hooks::RESPONSE_DATA)
            .and(Hooks::RESPONSE_TRAILERS)
    }

    fn create(self: &Rc<Self>) -> ReverseBridgeFilter {
        ReverseBridgeFilter {
            local: Rc::clone(self),
            call: None,
            stripped: false,
            status: 0,
            prefix: None,
        }
    }
}

/// The filter.
pub struct ReverseBridgeFilter {
    local: Rc<ReverseBridgeLocal>,
    /// The call's own content type; none: it is no call.
    call: Option<Vec<u8>>,
    /// The request's prefix is off.
    stripped: bool,
    /// How the call ended, by the HTTP status.
    status: u32,
    /// The answer's prefix where its size was said, until it is sent.
    prefix: Option<Bytes>,
}

/// What comes before a message of so many bytes.
fn prefix(length: usize) -> Bytes {
    let mut prefix = BytesMut::with_capacity(PREFIX);
    prefix.put_u8(0);
    prefix.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    prefix.freeze()
}

/// Has `content-length` say what it would without, or with, the prefix.
fn adjust_length(headers: &mut HeaderMap, adjusted: impl Fn(u64) -> Option<u64>) {
    let length = headers.get_str(names::CONTENT_LENGTH);
    if let Some(length) = length.and_then(|text| adjusted(text.parse().ok()?)) {
        headers.set(names::CONTENT_LENGTH, length.to_string().as_bytes());
    }
}

impl ReverseBridgeFilter {
    /// Whether the answer waits for its end to be framed.
    fn holds_back(&self) -> bool {
        let settings = &*self.local.0;
        settings.withholds_frames && settings.size_header.is_none()
    }

    /// The call's end is told in trailers.
    fn say_status(&self, cx: &mut Cx<'_>) {
        let trailers = cx.add_trailers(Direction::Response);
        trailers.set(names::GRPC_STATUS, self.status.to_string().as_bytes());
    }

    fn refuse_size(&mut self, cx: &mut Cx<'_>) -> HeadersStatus {
        self.call = None;
        let message = "envoy reverse bridge: upstream did not set content length";
        let mut reply = LocalReply::new(200, message, "grpc_bridge_content_length_wrong");
        reply.grpc_status = Some(INTERNAL);
        cx.local_reply(reply);
        HeadersStatus::StopIteration
    }

    /// What is wrong with the answer's content type.
    fn wrong_type(&self, headers: &HeaderMap) -> Option<String> {
        let content_type = headers.get(names::CONTENT_TYPE);
        if content_type == Some(self.local.0.content_type.as_bytes()) {
            return None;
        }
        let shown = match content_type {
            Some(other) => format!(
                "unsupported content-type {}",
                String::from_utf8_lossy(other)
            ),
            None => "no content-type header".to_owned(),
        };
        let status = headers.get_str(names::STATUS).unwrap_or_default();
        Some(format!(
            "envoy reverse bridge: upstream responded with {shown}, status code {status}"
        ))
    }
}

impl HttpFilter for ReverseBridgeFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        let route = cx.route_spec::<ReverseBridgeRouteSpec>();
        if end.is_end() || route.is_some_and(|route| route.disabled) {
            return HeadersStatus::Continue;
        }
        let settings = Arc::clone(&self.local.0);
        let headers = cx.request_headers();
        let Some(own) = headers.get(names::CONTENT_TYPE) else {
            return HeadersStatus::Continue;
        };
        if !is_grpc(Some(own)) {
            return HeadersStatus::Continue;
        }
        self.call = Some(own.to_vec());
        headers.set(names::CONTENT_TYPE, settings.content_type.as_bytes());
        headers.set(names::ACCEPT, settings.content_type.as_bytes());
        if settings.withholds_frames {
            adjust_length(headers, |length| length.checked_sub(PREFIX as u64));
        }
        cx.clear_route();
        HeadersStatus::Continue
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, _end: End) -> DataStatus {
        if self.call.is_none() || !self.local.0.withholds_frames || self.stripped {
            return DataStatus::Continue;
        }
        if data.len() < PREFIX {
            let details = "grpc_bridge_data_too_small";
            cx.local_reply(LocalReply::new(200, "invalid request body", details));
            return DataStatus::StopIterationNoBuffer;
        }
        data.advance(PREFIX);
        self.stripped = true;
        DataStatus::Continue
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        let Some(call) = &self.call else {
            return HeadersStatus::Continue;
        };
        let settings = Arc::clone(&self.local.0);
        let Some(headers) = cx.response_headers() else {
            return HeadersStatus::Continue;
        };
        if let Some(message) = self.wrong_type(headers) {
            self.call = None;
            let details = "grpc_bridge_content_type_wrong";
            cx.local_reply(LocalReply::new(200, message, details));
            return HeadersStatus::StopIteration;
        }
        headers.set(names::CONTENT_TYPE, call);
        self.status = match headers.status().unwrap_or(0) {
            200 => 0,
            status => grpc_status_of(status),
        };
        headers.set(names::STATUS, b"200");
        if !settings.withholds_frames {
            return HeadersStatus::Continue;
        }
        if let Some(name) = &settings.size_header {
            let size = headers.get_str(name);
            let Some(size) = size.and_then(|text| text.parse::<u32>().ok()) else {
                return self.refuse_size(cx);
            };
            let whole = u64::from(size) + PREFIX as u64;
            headers.set(names::CONTENT_LENGTH, whole.to_string().as_bytes());
            self.prefix = Some(prefix(size as usize));
        } else {
            adjust_length(headers, |length| length.checked_add(PREFIX as u64));
        }
        if end.is_end() {
            let prefix = self.prefix.take().unwrap_or_else(|| prefix(0));
            cx.add_data(Buffer::from(prefix));
            self.say_status(cx);
        }
        HeadersStatus::Continue
    }

    fn response_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        if self.call.is_none() {
            return DataStatus::Continue;
        }
        if let Some(prefix) = self.prefix.take() {
            data.push_front(prefix);
        }
        if !end.is_end() {
            return match self.holds_back() {
                true => DataStatus::StopIterationAndBuffer,
                false => DataStatus::Continue,
            };
        }
        if self.holds_back() {
            let held = cx.buffered(Direction::Response);
            let prefix = prefix(held.len() + data.len());
            match held.is_empty() {
                true => data.push_front(prefix),
                false => held.push_front(prefix),
            }
        }
        self.say_status(cx);
        DataStatus::Continue
    }

    fn response_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        if self.call.is_none() {
            return TrailersStatus::Continue;
        }
        if let Some(trailers) = cx.response_trailers() {
            trailers.set(names::GRPC_STATUS, self.status.to_string().as_bytes());
        }
        if self.holds_back() {
            let held = cx.buffered(Direction::Response);
            let prefix = prefix(held.len());
            match held.is_empty() {
                true => cx.add_data(Buffer::from(prefix)),
                false => held.push_front(prefix),
            }
        }
        TrailersStatus::Continue
    }
}
