//! What comes from the peer, frame by frame.

use super::connection::{H2Connection, H2Event, Role};
use super::error::{ErrorCode, H2Error};
use super::flow;
use super::frame::{FrameHeader, HEADER_LEN, MAX_FRAME, flag, kind};
use super::stream::Stream;
use crate::{HeaderPool, ResetReason};
use bytes::{Buf, Bytes};

/// The details of a stream that the peer has reset.
const REMOTE_RESET: &str = "http2.remote_reset";

/// A header block of which the rest is still to come, in CONTINUATION frames.
#[derive(Clone, Copy)]
pub(super) struct Partial {
    pub stream: u32,
    pub end: bool,
    pub continuations: usize,
    /// Its priority names the stream itself (RFC 7540 section 5.3.1).
    pub is_own_parent: bool,
}

/// What a step came to.
pub(super) enum Step {
    /// More bytes are needed.
    More,
    /// Go on.
    Done,
    Event(H2Event),
}

pub(super) type Stepped = Result<Step, H2Error>;

pub(super) const fn protocol_error<T>() -> Result<T, H2Error> {
    Err(H2Error::connection(ErrorCode::PROTOCOL))
}

impl H2Connection {
    /// The next event, of bytes cut from `input`, which holds everything received and not yet
    /// taken. `None`: more bytes are needed. What is left in `input` must be there again at the
    /// next call, with what came in between behind it.
    ///
    /// # Errors
    /// The connection must be closed, once its output is written; nothing more is read.
    pub fn next(
        &mut self,
        input: &mut Bytes,
        pool: &mut HeaderPool,
    ) -> Result<Option<H2Event>, H2Error> {
        while !self.is_failed {
            let before = input.len();
            let step = self.step(input, pool);
            self.begun_bytes += before - input.len();
            match step {
                Ok(Step::More) => return Ok(None),
                // Frames that are whole, and come to nothing.
                Ok(Step::Done) if self.data.is_none() && self.partial.is_none() => {
                    self.begun_bytes = 0;
                }
                Ok(Step::Done) => {}
                Ok(Step::Event(event)) => {
                    self.event_bytes = std::mem::take(&mut self.begun_bytes);
                    return Ok(Some(event));
                }
                Err(error) => {
                    self.fail(&error);
                    return Err(error);
                }
            }
        }
        input.clear();
        Ok(None)
    }

    fn fail(&mut self, error: &H2Error) {
        self.is_failed = true;
        match error.code {
            Some(code) => {
                let newest = match self.role {
                    Role::Server => self.newest,
                    Role::Client => 0,
                };
                self.put_goaway(newest, code);
            }
            // Who does not speak HTTP/2 is not spoken to.
            None if !self.preface.is_empty() => self.output.clear(),
            None => {}
        }
    }

    fn step(&mut self, input: &mut Bytes, pool: &mut HeaderPool) -> Stepped {
        if !self.preface.is_empty() {
            return self.read_preface(input);
        }
        if let Some(frame) = self.data {
            return Ok(self.read_data(frame, input));
        }
        let Some(header) = FrameHeader::parse(input) else {
            return Ok(Step::More);
        };
        self.check_order(&header)?;
        if header.kind == kind::DATA {
            return self.begin_data(&header, input);
        }
        let end = HEADER_LEN + header.len;
        let Some(payload) = input.get(HEADER_LEN..end) else {
            return Ok(Step::More);
        };
        let step = self.on_frame(&header, payload, pool)?;
        input.advance(end);
        Ok(step)
    }

    fn read_preface(&mut self, input: &mut Bytes) -> Stepped {
        let len = self.preface.len().min(input.len());
        let (now, later) = self.preface.split_at(len);
        if input[..len] != *now {
            return Err(H2Error::PREFACE);
        }
        input.advance(len);
        self.preface = later;
        Ok(if later.is_empty() {
            Step::Done
        } else {
            Step::More
        })
    }

    /// Which frames may come now (sections 3.4 and 4.3), and how long they may be.
    fn check_order(&self, header: &FrameHeader) -> Result<(), H2Error> {
        if header.len > MAX_FRAME {
            return Err(H2Error::connection(ErrorCode::FRAME_SIZE));
        }
        let is_settings = header.kind == kind::SETTINGS && !header.has(flag::ACK);
        if !self.peer.is_known && !is_settings {
            return protocol_error();
        }
        let is_continuation = header.kind == kind::CONTINUATION;
        match &self.partial {
            Some(partial) if is_continuation && partial.stream == header.stream => Ok(()),
            None if !is_continuation => Ok(()),
            Some(_) | None => protocol_error(),
        }
    }

    fn on_frame(&mut self, header: &FrameHeader, payload: &[u8], pool: &mut HeaderPool) -> Stepped {
        match header.kind {
            kind::HEADERS => self.on_headers(header, payload, pool),
            kind::CONTINUATION => self.on_continuation(header, payload, pool),
            kind::PRIORITY => self.on_priority(header, payload),
            kind::RST_STREAM => self.on_reset(header, payload),
            kind::SETTINGS => self.on_settings(header, payload),
            // Nobody may push to us.
            kind::PUSH_PROMISE => protocol_error(),
            kind::PING => self.on_ping(header, payload),
            kind::GOAWAY => on_goaway(header, payload),
            kind::WINDOW_UPDATE => self.on_window_update(header, payload),
            _ => Ok(Step::Done),
        }
    }

