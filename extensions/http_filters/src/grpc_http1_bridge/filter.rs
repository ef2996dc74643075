//! The filter on one stream.

use bytes::{BufMut, BytesMut};
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::local_reply::is_grpc;
use nuncio_http::{Cx, DataStatus, Direction, HeadersStatus, Hooks, HttpFilter, TrailersStatus};
use nuncio_stream_info::Protocol;
use nuncio_worker::Worker;
use std::rc::Rc;

/// The bytes before a message.
const PREFIX: usize = 5;

/// The filter's configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GrpcHttp1BridgeSpec {
    /// Whether a bare Protobuf message becomes a call.
    pub upgrade_protobuf: bool,
    /// Whether the query is taken off paths of calls.
    pub ignore_query: bool,
}

/// The filter on one worker.
pub struct GrpcHttp1BridgeLocal {
    spec: GrpcHttp1BridgeSpec,
}

impl HttpFilterSpec for GrpcHttp1BridgeSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(GrpcHttp1BridgeLocal { spec: *self })))
    }
}

impl HttpFilterFactory for GrpcHttp1BridgeLocal {
    type Filter = GrpcHttp1BridgeFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST
            .and(Hooks::RESPONSE_HEADERS)
            .and(Hooks::RESPONSE_DATA)
            .and(Hooks::RESPONSE_TRAILERS)
    }

    fn create(self: &Rc<Self>) -> GrpcHttp1BridgeFilter {
        GrpcHttp1BridgeFilter {
            spec: self.spec,
            bridges: false,
            frames: false,
            prefix_left: PREFIX,
        }
    }
}

/// The filter.
pub struct GrpcHttp1BridgeFilter {
    spec: GrpcHttp1BridgeSpec,
    /// The client speaks HTTP/1, and calls.
    bridges: bool,
    /// Its message is bare, and so is the answer's.
    frames: bool,
    /// How much of what comes before the answer's message is still to be dropped.
    prefix_left: usize,
}

impl GrpcHttp1BridgeFilter {
    /// Frames the request's message, of which `last` is the rest.
    fn frame(cx: &mut Cx<'_>, last: &mut Buffer) {
        let held = cx.buffered(Direction::Request);
        let length = held.len() + last.len();
        let mut prefix = BytesMut::with_capacity(PREFIX);
        prefix.put_u8(0);
        prefix.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        if held.is_empty() {
            last.push_front(prefix.freeze());
        } else {
            held.push_front(prefix.freeze());
        }
    }

    fn unframe(&mut self, data: &mut Buffer) {
        let step = self.prefix_left.min(data.len());
        data.advance(step);
        self.prefix_left -= step;
    }
}

/// Whether a message is Protobuf's by its content type.
fn is_protobuf(headers: &HeaderMap) -> bool {
    headers.get(names::CONTENT_TYPE) == Some(b"application/x-protobuf")
}

/// Says what became of the call by the HTTP status, of a response whose body is so long.
fn finish(headers: &mut HeaderMap, length: usize) {
    let status = headers.get(names::GRPC_STATUS);
    if status.is_some_and(|status| status != b"0") {
        headers.set(names::STATUS, b"503");
    }
    headers.set(names::CONTENT_LENGTH, length.to_string().as_bytes());
}

impl HttpFilter for GrpcHttp1BridgeFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        let is_http1 = matches!(
            cx.info().protocol,
            Some(Protocol::Http10 | Protocol::Http11)
        );
        let headers = cx.request_headers();
        if self.spec.upgrade_protobuf && is_protobuf(headers) {
            self.frames = true;
            headers.set(names::CONTENT_TYPE, b"application/grpc");
            headers.remove(names::CONTENT_LENGTH);
        }
        let is_call = is_grpc(headers.get(names::CONTENT_TYPE));
        if self.spec.ignore_query && is_call {
            let path = headers.get(names::PATH).unwrap_or_default();
            let path = path.split(|byte| *byte == b'?').next();
            let path = path.unwrap_or_default().to_vec();
            headers.set(names::PATH, &path);
        }
        self.bridges = is_http1 && is_call;
        match self.frames && !end.is_end() {
            // The head goes on with the message, whose length is known then.
            true => HeadersStatus::StopIteration,
            false => HeadersStatus::Continue,
        }
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        if !self.frames {
            return DataStatus::Continue;
        }
        if !end.is_end() {
            return DataStatus::StopIterationAndBuffer;
        }
        Self::frame(cx, data);
        DataStatus::Continue
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        if self.frames {
            Self::frame(cx, &mut Buffer::new());
        }
        TrailersStatus::Continue
    }

    fn response_headers(&mut self, _cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        if !self.bridges {
            return HeadersStatus::Continue;
        }
        // A head that is all there is says how the call ended, whatever its HTTP status.
        match end.is_end() {
            false => HeadersStatus::StopIteration,
            true => HeadersStatus::Continue,
        }
    }

    fn response_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        if !self.bridges {
            return DataStatus::Continue;
        }
        if self.frames {
            self.unframe(data);
        }
        if !end.is_end() {
            return DataStatus::StopIterationAndBuffer;
        }
        let length = cx.buffered(Direction::Response).len() + data.len();
        if let Some(headers) = cx.response_headers() {
            headers.set(names::CONTENT_LENGTH, length.to_string().as_bytes());
        }
        DataStatus::Continue
    }

    fn response_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        if !self.bridges {
            return TrailersStatus::Continue;
        }
        let length = cx.buffered(Direction::Response).len();
        let said = [names::GRPC_STATUS, names::GRPC_MESSAGE].map(|name| {
            let trailers = cx.response_trailers();
            let value = trailers.and_then(|trailers| trailers.get(name));
            (name, value.map(<[u8]>::to_vec))
        });
        if let Some(headers) = cx.response_headers() {
            for (name, value) in said {
                if let Some(value) = value {
                    headers.set(name, &value);
                }
            }
            finish(headers, length);
        }
        TrailersStatus::Continue
    }
}
