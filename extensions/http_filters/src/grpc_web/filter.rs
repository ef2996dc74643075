//! The filter on one stream.

use super::base64::{Decoder, FrameEncoder};
use crate::grpc_calls::{CallStats, MethodStats, service_and_method};
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::local_reply::{grpc_status_of, is_grpc};
use nuncio_http::{
    Cx, DataStatus, Direction, HeadersStatus, Hooks, HttpFilter, LocalReply, TrailersStatus,
};
use nuncio_upstream::ClusterManager;
use nuncio_worker::Worker;
use std::rc::Rc;

const BINARY: &str = "application/grpc-web+proto";
const TEXT: &str = "application/grpc-web-text+proto";
const BAD_TEXT: &str = "Bad gRPC-web request, invalid base64 data.";
/// How much of a body that is no gRPC becomes a `grpc-message` where it comes in pieces, in bytes.
const MOST_MESSAGE: usize = 16 * 1024;
/// The flag of a frame of trailers.
const TRAILERS: u8 = 0x80;

/// The filter's configuration: there is nothing to configure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GrpcWebSpec;

/// The filter on one worker.
pub struct GrpcWebLocal {
    stats: CallStats,
}

impl HttpFilterSpec for GrpcWebSpec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        let clusters = ClusterManager::of(worker);
        Rc::new(Local(Rc::new(GrpcWebLocal {
            stats: CallStats::new(clusters, "grpc-web", false),
        })))
    }
}

impl HttpFilterFactory for GrpcWebLocal {
    type Filter = GrpcWebFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST
            .and(Hooks::RESPONSE_HEADERS)
            .and(Hooks::RESPONSE_DATA)
            .and(Hooks::RESPONSE_TRAILERS)
    }

    fn create(self: &Rc<Self>) -> GrpcWebFilter {
        GrpcWebFilter {
            local: Rc::clone(self),
            is_web: false,
            text: None,
            text_answer: None,
            stats: None,
            is_foreign: false,
        }
    }
}

/// The filter.
pub struct GrpcWebFilter {
    local: Rc<GrpcWebLocal>,
    is_web: bool,
    /// The request is text.
    text: Option<Decoder>,
    /// The response is to be text.
    text_answer: Option<FrameEncoder>,
    stats: Option<Rc<MethodStats>>,
    /// The response is no gRPC: its body becomes a message.
    is_foreign: bool,
}

/// What a request's content type may be, and what it may accept: as in Envoy these very texts.
fn is_binary(value: Option<&[u8]>) -> bool {
    matches!(
        value,
        Some(b"application/grpc-web" | b"application/grpc-web+proto")
    )
}

fn is_text(value: Option<&[u8]>) -> bool {
    matches!(
        value,
        Some(b"application/grpc-web-text" | b"application/grpc-web-text+proto")
    )
}

/// The same of a response, of which parameters and case don't count.
fn is_binary_answer(value: Option<&[u8]>) -> bool {
    let value = value.unwrap_or_default();
    let essence = value.split(|byte| *byte == b';').next();
    let essence = essence.unwrap_or_default().trim_ascii_end();
    is_binary(Some(&essence.to_ascii_lowercase()))
}

/// Whether a response is gRPC's or gRPC-Web's.
fn is_answer(headers: &HeaderMap, end: End) -> bool {
    let content_type = headers.get(names::CONTENT_TYPE);
    let is_call = is_grpc(content_type) || is_binary_answer(content_type);
    let is_ended = end.is_end() && headers.contains(names::GRPC_STATUS);
    is_ended || (is_call && headers.get(names::STATUS) == Some(b"200"))
}

/// Makes a response that is no gRPC one that says how the call ended.
fn explain(headers: &mut HeaderMap, body: &Buffer) {
    let status = headers.get_str(names::STATUS).unwrap_or_default();
    let status = grpc_status_of(status.parse().unwrap_or(0)).to_string();
    headers.set(names::GRPC_STATUS, status.as_bytes());
    let mut message = Vec::new();
    for &byte in body.slices().flat_map(|slice| slice.iter()) {
        match byte {
            b' '..=b'~' if byte != b'%' => message.push(byte),
            _ => message.extend(format!("%{byte:02X}").into_bytes()),
        }
    }
    headers.set(names::GRPC_MESSAGE, &message);
    headers.set(names::CONTENT_LENGTH, b"0");
}

impl GrpcWebFilter {
    fn refuse(cx: &mut Cx<'_>, details: &'static str) -> DataStatus {
        cx.local_reply(LocalReply::new(400, BAD_TEXT, details));
        DataStatus::StopIterationNoBuffer
    }

    fn count(&self, fields: Option<&mut HeaderMap>) {
        if let (Some(stats), Some(fields)) = (&self.stats, fields) {
            stats.count_status(fields);
        }
    }