    /// A stream that has not begun has no frames but HEADERS and PRIORITY (section 5.1).
    pub(super) fn check_begun(&self, id: u32) -> Result<(), H2Error> {
        let is_ours = (id % 2 == 1) == (self.role == Role::Client);
        let begun = id != 0 && id <= self.newest && (is_ours || self.role == Role::Server);
        if begun { Ok(()) } else { protocol_error() }
    }

    /// Resets a stream that the peer has done something wrong on.
    pub(super) fn stream_error(&mut self, id: u32, code: ErrorCode) -> Step {
        let was_open = self.remove(id).is_some();
        self.put_reset(id, code);
        if !was_open {
            return Step::Done;
        }
        Step::Event(H2Event::Reset {
            stream: id,
            reason: ResetReason::ProtocolError,
            details: REMOTE_RESET,
            by_peer: false,
        })
    }

    pub(super) fn remove_if_done(&mut self, id: u32) {
        if self.streams.get(id).is_some_and(Stream::is_done)
            && let Some(stream) = self.remove(id)
            && stream.receives
        {
            self.put_reset(id, ErrorCode::NONE);
        }
    }

    fn on_priority(&mut self, header: &FrameHeader, payload: &[u8]) -> Stepped {
        let (settings, stats) = (&self.local.settings, &self.local.stats);
        self.inbound.priority(settings, stats)?;
        if header.stream == 0 {
            return protocol_error();
        }
        let Ok(payload) = <[u8; 5]>::try_from(payload) else {
            return Err(H2Error::connection(ErrorCode::FRAME_SIZE));
        };
        if depends_on(&payload) != header.stream {
            return Ok(Step::Done);
        }
        // On a stream that has not begun there is nothing to reset.
        self.check_begun(header.stream)?;
        Ok(self.stream_error(header.stream, ErrorCode::PROTOCOL))
    }

    fn on_reset(&mut self, header: &FrameHeader, payload: &[u8]) -> Stepped {
        let Ok(code) = <[u8; 4]>::try_from(payload) else {
            return Err(H2Error::connection(ErrorCode::FRAME_SIZE));
        };
        self.check_begun(header.stream)?;
        self.streams.forget_reset(header.stream);
        let stats = &self.local.stats;
        stats.rx_reset().inc();
        let code = ErrorCode(u32::from_be_bytes(code));
        let (reason, details) = match code {
            ErrorCode::REFUSED_STREAM => {
                (ResetReason::RemoteRefusedStreamReset, "http2.remote_refuse")
            }
            ErrorCode::PROTOCOL if self.role == Role::Client => {
                (ResetReason::ProtocolError, REMOTE_RESET)
            }
            ErrorCode::CONNECT => (ResetReason::ConnectError, REMOTE_RESET),
            _ => (ResetReason::RemoteReset, REMOTE_RESET),
        };
        if self.remove(header.stream).is_none() {
            return Ok(Step::Done);
        }
        Ok(Step::Event(H2Event::Reset {
            stream: header.stream,
            reason,
            details,
            by_peer: true,
        }))
    }

    fn on_ping(&mut self, header: &FrameHeader, payload: &[u8]) -> Stepped {
        if payload.len() != 8 {
            return Err(H2Error::connection(ErrorCode::FRAME_SIZE));
        }
        if header.stream != 0 {
            return protocol_error();
        }
        if header.has(flag::ACK) {
            return Ok(Step::Event(H2Event::Pong));
        }
        self.put_control(kind::PING, flag::ACK, 0, payload);
        Ok(Step::Done)
    }

    fn on_window_update(&mut self, header: &FrameHeader, payload: &[u8]) -> Stepped {
        let Ok(by) = <[u8; 4]>::try_from(payload) else {
            return Err(H2Error::connection(ErrorCode::FRAME_SIZE));
        };
        let (settings, stats) = (&self.local.settings, &self.local.stats);
        self.inbound.window_update(settings, stats)?;
        let by = u32::from_be_bytes(by) & 0x7fff_ffff;
        if header.stream == 0 {
            if by == 0 {
                return protocol_error();
            }
            let widened = flow::widen(&mut self.send_window, by);
            return match widened {
                Ok(()) => Ok(Step::Done),
                Err(()) => Err(H2Error::connection(ErrorCode::FLOW_CONTROL)),
            };
        }
        self.check_begun(header.stream)?;
        if by == 0 {
            return Ok(self.stream_error(header.stream, ErrorCode::PROTOCOL));
        }
        let Some(stream) = self.streams.get_mut(header.stream) else {
            return Ok(Step::Done);
        };
        let widened = flow::widen(&mut stream.send_window, by);
        Ok(match widened {
            Err(()) => self.stream_error(header.stream, ErrorCode::FLOW_CONTROL),
            Ok(()) => {
                self.streams.queue(header.stream);
                Step::Done
            }
        })
    }
}

/// The stream that a priority names.
pub(super) fn depends_on(priority: &[u8; 5]) -> u32 {
    let [a, b, c, d, _] = *priority;
    u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff
}

fn on_goaway(header: &FrameHeader, payload: &[u8]) -> Stepped {
    let Some(&[a, b, c, d, e, f, g, h]) = payload.first_chunk() else {
        return Err(H2Error::connection(ErrorCode::FRAME_SIZE));
    };
    if header.stream != 0 {
        return protocol_error();
    }
    Ok(Step::Event(H2Event::GoAway {
        last: u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff,
        code: ErrorCode(u32::from_be_bytes([e, f, g, h])),
    }))
}
