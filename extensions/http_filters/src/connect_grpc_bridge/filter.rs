//! The filter on one stream.

use super::outcome::{Failure, end_of_stream, take};
use super::request::{Call, convert, rename};
use bytes::{BufMut, BytesMut};
use nuncio_base::header_value::is_value;
use nuncio_base::{Buffer, HeaderMap, HeaderName, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::local_reply::is_grpc;
use nuncio_http::{
    Cx, DataStatus, Direction, HeadersStatus, Hooks, HttpFilter, LocalReply, TrailersStatus,
};
use nuncio_worker::Worker;
use std::rc::Rc;

/// The bytes before a message.
const PREFIX: usize = 5;

/// The filter's configuration; there is nothing to configure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectGrpcBridgeSpec;

/// The filter on one worker.
pub struct ConnectGrpcBridgeLocal;

impl HttpFilterSpec for ConnectGrpcBridgeSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(ConnectGrpcBridgeLocal)))
    }
}

impl HttpFilterFactory for ConnectGrpcBridgeLocal {
    type Filter = ConnectGrpcBridgeFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST
            .and(Hooks::RESPONSE_HEADERS)
            .and(Hooks::RESPONSE_DATA)
            .and(Hooks::RESPONSE_TRAILERS)
    }

    fn create(self: &Rc<Self>) -> ConnectGrpcBridgeFilter {
        ConnectGrpcBridgeFilter {
            request: Request::Other,
            response: Response::Other,
        }
    }
}

/// What is to be done with the request's body, and with its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Request {
    /// Nothing.
    Other,
    /// It is a message, which gets a frame, and so is the answer.
    Message { compressed: bool },
    /// It is framed, as the answer is to be.
    Stream,
}

/// What is to be done with the response's body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Response {
    /// Nothing.
    Other,
    /// It is a message, of whose frame so much is still to be dropped.
    Message { prefix_left: usize },
    /// It is framed; trailers become a frame.
    Stream,
}

/// The filter.
pub struct ConnectGrpcBridgeFilter {
    request: Request,
    response: Response,
}

/// What comes before a message.
fn prefix(compressed: bool, length: usize) -> BytesMut {
    let mut prefix = BytesMut::with_capacity(PREFIX);
    prefix.put_u8(compressed.into());
    prefix.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    prefix
}

/// Frames the request's message, of which `last` is the rest.
fn frame(cx: &mut Cx<'_>, compressed: bool, last: &mut Buffer) {
    let held = cx.buffered(Direction::Request);
    let prefix = prefix(compressed, held.len() + last.len()).freeze();
    if held.is_empty() {
        last.push_front(prefix);
    } else {
        held.push_front(prefix);
    }
}

/// Whether a response is gRPC's.
fn is_answer(headers: &HeaderMap, end: End) -> bool {
    is_grpc(headers.get(names::CONTENT_TYPE))
        && headers.get(names::STATUS) == Some(b"200")
        && (!end.is_end() || headers.contains(names::GRPC_STATUS))
}

/// Says by the content type that messages are of the codec of gRPC's, in Connect's protocol.
fn set_content_type(headers: &mut HeaderMap, protocol: &str) {
    let kind = headers.get(names::CONTENT_TYPE).unwrap_or_default();
    let codec = kind.strip_prefix(b"application/grpc+").unwrap_or(b"proto");
    let kind = [protocol.as_bytes(), codec].concat();
    headers.set(names::CONTENT_TYPE, &kind);
}

/// Makes a response one that tells of an error; its body.
fn explain(headers: &mut HeaderMap, failure: &Failure) -> Buffer {
    headers.set(names::STATUS, failure.status.to_string().as_bytes());
    headers.set(names::CONTENT_TYPE, b"application/json");
    headers.remove(names::CONTENT_ENCODING);
    headers.remove(names::GRPC_ACCEPT_ENCODING);
    Buffer::from(failure.error.to_string().into_bytes())
}

impl ConnectGrpcBridgeFilter {
    /// The answer to a call of one message, of which headers are all there is.
    fn answer_without_body(cx: &mut Cx<'_>) {
        let Some(headers) = cx.response_headers() else {
            return;
        };
        if let Some(failure) = take(headers) {
            headers.remove(names::CONTENT_LENGTH);
            let body = explain(headers, &failure);
            cx.add_data(body);
        }
    }

