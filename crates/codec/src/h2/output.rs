//! What is to be written: frames in one block, large data between them as it is.

use super::frame::{FrameHeader, HEADER_LEN, flag, kind};
use bytes::{BufMut, BytesMut};
use nuncio_base::Buffer;
use std::collections::VecDeque;

/// Slices up to this length are copied into the block: a slice of its own costs more.
const COPIED: usize = 2048;

/// The output of a connection.
#[derive(Default)]
pub(super) struct Output {
    /// Frames behind what is in `ready`.
    pub block: BytesMut,
    ready: Buffer,
    /// Frames since the output was taken last, and control frames among them.
    pub frames: u32,
    pub control: u32,
    /// What was taken and is not all written: where it ends, counted from the first byte.
    taken: VecDeque<(u64, u32, u32)>,
    taken_to: u64,
}

impl Output {
    /// How many bytes wait to be taken.
    pub fn len(&self) -> usize {
        self.ready.len() + self.block.len()
    }

    pub fn clear(&mut self) {
        self.block.clear();
        self.ready.clear();
    }

    /// Writes a DATA frame of the first `len` bytes of `data`.
    pub fn data(&mut self, stream: u32, data: &mut Buffer, len: usize, end: bool) {
        let header = FrameHeader {
            len,
            kind: kind::DATA,
            flags: if end { flag::END_STREAM } else { 0 },
            stream,
        };
        self.frames += 1;
        self.block.put_slice(&header.bytes());
        let mut left = len;
        while left > 0 {
            let slice = data.front();
            let step = slice.len().min(left);
            if step <= COPIED {
                self.block.put_slice(&slice[..step]);
                data.advance(step);
            } else {
                self.ready.push(self.block.split().freeze());
                self.ready.append(&mut data.split_to(step));
            }
            left -= step;
        }
    }

    /// Writes a header block, in several frames where it is longer than one may be.
    pub fn head(&mut self, stream: u32, block: &[u8], end: bool, max_frame: usize) {
        let mut header = FrameHeader {
            len: block.len(),
            kind: kind::HEADERS,
            flags: if end { flag::END_STREAM } else { 0 },
            stream,
        };
        let mut rest = block;
        while rest.len() > max_frame {
            let (piece, behind) = rest.split_at(max_frame);
            header.len = max_frame;
            self.put(&header, piece);
            header.kind = kind::CONTINUATION;
            header.flags = 0;
            rest = behind;
        }
        header.len = rest.len();
        header.flags |= flag::END_HEADERS;
        self.put(&header, rest);
    }

    fn put(&mut self, header: &FrameHeader, payload: &[u8]) {
        self.frames += 1;
        self.block.reserve(HEADER_LEN + payload.len());
        self.block.put_slice(&header.bytes());
        self.block.put_slice(payload);
    }

    /// Moves everything to `out`.
    pub fn take(&mut self, out: &mut Buffer) {
        let len = self.len();
        if len == 0 {
            return;
        }
        out.append(&mut self.ready);
        out.push(self.block.split().freeze());
        self.taken_to += len as u64;
        let frames = std::mem::take(&mut self.frames);
        let control = std::mem::take(&mut self.control);
        self.taken.push_back((self.taken_to, frames, control));
    }

    /// So much of what was taken is not written yet.
    pub fn note_unwritten(&mut self, bytes: usize) {
        if bytes == 0 {
            return self.taken.clear();
        }
        let written = self.taken_to.saturating_sub(bytes as u64);
        while self.taken.front().is_some_and(|turn| turn.0 <= written) {
            self.taken.pop_front();
        }
    }

    /// Frames that are not written yet, and control frames among them.
    pub fn unwritten(&self) -> (u32, u32) {
        let now = (self.frames, self.control);
        self.taken
            .iter()
            .fold(now, |sum, turn| (sum.0 + turn.1, sum.1 + turn.2))
    }

    /// Gives back memory that an idle connection need not hold.
    pub fn release(&mut self) {
        if self.len() == 0 {
            self.block = BytesMut::new();
        }
    }
}
