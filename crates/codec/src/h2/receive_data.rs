//! DATA frames (RFC 9113 section 6.1): given out in the pieces in which they come.

use super::connection::{H2Connection, H2Event, Role};
use super::error::{ErrorCode, H2Error};
use super::frame::{FrameHeader, HEADER_LEN, flag};
use super::receive::{Step, Stepped, protocol_error};
use crate::{End, Frame};
use bytes::{Buf, Bytes};
use nuncio_base::Buffer;

/// A DATA frame of which the rest is still to come.
#[derive(Clone, Copy)]
pub(super) struct DataFrame {
    stream: u32,
    left: usize,
    padding: usize,
    end: bool,
    /// Nobody wants it.
    is_unwanted: bool,
}

impl H2Connection {
    pub(super) fn begin_data(&mut self, header: &FrameHeader, input: &mut Bytes) -> Stepped {
        let is_padded = header.has(flag::PADDED);
        if is_padded && header.len > 0 && input.len() <= HEADER_LEN {
            return Ok(Step::More);
        }
        self.check_begun(header.stream)?;
        let (skipped, padding) = match (is_padded, input.get(HEADER_LEN)) {
            (true, Some(&padding)) if header.len > 0 => (1, usize::from(padding)),
            (true, _) => return Err(H2Error::connection(ErrorCode::FRAME_SIZE)),
            (false, _) => (0, 0),
        };
        let Some(len) = header.len.checked_sub(skipped + padding) else {
            return protocol_error();
        };
        let end = header.has(flag::END_STREAM);
        let (settings, stats) = (&self.local.settings, &self.local.stats);
        self.inbound
            .message_frame(header.stream, len == 0 && !end, settings, stats)?;
        self.window.receive(header.len)?;
        input.advance(HEADER_LEN + skipped);
        let mut frame = DataFrame {
            stream: header.stream,
            left: len,
            padding,
            end,
            is_unwanted: false,
        };
        let step = self.admit_data(&mut frame, header.len)?;
        let overhead = header.len - len;
        if overhead > 0 {
            self.release_connection(overhead as u32);
        }
        self.data = Some(frame);
        Ok(step)
    }

    /// Whether anybody wants the frame.
    fn admit_data(&mut self, frame: &mut DataFrame, whole: usize) -> Stepped {
        let id = frame.stream;
        let Some(stream) = self.streams.get_mut(id) else {
            frame.is_unwanted = true;
            let late = self.streams.may_be_late(id);
            return Ok(if late {
                Step::Done
            } else {
                self.stream_error(id, ErrorCode::STREAM_CLOSED)
            });
        };
        let expected = stream.receives && (self.role == Role::Server || stream.got_head);
        if !stream.receives {
            frame.is_unwanted = true;
            return Ok(self.stream_error(id, ErrorCode::STREAM_CLOSED));
        }
        stream.window.receive(whole)?;
        let overhead = (whole - frame.left) as u32;
        let due = stream.window.take_on(overhead).filter(|_| !frame.end);
        let left = match stream.length_left {
            Some(left) => left.checked_sub(frame.left as u64),
            None => Some(0),
        };
        let fits = left.is_some_and(|left| left == 0 || !frame.end);
        if !fits || !expected {
            frame.is_unwanted = true;
            return Ok(self.stream_error(id, ErrorCode::PROTOCOL));
        }
        if stream.length_left.is_some() {
            stream.length_left = left;
        }
        if let Some(due) = due {
            self.put_window_update(id, due);
        }
        Ok(Step::Done)
    }

    pub(super) fn read_data(&mut self, mut frame: DataFrame, input: &mut Bytes) -> Step {
        let len = frame.left.min(input.len());
        let piece = input.split_to(len);
        frame.left -= len;
        let skipped = if frame.left == 0 {
            frame.padding.min(input.len())
        } else {
            0
        };
        input.advance(skipped);
        frame.padding -= skipped;
        let is_whole = frame.left == 0 && frame.padding == 0;
        self.data = (!is_whole).then_some(frame);
        let end = is_whole && frame.end;
        match self.streams.get_mut(frame.stream) {
            Some(stream) if !frame.is_unwanted => {
                stream.unreleased += len as u32;
                if end {
                    stream.receives = false;
                    self.remove_if_done(frame.stream);
                }
                if len > 0 || end {
                    let data = Frame::Data(Buffer::from(piece), End::when(end));
                    return Step::Event(H2Event::Frame(frame.stream, data));
                }
            }
            // It was reset, perhaps in the middle of this frame.
            Some(_) | None => self.release_connection(len as u32),
        }
        if is_whole { Step::Done } else { Step::More }
    }
}
