//! The client's side of a connection: requests out, responses in, one at a time.

use super::body::Body;
use super::connection_header::{asks_to_close, is_upgrade};
use super::encode::{BodyWriter, Framing, Plan, write_head};
use super::error::H1Error;
use super::head::{Head, Start};
use super::request::content_length;
use super::settings::{H1Settings, HeaderCase};
use super::start_line::Version;
use crate::{End, Frame, HeaderPool, ResetReason};
use bytes::{Buf, Bytes, BytesMut};
use nuncio_base::{Buffer, HeaderMap, Known, names};

/// The codec of an upstream connection. It holds no memory of its own between requests.
///
/// After a response [`is_reusable`](Self::is_reusable) says whether another request may follow.
/// Whatever arrives while no response is awaited is an error, so call [`next`](Self::next) with
/// it: an answer nobody asked for would else be taken for the next request's.
#[derive(Debug, Default)]
pub struct H1Client {
    pub(super) reading: Reading,
    request: Request,
    writer: BodyWriter,
    closes: bool,
}

#[derive(Debug, Default)]
pub(super) enum Reading {
    /// No response is awaited.
    #[default]
    Idle,
    /// A head, of which this has been read.
    Head(Option<Box<Head>>),
    Body(Body),
    Failed,
}

#[derive(Clone, Copy, Debug, Default)]
struct Request {
    is_head: bool,
    is_connect: bool,
    is_upgrade: bool,
    /// Not all of it has been written.
    is_open: bool,
}

/// What the lines of a response's head mean together.
struct Parsed {
    status: u16,
    body: Body,
    /// Set for interim responses.
    is_interim: bool,
}

impl H1Client {
    /// A codec for a new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a request may be written: no other is under way, and the connection stays open.
    pub fn is_reusable(&self) -> bool {
        matches!(self.reading, Reading::Idle) && !self.request.is_open && !self.closes
    }

    /// Whether the connection must be closed behind the response; where the response itself says
    /// so, Envoy counts `upstream_cx_close_notify`.
    pub fn should_close(&self) -> bool {
        self.closes
    }

    /// Whether a response is awaited or being read.
    pub fn is_active(&self) -> bool {
        matches!(self.reading, Reading::Head(_) | Reading::Body(_))
    }

    /// Whether an upgrade or CONNECT was accepted: both bodies are another protocol's bytes. Until
    /// it is, what the client sends behind the request's head must be held back.
    pub fn is_upgraded(&self) -> bool {
        matches!(self.reading, Reading::Body(Body::Opaque))
    }

    /// Writes the head of a request; see [`H1Server::encode_headers`](super::H1Server) for
    /// `scratch` and `out`. An error names a pseudo-header that is missing, and nothing was
    /// written.
    pub fn encode_request(
        &mut self,
        settings: &H1Settings,
        headers: &HeaderMap,
        end: End,
        scratch: &mut BytesMut,
        out: &mut Buffer,
    ) -> Result<(), Known> {
        debug_assert!(self.is_reusable());
        let method = headers.get(names::METHOD).ok_or(names::METHOD)?;
        let is_connect = method == b"CONNECT";
        let target = if is_connect {
            names::AUTHORITY
        } else {
            names::PATH
        };
        let target = headers.get(target).ok_or(target)?;
        self.request = Request {
            is_head: method == b"HEAD",
            is_connect,
            is_upgrade: is_upgrade(headers),
            is_open: !end.is_end(),
        };
        let (plan, writer) = self.plan(headers, method, end);
        self.writer = writer;
        write_head(scratch, headers, settings, |head| {
            head.text(method);
            head.bytes(b" ");
            if settings.send_fully_qualified_url && !is_connect {
                head.target(headers.get(names::SCHEME).unwrap_or(b"http"));
                head.bytes(b"://");
                head.target(headers.get(names::AUTHORITY).unwrap_or_default());
            }
            head.target(target);
            head.bytes(b" HTTP/1.1");
            head.end_line();
            head.fields(headers, plan);
        });
        out.push(scratch.split().freeze());
        self.reading = Reading::Head(None);
        // What a connection speaks after an upgrade was asked for is not certain enough for
        // another request, whatever the answer.
        self.closes |= self.request.is_upgrade || is_connect;
        if end.is_end() {
            self.end_request(true);
        }
        Ok(())
    }

