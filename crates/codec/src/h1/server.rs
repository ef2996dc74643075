//! The server's side of a connection: requests in, responses out, one at a time.

mod state;

use super::body::Body;
use super::encode::{BodyWriter, Framing, Plan, write_head};
use super::error::H1Error;
use super::head::{Head, Start};
use super::reason::reason_phrase;
use super::request::{self, RequestFacts};
use super::settings::H1Settings;
use crate::{End, Frame, HeaderPool, ResetReason};
use bytes::{Buf, Bytes, BytesMut};
use nuncio_base::{Buffer, HeaderMap, names};

/// The codec of a downstream connection. It holds no memory of its own between requests.
///
/// [`next`](Self::next) gives a request frame by frame; behind its end it gives none until
/// [`begin_next`](Self::begin_next), so that pipelined requests wait in the connection's buffer
/// for their turn. Responses are written by the `encode_` methods.
#[derive(Debug, Default)]
pub struct H1Server {
    reading: Reading,
    request: RequestFacts,
    response: Response,
    pub(super) writer: BodyWriter,
    closes: bool,
    dropped: u32,
}

#[derive(Debug)]
enum Reading {
    /// A head, of which this has been read.
    Head(Option<Box<Head>>),
    Body(Body),
    /// Behind the request.
    Ended,
    Failed,
}

