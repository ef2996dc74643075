//! Header blocks: a request's or response's head, or trailers, once all of it is there.

use super::connection::{H2Connection, H2Event, Role};
use super::error::{CODEC_ERROR, ErrorCode, H2Error};
use super::frame::{FrameHeader, HEADER_LEN, MAX_FRAME, flag};
use super::head::{Fault, Head, HeadKind, Unwanted};
use super::receive::{Partial, Step, Stepped, depends_on, protocol_error};
use super::stream::Asked;
use super::upgrade;
use crate::chars::number;
use crate::{End, Frame, HeaderPool, ResetReason};
use nuncio_base::{HeaderMap, names};

/// What becomes of a block.
enum Purpose {
    Head(HeadKind),
    /// It is decoded, and that is all.
    Nothing,
    /// It is decoded, and its stream reset.
    Reset(ErrorCode),
}

impl H2Connection {
    pub(super) fn on_headers(
        &mut self,
        header: &FrameHeader,
        payload: &[u8],
        pool: &mut HeaderPool,
    ) -> Stepped {
        let id = header.stream;
        if id.is_multiple_of(2) || (self.role == Role::Client && id > self.newest) {
            return protocol_error();
        }
        let mut fragment = header.unpadded(payload)?;
        let mut is_own_parent = false;
        if header.has(flag::PRIORITY) {
            let Some((priority, rest)) = fragment.split_first_chunk() else {
                return Err(H2Error::connection(ErrorCode::FRAME_SIZE));
            };
            is_own_parent = depends_on(priority) == id;
            fragment = rest;
        }
        let partial = Partial {
            stream: id,
            end: header.has(flag::END_STREAM),
            continuations: 0,
            is_own_parent,
        };
        self.count_fragment(fragment, &partial)?;
        if header.has(flag::END_HEADERS) {
            return self.on_block(partial, fragment, pool);
        }
        self.block.clear();
        self.block.extend_from_slice(fragment);
        self.partial = Some(partial);
        Ok(Step::Done)
    }

    pub(super) fn on_continuation(
        &mut self,
        header: &FrameHeader,
        payload: &[u8],
        pool: &mut HeaderPool,
    ) -> Stepped {
        let Some(mut partial) = self.partial.take() else {
            return protocol_error();
        };
        self.count_fragment(payload, &partial)?;
        partial.continuations += 1;
        // A head that is too large is decoded all the same, and refused by itself; one that does
        // not end is a flood (CVE-2024-27919).
        let longest = self.local.settings.max_headers_kb as usize * 4096 + 4 * MAX_FRAME;
        let is_flood = partial.continuations > 8 + longest / MAX_FRAME
            || self.block.len() + payload.len() > longest;
        if is_flood {
            let fault = Fault::TooLarge;
            fault.count(&self.local.stats);
            let error = H2Error::connection(ErrorCode::ENHANCE_YOUR_CALM);
            return Err(error.on_stream(partial.stream, fault.details()));
        }
        self.block.extend_from_slice(payload);
        if !header.has(flag::END_HEADERS) {
            self.partial = Some(partial);
            return Ok(Step::Done);
        }
        let block = std::mem::take(&mut self.block);
        let step = self.on_block(partial, &block, pool);
        self.block = block;
        step
    }

    fn count_fragment(&mut self, fragment: &[u8], partial: &Partial) -> Result<(), H2Error> {
        let (settings, stats) = (&self.local.settings, &self.local.stats);
        let empty = fragment.is_empty() && !partial.end;
        let inbound = &mut self.inbound;
        inbound.message_frame(partial.stream, empty, settings, stats)
    }

    fn on_block(&mut self, partial: Partial, block: &[u8], pool: &mut HeaderPool) -> Stepped {
        let id = partial.stream;
        self.last_head = HEADER_LEN + block.len();
        let is_new = self.role == Role::Server && id > self.newest;
        let purpose = if is_new {
            self.purpose_of_new(id)
        } else {
            self.purpose_of_known(id)?
        };
        let kind = match purpose {
            Purpose::Head(kind) => kind,
            Purpose::Nothing => {
                self.decode_unwanted(block)?;
                return Ok(Step::Done);
            }
            Purpose::Reset(code) => {
                self.decode_unwanted(block)?;
                return Ok(self.stream_error(id, code));
            }
        };
        let mut map = pool.take();
        let result = match self.repeated.find(kind, block, self.decoder.changes()) {
            Some(head) => {
                map.copy_from(head);
                debug_assert!(self.is_head(kind, block, &map));
                Ok(())
            }
            None => {
                let (read, result) = self.read_head(map, kind, block).map_err(|error| {
                    // Envoy knows of a stream before its head.
                    if is_new {
                        self.newest = id;
                        error.on_stream(id, CODEC_ERROR)
                    } else {
                        error
                    }
                })?;
                map = read;
                result
            }
        };
        if is_new {
            self.insert(id);
        }
        let result = result.and_then(|()| match partial.is_own_parent {
            true => Err(Fault::Message),
            false => self.accept(id, &map, kind, partial.end),
        });
        match result {
            Ok(()) => Ok(Step::Event(self.deliver(id, map, kind, partial.end))),
            Err(fault) => {
                pool.give(map);
                self.on_fault(id, fault)
            }
        }
    }