    fn stream_headers(cx: &mut Cx<'_>, end: End) {
        let Some(headers) = cx.response_headers() else {
            return;
        };
        headers.remove(names::CONTENT_LENGTH);
        set_content_type(headers, "application/connect+");
        rename(headers, "grpc-encoding", "connect-content-encoding");
        rename(headers, "grpc-accept-encoding", "connect-accept-encoding");
        if end.is_end() {
            let last = end_of_stream(take(headers), &HeaderMap::new());
            cx.add_data(Buffer::from(last));
        }
    }
}

impl HttpFilter for ConnectGrpcBridgeFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        let headers = cx.request_headers();
        let Some(call) = convert(headers, end.is_end()) else {
            return HeadersStatus::Continue;
        };
        match call {
            Call::Stream => {
                self.request = Request::Stream;
                HeadersStatus::Continue
            }
            Call::Post { compressed } => {
                self.request = Request::Message { compressed };
                if end.is_end() {
                    cx.add_data(Buffer::from(prefix(compressed, 0).freeze()));
                }
                HeadersStatus::Continue
            }
            Call::Get {
                message,
                compressed,
            } => {
                // Both are of the query, decoded.
                for name in ["content-type", "grpc-encoding"] {
                    if headers.get(name).is_some_and(|value| !is_value(value)) {
                        cx.local_reply(LocalReply::invalid_value(name));
                        return HeadersStatus::StopIteration;
                    }
                }
                self.request = Request::Message { compressed };
                let mut body = prefix(compressed, message.len());
                body.extend_from_slice(&message);
                cx.add_data(Buffer::from(body.freeze()));
                HeadersStatus::Continue
            }
        }
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        let Request::Message { compressed } = self.request else {
            return DataStatus::Continue;
        };
        if !end.is_end() {
            return DataStatus::StopIterationAndBuffer;
        }
        frame(cx, compressed, data);
        DataStatus::Continue
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        if let Request::Message { compressed } = self.request {
            let mut rest = Buffer::new();
            frame(cx, compressed, &mut rest);
            cx.add_data(rest);
        }
        TrailersStatus::Continue
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        let headers = cx.response_headers();
        if !headers.is_some_and(|headers| is_answer(headers, end)) {
            return HeadersStatus::Continue;
        }
        match self.request {
            Request::Other => HeadersStatus::Continue,
            Request::Stream => {
                self.response = Response::Stream;
                Self::stream_headers(cx, end);
                HeadersStatus::Continue
            }
            Request::Message { .. } => {
                if let Some(headers) = cx.response_headers() {
                    set_content_type(headers, "application/");
                    rename(headers, "grpc-encoding", "content-encoding");
                }
                if end.is_end() {
                    Self::answer_without_body(cx);
                    return HeadersStatus::Continue;
                }
                if let Some(headers) = cx.response_headers() {
                    headers.remove(names::CONTENT_LENGTH);
                }
                self.response = Response::Message {
                    prefix_left: PREFIX,
                };
                HeadersStatus::StopIteration
            }
        }
    }

    fn response_data(&mut self, _cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        let Response::Message { prefix_left } = &mut self.response else {
            return DataStatus::Continue;
        };
        let step = data.len().min(*prefix_left);
        data.advance(step);
        *prefix_left -= step;
        match end.is_end() {
            true => DataStatus::Continue,
            false => DataStatus::StopIterationAndBuffer,
        }
    }

    fn response_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        if self.response == Response::Other {
            return TrailersStatus::Continue;
        }
        // They are the body's or the head's now, and no longer the message's.
        let trailers = cx.response_trailers().map(std::mem::take);
        let mut trailers = trailers.unwrap_or_default();
        let failure = take(&mut trailers);
        if self.response == Response::Stream {
            cx.add_data(Buffer::from(end_of_stream(failure, &trailers)));
            return TrailersStatus::Continue;
        }
        let Some(headers) = cx.response_headers() else {
            return TrailersStatus::Continue;
        };
        for (name, value) in trailers.iter() {
            let name = format!("trailer-{}", String::from_utf8_lossy(name));
            headers.append(&HeaderName::new(&name), value);
        }
        if let Some(failure) = failure {
            let body = explain(headers, &failure);
            cx.buffered(Direction::Response).clear();
            cx.add_data(body);
        }
        TrailersStatus::Continue
    }
}