    /// The response's trailers as a frame of the body.
    fn trailers_frame(&mut self, trailers: &HeaderMap) -> Vec<u8> {
        let mut lines = Vec::new();
        for (name, value) in trailers.iter() {
            lines.extend_from_slice(name);
            lines.push(b':');
            lines.extend_from_slice(value);
            lines.extend_from_slice(b"\r\n");
        }
        let length = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        let frame = [&[TRAILERS][..], &length.to_be_bytes(), &lines].concat();
        let Some(encoder) = &mut self.text_answer else {
            return frame;
        };
        let mut text = Vec::new();
        // A frame that is not whole has no end here.
        *encoder = FrameEncoder::default();
        encoder.encode(&frame, &mut text);
        text
    }
}

impl HttpFilter for GrpcWebFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let headers = cx.request_headers();
        let content_type = headers.get(names::CONTENT_TYPE);
        let is_text_request = is_text(content_type);
        self.is_web = is_binary(content_type) || is_text_request;
        if !self.is_web {
            return HeadersStatus::Continue;
        }
        self.text = is_text_request.then(Decoder::default);
        let wants_text = is_text(headers.get(names::ACCEPT));
        self.text_answer = wants_text.then(FrameEncoder::default);
        headers.remove(names::CONTENT_LENGTH);
        headers.set(names::CONTENT_TYPE, b"application/grpc");
        headers.set(names::TE, b"trailers");
        if !headers.contains(names::GRPC_ACCEPT_ENCODING) {
            headers.set(names::GRPC_ACCEPT_ENCODING, b"identity");
        }
        let path = headers.get(names::PATH).unwrap_or_default().to_vec();
        if let Some(method) = service_and_method(&path) {
            self.stats = self.local.stats.of(cx, Some(method));
        }
        HeadersStatus::Continue
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        let Some(decoder) = &mut self.text else {
            return DataStatus::Continue;
        };
        let Some(decoded) = decoder.decode(data) else {
            return Self::refuse(cx, "grpc_base_64_decode_failed");
        };
        if end.is_end() && !decoder.is_whole() {
            return Self::refuse(cx, "grpc_base_64_decode_failed_bad_size");
        }
        *data = Buffer::from(decoded);
        DataStatus::Continue
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        if self
            .text
            .as_ref()
            .is_some_and(|decoder| !decoder.is_whole())
        {
            Self::refuse(cx, "grpc_base_64_decode_failed_bad_size");
            return TrailersStatus::StopIteration;
        }
        TrailersStatus::Continue
    }

    fn response_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        if !self.is_web {
            return HeadersStatus::Continue;
        }
        self.count(cx.response_headers());
        let Some(headers) = cx.response_headers() else {
            return HeadersStatus::Continue;
        };
        self.is_foreign = !is_answer(headers, end);
        headers.remove(names::CONTENT_LENGTH);
        let content_type = match self.text_answer {
            Some(_) => TEXT,
            None => BINARY,
        };
        headers.set(names::CONTENT_TYPE, content_type.as_bytes());
        // What has no body is left as it is.
        match self.is_foreign && !end.is_end() {
            false => HeadersStatus::Continue,
            true => HeadersStatus::StopIteration,
        }
    }

    fn response_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        if self.is_foreign {
            let buffered = cx.buffered(Direction::Response);
            match (end.is_end(), buffered.len() < MOST_MESSAGE) {
                (false, true) => return DataStatus::StopIterationAndBuffer,
                (false, false) => return DataStatus::StopIterationNoBuffer,
                (true, _) => {}
            }
            let in_pieces = !buffered.is_empty();
            let mut body = std::mem::take(buffered);
            body.append(data);
            if in_pieces {
                body = body.split_to(MOST_MESSAGE.min(body.len()));
            }
            if let Some(headers) = cx.response_headers() {
                explain(headers, &body);
            }
            return DataStatus::Continue;
        }
        if let Some(encoder) = &mut self.text_answer {
            let mut text = Vec::with_capacity(data.len() / 3 * 4 + 4);
            for slice in data.slices() {
                encoder.encode(slice, &mut text);
            }
            *data = Buffer::from(text);
        }
        DataStatus::Continue
    }

    fn response_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        if !self.is_web {
            return TrailersStatus::Continue;
        }
        self.count(cx.response_trailers());
        if self.is_foreign {
            let mut body = std::mem::take(cx.buffered(Direction::Response));
            let body = body.split_to(MOST_MESSAGE.min(body.len()));
            if let Some(headers) = cx.response_headers() {
                explain(headers, &body);
            }
            if let Some(trailers) = cx.response_trailers() {
                trailers.clear();
            }
            return TrailersStatus::Continue;
        }
        // They are the body's now, and no longer the message's.
        let trailers = cx.response_trailers().map(std::mem::take);
        let trailers = trailers.unwrap_or_default();
        let frame = self.trailers_frame(&trailers);
        cx.add_data(Buffer::from(frame));
        TrailersStatus::Continue
    }
}