    /// Writes a piece of the request's body, emptying `data`; large pieces are not copied.
    pub fn encode_data(
        &mut self,
        data: &mut Buffer,
        end: End,
        scratch: &mut BytesMut,
        out: &mut Buffer,
    ) {
        let fits = self.writer.data(data, end, scratch, out);
        if end.is_end() || !fits {
            self.end_request(fits);
        }
    }

    /// Writes the request's trailers, which end it; without `enable_trailers`, the end alone.
    pub fn encode_trailers(
        &mut self,
        settings: &H1Settings,
        trailers: &HeaderMap,
        scratch: &mut BytesMut,
        out: &mut Buffer,
    ) {
        let fits = self.writer.trailers(trailers, settings, scratch, out);
        self.end_request(fits);
    }

    fn end_request(&mut self, fits: bool) {
        self.closes |= !fits || matches!(self.writer, BodyWriter::Length(1..));
        self.writer = BodyWriter::None;
        self.request.is_open = false;
    }

    fn plan(&self, headers: &HeaderMap, method: &[u8], end: End) -> (Plan, BodyWriter) {
        let length = content_length(headers).unwrap_or(None);
        let (keeps_length, framing, writer) = if self.request.is_connect {
            (false, Framing::None, BodyWriter::Raw)
        } else if self.request.is_upgrade {
            (length.is_some(), Framing::None, BodyWriter::Raw)
        } else if let Some(length) = length {
            (true, Framing::None, BodyWriter::Length(length))
        } else if end.is_end() {
            // Those that rarely have a body need not say that they have none.
            let framing = match method {
                b"GET" | b"HEAD" | b"DELETE" | b"TRACE" => Framing::None,
                _ => Framing::LengthZero,
            };
            (false, framing, BodyWriter::None)
        } else {
            (false, Framing::Chunked, BodyWriter::Chunked)
        };
        let plan = Plan {
            keeps_length,
            framing,
            connection: None,
        };
        (plan, writer)
    }

    /// The next frame of the response, cut from `input`; as [`H1Server::next`](super::H1Server).
    /// Behind the end of a response the codec is idle, and more bytes are an error.
    pub fn next(
        &mut self,
        settings: &H1Settings,
        input: &mut Bytes,
        pool: &mut HeaderPool,
    ) -> Result<Option<Frame>, H1Error> {
        let result = loop {
            let result = match &mut self.reading {
                Reading::Idle if input.is_empty() => return Ok(None),
                Reading::Idle => Err(premature(input)),
                Reading::Head(partial) => match partial.take() {
                    Some(head) => self.read_head(*head, settings, input, pool),
                    None if input.is_empty() => return Ok(None),
                    None => {
                        let head = Head::new(Start::Response(None), settings, pool);
                        self.read_head(head, settings, input, pool)
                    }
                },
                Reading::Body(body) => body.next(settings, input, pool),
                Reading::Failed => return Ok(None),
            };
            // Behind an interim response that is not handed on, the next head may follow.
            let is_skipped = matches!((&result, &self.reading), (Ok(None), Reading::Head(None)));
            if !is_skipped {
                break result;
            }
        };
        match &result {
            Ok(Some(Frame::Headers(_, end) | Frame::Data(_, end))) if end.is_end() => {
                self.reading = Reading::Idle;
            }
            Ok(Some(Frame::Trailers(_))) => self.reading = Reading::Idle,
            Ok(_) => {}
            Err(_) => {
                self.reading = Reading::Failed;
                self.closes = true;
            }
        }
        result
    }

    /// The upstream has closed its side. A body that lasts until then gets its end, a response
    /// that is cut short or missing is reset; None where none was awaited.
    pub fn on_eof(&mut self, pool: &mut HeaderPool) -> Option<Frame> {
        self.closes = true;
        match std::mem::replace(&mut self.reading, Reading::Failed) {
            Reading::Idle | Reading::Failed => None,
            Reading::Body(Body::UntilClose | Body::Opaque) => {
                Some(Frame::Data(Buffer::new(), End::Stream))
            }
            Reading::Head(head) => {
                if let Some(head) = head {
                    head.discard(pool);
                }
                Some(Frame::Reset(ResetReason::ConnectionTermination))
            }
            Reading::Body(body) => {
                body.discard(pool);
                Some(Frame::Reset(ResetReason::ConnectionTermination))
            }
        }
    }