impl Default for Reading {
    fn default() -> Self {
        Self::Head(None)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Response {
    #[default]
    Awaited,
    Started,
    Ended,
}

impl H1Server {
    /// A codec for a new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a head has begun to come and is not complete.
    pub fn is_in_head(&self) -> bool {
        matches!(self.reading, Reading::Head(Some(_)))
    }

    /// The next frame of the request, cut from `input`, which holds everything received and not
    /// yet taken. None: more bytes are needed, or the request has ended. What is left in `input`
    /// must be there again at the next call, with what came in between behind it.
    ///
    /// An error ends the connection: see [`H1Error`] for what to answer.
    pub fn next(
        &mut self,
        settings: &H1Settings,
        input: &mut Bytes,
        pool: &mut HeaderPool,
    ) -> Result<Option<Frame>, H1Error> {
        let result = match &mut self.reading {
            Reading::Head(partial) => {
                let partial = partial.take();
                self.next_head(partial, settings, input, pool)
            }
            Reading::Body(body) => body.next(settings, input, pool),
            Reading::Ended | Reading::Failed => return Ok(None),
        };
        match &result {
            Ok(Some(Frame::Headers(_, end) | Frame::Data(_, end))) if end.is_end() => {
                self.reading = Reading::Ended;
            }
            Ok(Some(Frame::Trailers(_))) => self.reading = Reading::Ended,
            Ok(_) => {}
            Err(_) => {
                self.reading = Reading::Failed;
                self.closes = true;
            }
        }
        result
    }

    fn next_head(
        &mut self,
        partial: Option<Box<Head>>,
        settings: &H1Settings,
        input: &mut Bytes,
        pool: &mut HeaderPool,
    ) -> Result<Option<Frame>, H1Error> {
        let Some(boxed) = partial else {
            skip_empty_lines(input);
            if input.is_empty() || input[..] == *b"\r" {
                return Ok(None);
            }
            let head = Head::new(Start::Request(None), settings, pool);
            return self.read_head(head, settings, input, pool);
        };
        self.read_head(*boxed, settings, input, pool)
    }

    fn read_head(
        &mut self,
        mut head: Head,
        settings: &H1Settings,
        input: &mut Bytes,
        pool: &mut HeaderPool,
    ) -> Result<Option<Frame>, H1Error> {
        let result = match head.read(settings, input) {
            Ok(false) => {
                self.reading = Reading::Head(Some(Box::new(head)));
                return Ok(None);
            }
            Ok(true) => request::finish(&mut head, settings, input),
            Err(error) => Err(error),
        };
        self.dropped += head.dropped;
        match result {
            Ok((facts, body)) => {
                input.advance(head.at);
                self.request = facts;
                let end = End::when(matches!(body, Body::None));
                self.reading = Reading::Body(body);
                Ok(Some(Frame::Headers(head.map, end)))
            }
            Err(error) => {
                head.discard(pool);
                Err(error)
            }
        }
    }

    /// The client has closed its side. What ends with the connection gets its end, a request that
    /// is cut short is reset; None where nothing was under way.
    pub fn on_eof(&mut self, pool: &mut HeaderPool) -> Option<Frame> {
        self.closes = true;
        match std::mem::replace(&mut self.reading, Reading::Ended) {
            Reading::Head(None) | Reading::Ended | Reading::Failed => None,
            Reading::Head(Some(head)) => {
                head.discard(pool);
                Some(Frame::Reset(ResetReason::ConnectionTermination))
            }
            Reading::Body(Body::Opaque) => Some(Frame::Data(Buffer::new(), End::Stream)),
            Reading::Body(body) => {
                body.discard(pool);
                Some(Frame::Reset(ResetReason::ConnectionTermination))
            }
        }
    }

    /// Gets ready for the next request. Both messages must have ended
    /// ([`is_complete`](Self::is_complete)) and the connection not need closing.
    pub fn begin_next(&mut self) {
        debug_assert!(self.is_complete() && !self.should_close());
        *self = Self {
            dropped: self.dropped,
            ..Self::default()
        };
    }

    /// Writes the head of the final response. `scratch` is a block for heads; the head is cut off
    /// it and stands in `out` as one slice, so that head and body go out in one vectored write.
    ///
    /// Framing is the codec's: a `content-length` in the map if it is a number, else chunks, else
    /// (HTTP/1.0) the end of the connection. `connection` is set where the connection will close,
    /// or HTTP/1.0 wants to be told that it stays.
    pub fn encode_headers(
        &mut self,
        settings: &H1Settings,
        headers: &HeaderMap,
        end: End,
        scratch: &mut BytesMut,
        out: &mut Buffer,
    ) {
        let status = status_of(headers);
        let (plan, writer) = self.plan(headers, status, end);
        self.writer = writer;
        self.write_response_head(settings, headers, status, plan, scratch);
        out.push(scratch.split().freeze());
        self.response = Response::Started;
        if end.is_end() {
            self.end_response(true);
        }
    }

    /// Writes an interim response: 100, 102, 103. An HTTP/1.0 client gets none (RFC 9110 section
    /// 15.2).
    pub fn encode_informational(
        &mut self,
        settings: &H1Settings,
        headers: &HeaderMap,
        scratch: &mut BytesMut,
        out: &mut Buffer,
    ) {
        if self.request.is_http10 || self.response_started() {
            return;
        }
        self.request.expects_continue = false;
        let plan = Plan {
            keeps_length: false,
            framing: Framing::None,
            connection: None,
        };
        self.write_response_head(settings, headers, status_of(headers), plan, scratch);
        out.push(scratch.split().freeze());
    }

    /// Writes `100 Continue` on the proxy's own behalf.
    pub fn encode_continue(&mut self, out: &mut Buffer) {
        if self.expects_continue() && !self.response_started() {
            self.request.expects_continue = false;
            out.push(Bytes::from_static(b"HTTP/1.1 100 Continue\r\n\r\n"));
        }
    }

    /// Writes a piece of the body, emptying `data`; large pieces are not copied.
    pub fn encode_data(
        &mut self,
        data: &mut Buffer,
        end: End,
        scratch: &mut BytesMut,
        out: &mut Buffer,
    ) {
        let fits = self.writer.data(data, end, scratch, out);
        if end.is_end() || !fits {
            self.end_response(fits);
        }
    }

    /// Writes the trailers, which end the response; without `enable_trailers`, the end alone.
    pub fn encode_trailers(
        &mut self,
        settings: &H1Settings,
        trailers: &HeaderMap,
        scratch: &mut BytesMut,
        out: &mut Buffer,
    ) {
        let fits = self.writer.trailers(trailers, settings, scratch, out);
        self.end_response(fits);
    }

    fn end_response(&mut self, fits: bool) {
        if !fits || matches!(self.writer, BodyWriter::Length(1..) | BodyWriter::Raw) {
            self.closes = true;
        }
        self.writer = BodyWriter::None;
        self.response = Response::Ended;
    }

    /// How the body is framed, and what the head says about it (RFC 9112 section 6.3, and what
    /// Envoy does where that leaves a choice).
    fn plan(&mut self, headers: &HeaderMap, status: u16, end: End) -> (Plan, BodyWriter) {
        let request = self.request;
        let switches = status == 101 || (request.is_connect && (200..300).contains(&status));
        let length = request::content_length(headers).unwrap_or(None);
        let has_no_body = request.is_head || matches!(status, 204 | 304);
        // Without a length the end of the connection is an HTTP/1.0 response's end.
        self.closes |= request.is_http10 && length.is_none();
        let (keeps_length, framing, writer) = if switches {
            // To a CONNECT a length means nothing (RFC 9110 section 9.3.6), and is sent on.
            (
                length.is_some() && status != 101,
                Framing::None,
                BodyWriter::Raw,
            )
        } else if status < 200 || status == 204 {
            (false, Framing::None, BodyWriter::None)
        } else if let Some(length) = length {
            let writer = if has_no_body {
                BodyWriter::None
            } else {
                BodyWriter::Length(length)
            };
            (true, Framing::None, writer)
        } else if status == 304 {
            (false, Framing::None, BodyWriter::None)
        } else if end.is_end() && !request.is_head {
            (false, Framing::LengthZero, BodyWriter::None)
        } else if request.is_http10 {
            let writer = if has_no_body {
                BodyWriter::None
            } else {
                BodyWriter::Raw
            };
            (false, Framing::None, writer)
        } else {
            let writer = if has_no_body {
                BodyWriter::None
            } else {
                BodyWriter::Chunked
            };
            (false, Framing::Chunked, writer)
        };
        let connection = if switches {
            None
        } else if self.should_close() {
            self.closes = true;
            Some("close")
        } else if request.is_http10 {
            Some("keep-alive")
        } else {
            None
        };
        let plan = Plan {
            keeps_length,
            framing,
            connection,
        };
        (plan, writer)
    }

    fn write_response_head(
        &self,
        settings: &H1Settings,
        headers: &HeaderMap,
        status: u16,
        plan: Plan,
        scratch: &mut BytesMut,
    ) {
        let answers_http10 = self.request.is_http10 && settings.accept_http_10;
        let reason = match headers.original_case() {
            Some(case) if !case.reason().is_empty() => case.reason(),
            _ => reason_phrase(status).as_bytes(),
        };
        let version: &[u8] = if answers_http10 {
            b"HTTP/1.0 "
        } else {
            b"HTTP/1.1 "
        };
        let digits = [
            b'0' + (status / 100) as u8,
            b'0' + (status / 10 % 10) as u8,
            b'0' + (status % 10) as u8,
            b' ',
        ];
        write_head(scratch, headers, settings, |head| {
            head.bytes(version);
            head.bytes(&digits);
            head.text(reason);
            head.end_line();
            head.fields(headers, plan);
        });
    }
}

/// Empty lines before a request are skipped (RFC 9112 section 2.2).
fn skip_empty_lines(input: &mut Bytes) {
    while input.starts_with(b"\r\n") {
        input.advance(2);
    }
}

/// The map's `:status`; 500 where it is no status, which is ours to get right.
fn status_of(headers: &HeaderMap) -> u16 {
    match headers.get(names::STATUS) {
        Some(&[a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9']) => {
            let digit = |byte: u8| u16::from(byte - b'0');
            digit(a) * 100 + digit(b) * 10 + digit(c)
        }
        _ => 500,
    }
}