    /// Reads the fields of a block into `map`.
    fn read_head(
        &mut self,
        map: HeaderMap,
        kind: HeadKind,
        block: &[u8],
    ) -> Result<(HeaderMap, Result<(), Fault>), H2Error> {
        let before = self.decoder.changes();
        let mut head = Head::new(map, kind, &self.local.settings, &mut self.cookies);
        if self.decoder.decode(block, &mut head).is_err() {
            return Err(H2Error::connection(ErrorCode::COMPRESSION));
        }
        let dropped = head.dropped;
        let (map, result) = head.finish();
        if dropped > 0 {
            let stats = &self.local.stats;
            stats.dropped_headers_with_underscores().add(dropped.into());
        } else if result.is_ok() {
            let changes = (before, self.decoder.changes());
            self.repeated.note(kind, block, changes, &map);
        }
        Ok((map, result))
    }

    /// Whether a block that changes nothing is this head.
    fn is_head(&mut self, kind: HeadKind, block: &[u8], head: &HeaderMap) -> bool {
        let read = self.read_head(HeaderMap::new(), kind, block);
        read.is_ok_and(|(read, result)| result.is_ok() && read == *head)
    }

    fn decode_unwanted(&mut self, block: &[u8]) -> Result<(), H2Error> {
        let decoded = self.decoder.decode(block, &mut Unwanted);
        decoded.map_err(|_| H2Error::connection(ErrorCode::COMPRESSION))
    }

    /// A new stream is taken, unless there are too many or we are going away.
    fn purpose_of_new(&mut self, id: u32) -> Purpose {
        if id > self.last_taken {
            self.newest = id;
            self.streams.note_reset(id);
            return Purpose::Nothing;
        }
        let limit = self.local.settings.max_concurrent_streams as usize;
        if self.streams.len() >= limit {
            self.newest = id;
            self.local.stats.stream_refused_errors().inc();
            return Purpose::Reset(ErrorCode::REFUSED_STREAM);
        }
        Purpose::Head(HeadKind::Request)
    }

    fn purpose_of_known(&self, id: u32) -> Result<Purpose, H2Error> {
        let Some(stream) = self.streams.get(id) else {
            if self.streams.may_be_late(id) {
                return Ok(Purpose::Nothing);
            }
            return Err(H2Error::connection(ErrorCode::STREAM_CLOSED));
        };
        Ok(if !stream.receives {
            Purpose::Reset(ErrorCode::STREAM_CLOSED)
        } else if self.role == Role::Client && !stream.got_head {
            Purpose::Head(HeadKind::Response)
        } else {
            Purpose::Head(HeadKind::Trailers)
        })
    }

    /// What must hold between a head, its stream and its length.
    fn accept(&mut self, id: u32, map: &HeaderMap, kind: HeadKind, end: bool) -> Result<(), Fault> {
        let Some(stream) = self.streams.get_mut(id) else {
            return Err(Fault::Message);
        };
        if kind == HeadKind::Trailers {
            // Envoy counts those of requests.
            if self.role == Role::Server {
                self.local.stats.trailers().inc();
            }
            let good = end && stream.length_left.is_none_or(|left| left == 0);
            return if good { Ok(()) } else { Err(Fault::Message) };
        }
        let status = map.get(names::STATUS).unwrap_or_default();
        if status.starts_with(b"1") {
            return if end { Err(Fault::Message) } else { Ok(()) };
        }
        stream.got_head = true;
        let has_no_body = stream.asked == Asked::Head || matches!(status, b"204" | b"304");
        let is_tunnel = map.get(names::METHOD) == Some(b"CONNECT");
        if !has_no_body && !is_tunnel {
            stream.length_left = map.get(names::CONTENT_LENGTH).and_then(number);
        }
        let is_short = end && stream.length_left.is_some_and(|left| left > 0);
        if is_short {
            Err(Fault::Message)
        } else {
            Ok(())
        }
    }

    fn deliver(&mut self, id: u32, mut map: HeaderMap, kind: HeadKind, end: bool) -> H2Event {
        if let Some(stream) = self.streams.get_mut(id) {
            stream.receives = !end;
            match kind {
                HeadKind::Request => stream.asked = upgrade::on_request(&mut map),
                HeadKind::Response => upgrade::on_response(&mut map, &stream.asked),
                HeadKind::Trailers => {}
            }
            self.remove_if_done(id);
        }
        let is_interim = kind == HeadKind::Response
            && map
                .get(names::STATUS)
                .is_some_and(|status| status.starts_with(b"1") && status != b"101");
        let frame = match kind {
            HeadKind::Trailers => Frame::Trailers(map),
            _ if is_interim => Frame::Informational(map),
            _ => Frame::Headers(map, End::when(end)),
        };
        H2Event::Frame(id, frame)
    }

    /// A malformed message costs its connection, unless stream errors are wanted; one that is
    /// beyond a limit its stream.
    fn on_fault(&mut self, id: u32, fault: Fault) -> Stepped {
        fault.count(&self.local.stats);
        let (code, reason) = if !fault.is_malformed() {
            // Envoy calls it so where the peer is a server.
            let reason = match self.role {
                Role::Server => ResetReason::LocalReset,
                Role::Client => ResetReason::RemoteReset,
            };
            (ErrorCode::INTERNAL, reason)
        } else if self.local.settings.stream_error_on_invalid_message {
            (ErrorCode::PROTOCOL, ResetReason::ProtocolError)
        } else {
            return Err(H2Error::message(id, fault.details()));
        };
        self.reset(id, code);
        Ok(Step::Event(H2Event::Reset {
            stream: id,
            reason,
            details: fault.details(),
            by_peer: false,
        }))
    }
}
