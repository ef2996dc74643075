//! Frames (RFC 9113 section 4): their nine bytes in front, and the small ones as a whole.

use super::error::{ErrorCode, H2Error};
use bytes::{BufMut, BytesMut};

/// What a client sends first.
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The length of what stands before a payload.
pub(super) const HEADER_LEN: usize = 9;
/// The largest payload we take and, until the peer allows more, send (SETTINGS_MAX_FRAME_SIZE).
pub(super) const MAX_FRAME: usize = 16_384;

pub(super) mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

pub(super) mod flag {
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
    pub const PRIORITY: u8 = 32;
}

pub(super) mod setting {
    pub const HEADER_TABLE_SIZE: u16 = 1;
    pub const ENABLE_PUSH: u16 = 2;
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    pub const MAX_FRAME_SIZE: u16 = 5;
    pub const ENABLE_CONNECT_PROTOCOL: u16 = 8;
}

/// The nine bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FrameHeader {
    pub len: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl FrameHeader {
    /// Reads one, if it is there.
    pub fn parse(input: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, s0, s1, s2, s3] = input.first_chunk::<HEADER_LEN>()?;
        Some(Self {
            len: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff,
        })
    }

    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// As it stands on the wire.
    pub fn bytes(&self) -> [u8; HEADER_LEN] {
        let [_, a, b, c] = (self.len as u32).to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.to_be_bytes();
        [a, b, c, self.kind, self.flags, s0, s1, s2, s3]
    }

    /// The payload without padding, whose length stands in front where there is any.
    pub fn unpadded<'a>(&self, payload: &'a [u8]) -> Result<&'a [u8], H2Error> {
        if !self.has(flag::PADDED) {
            return Ok(payload);
        }
        let error = H2Error::connection(ErrorCode::PROTOCOL);
        let (&padding, rest) = payload
            .split_first()
            .ok_or(H2Error::connection(ErrorCode::FRAME_SIZE))?;
        let len = rest.len().checked_sub(usize::from(padding));
        len.map(|len| &rest[..len]).ok_or(error)
    }
}

/// Writes a frame that is small.
pub(super) fn put(out: &mut BytesMut, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let header = FrameHeader {
        len: payload.len(),
        kind,
        flags,
        stream,
    };
    out.put_slice(&header.bytes());
    out.put_slice(payload);
}