    fn read_head(
        &mut self,
        mut head: Head,
        settings: &H1Settings,
        input: &mut Bytes,
        pool: &mut HeaderPool,
    ) -> Result<Option<Frame>, H1Error> {
        let parsed = match head.read(settings, input) {
            Ok(false) => {
                self.reading = Reading::Head(Some(Box::new(head)));
                return Ok(None);
            }
            Ok(true) => self.finish(&mut head, settings, input),
            Err(error) => Err(error),
        };
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                head.discard(pool);
                return Err(error);
            }
        };
        input.advance(head.at);
        if parsed.is_interim {
            self.reading = Reading::Head(None);
            // Others mean nothing to anybody, and are dropped, as Envoy drops them.
            if !matches!(parsed.status, 100 | 102 | 103) {
                head.discard(pool);
                return Ok(None);
            }
            return Ok(Some(Frame::Informational(head.map)));
        }
        // A 101 that nobody asked for: who knows what the upstream speaks from here on.
        if parsed.status == 101 {
            self.closes = true;
        }
        let end = End::when(matches!(parsed.body, Body::None));
        self.reading = Reading::Body(parsed.body);
        Ok(Some(Frame::Headers(head.map, end)))
    }

    /// Checks the head and finds where the body ends (RFC 9112 section 6.3).
    fn finish(
        &mut self,
        head: &mut Head,
        settings: &H1Settings,
        input: &[u8],
    ) -> Result<Parsed, H1Error> {
        let Head {
            map,
            start: Start::Response(Some(line)),
            ..
        } = head
        else {
            return Err(H1Error::INVALID_STATUS);
        };
        let status = line.status;
        if let HeaderCase::Preserve { reason: true, .. } = settings.header_case
            && let Some(case) = map.original_case_mut()
        {
            case.set_reason(input.get(line.reason.clone()).unwrap_or_default());
        }
        let is_interim = status < 200 && status != 101;
        self.closes |= !is_interim && asks_to_close(map, line.version == Version::Http10);
        let has_coding = map.contains(names::TRANSFER_ENCODING);
        let mut length = content_length(map)?;
        let switches = self.switches(status, map);
        if has_coding {
            check_coding(map, settings, length, switches)?;
            // An HTTP/1.0 message's framing cannot be trusted (RFC 9112 section 6.1).
            self.closes |= line.version == Version::Http10;
            length = None;
        }
        if status < 200 || status == 204 {
            if has_coding {
                return Err(H1Error::TRANSFER_ENCODING_NOT_ALLOWED);
            }
            if length.is_some_and(|length| length > 0) {
                return Err(H1Error::CONTENT_LENGTH_NOT_ALLOWED);
            }
            map.remove(names::CONTENT_LENGTH);
        }
        let body = match length {
            _ if switches => Body::Opaque,
            _ if self.request.is_head || status < 200 || matches!(status, 204 | 304) => Body::None,
            _ if has_coding => Body::chunked(),
            Some(0) => Body::None,
            Some(length) => Body::Length(length),
            None => Body::UntilClose,
        };
        self.closes |= matches!(body, Body::UntilClose);
        Ok(Parsed {
            status,
            body,
            is_interim,
        })
    }

    /// Whether the connection speaks another protocol behind this head.
    fn switches(&self, status: u16, map: &HeaderMap) -> bool {
        (status == 101 && self.request.is_upgrade && is_upgrade(map))
            || (self.request.is_connect && (200..300).contains(&status))
    }
}

/// A transfer coding is `chunked`, without a length beside it, and not in what switches protocols.
fn check_coding(
    map: &mut HeaderMap,
    settings: &H1Settings,
    length: Option<u64>,
    switches: bool,
) -> Result<(), H1Error> {
    let coding = map.get(names::TRANSFER_ENCODING).unwrap_or_default();
    let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
    if length.is_some() {
        if !settings.allow_chunked_length || !is_chunked {
            return Err(H1Error::CHUNKED_AND_LENGTH);
        }
        map.remove(names::CONTENT_LENGTH);
    }
    if is_chunked && !switches {
        Ok(())
    } else {
        Err(H1Error::INVALID_TRANSFER_ENCODING)
    }
}

/// Bytes that no request asked for: the error depends on whether they are a 408.
fn premature(input: &[u8]) -> H1Error {
    match input {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            _,
            b' ',
            b'4',
            b'0',
            b'8',
            ..,
        ] => H1Error::IDLE_TIMEOUT_RESPONSE,
        _ => H1Error::PREMATURE_RESPONSE,
    }
}
