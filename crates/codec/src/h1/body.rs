//! The body of a message that is being read, by any of HTTP/1's ways to frame it.

use super::chunk::Chunks;
use super::error::H1Error;
use super::head::{Head, Start};
use super::settings::H1Settings;
use crate::{End, Frame, HeaderPool};
use bytes::Bytes;
use nuncio_base::Buffer;

/// Where a body ends, and how much of it is still to come.
#[derive(Debug, Default)]
pub(super) enum Body {
    /// There is none.
    #[default]
    None,
    /// This many bytes.
    Length(u64),
    /// Chunks (RFC 9112 section 7.1).
    Chunked(Chunks),
    /// The trailers behind the last chunk.
    Trailers(Option<Box<Head>>),
    /// All bytes until the connection ends; they are a response's body.
    UntilClose,
    /// All bytes until the connection ends; they are another protocol's.
    Opaque,
}

impl Body {
    /// A chunked body from its beginning.
    pub fn chunked() -> Self {
        Self::Chunked(Chunks::default())
    }

    /// The next piece, cut from `input`; None where that needs more bytes. The frame that has the
    /// end says so.
    pub fn next(
        &mut self,
        settings: &H1Settings,
        input: &mut Bytes,
        pool: &mut HeaderPool,
    ) -> Result<Option<Frame>, H1Error> {
        loop {
            match self {
                Self::None => return Ok(None),
                Self::Length(left) => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let len =
                        usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                    *left -= len as u64;
                    let end = End::when(*left == 0);
                    return Ok(Some(Frame::Data(take(input, len).into(), end)));
                }
                Self::Chunked(chunks) => {
                    if let Some((data, end)) = chunks.next(input)? {
                        return Ok(Some(Frame::Data(data.into(), end)));
                    }
                    if !chunks.is_last() {
                        return Ok(None);
                    }
                    *self = Self::Trailers(None);
                }
                Self::Trailers(head) => return trailers(head, settings, input, pool),
                Self::UntilClose | Self::Opaque => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let data = std::mem::take(input);
                    return Ok(Some(Frame::Data(data.into(), End::No)));
                }
            }
        }
    }

    /// Gives back what is held.
    pub fn discard(self, pool: &mut HeaderPool) {
        if let Self::Trailers(Some(head)) = self {
            head.discard(pool);
        }
    }
}

/// Takes the first bytes; all of them without a second handle on the block.
pub(super) fn take(input: &mut Bytes, len: usize) -> Bytes {
    if len == input.len() {
        std::mem::take(input)
    } else {
        input.split_to(len)
    }
}

fn trailers(
    partial: &mut Option<Box<Head>>,
    settings: &H1Settings,
    input: &mut Bytes,
    pool: &mut HeaderPool,
) -> Result<Option<Frame>, H1Error> {
    let mut head = match partial.take() {
        Some(head) => head,
        None if input.starts_with(b"\r\n") => {
            let _ = input.split_to(2);
            return Ok(Some(Frame::Data(Buffer::new(), End::Stream)));
        }
        None if input.is_empty() => return Ok(None),
        None => Box::new(Head::new(Start::Trailers, settings, pool)),
    };
    match head.read(settings, input) {
        Ok(false) => {
            *partial = Some(head);
            Ok(None)
        }
        Ok(true) => {
            let _ = input.split_to(head.at);
            if head.map.is_empty() {
                head.discard(pool);
                Ok(Some(Frame::Data(Buffer::new(), End::Stream)))
            } else {
                Ok(Some(Frame::Trailers(head.map)))
            }
        }
        Err(error) => {
            head.discard(pool);
            Err(error)
        }
    }
}
