//! Messages in a body: each behind five bytes, a flag and its length.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use nuncio_base::Buffer;

/// The bytes before a message.
const PREFIX: usize = 5;

/// A message as it is sent, uncompressed.
pub fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// Why a body holds no messages that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageError {
    /// It is compressed, which was not agreed on, or the flag is none that there is.
    Flag,
    /// It is longer than may be.
    TooLarge,
}

/// Cuts a body that comes in pieces into its messages.
#[derive(Debug)]
pub struct Messages {
    body: Buffer,
    /// The beginning of a message whose rest did not come yet, and nothing of `body` is before it:
    /// each piece is copied there once, and pins no block that it was read into.
    begun: BytesMut,
    most: usize,
}

impl Messages {
    /// `most`: how long a message may be, in bytes.
    pub fn new(most: usize) -> Self {
        Self {
            body: Buffer::new(),
            begun: BytesMut::new(),
            most,
        }
    }

    /// Adds a piece of the body.
    pub fn push(&mut self, data: &mut Buffer) {
        self.body.append(data);
    }

    /// Whether the body ends between two messages.
    pub fn is_whole(&self) -> bool {
        self.body.is_empty() && self.begun.is_empty()
    }

    /// The next message that is complete.
    ///
    /// # Errors
    /// What follows can't be read.
    pub fn next_message(&mut self) -> Result<Option<Bytes>, MessageError> {
        if self.begun.len() + self.body.len() < PREFIX {
            self.keep(PREFIX);
            return Ok(None);
        }
        let length = self.next_length()?;
        if self.begun.is_empty() && self.body.len() - PREFIX >= length {
            self.body.advance(PREFIX);
            return Ok(Some(self.body.split_to(length).to_bytes()));
        }
        self.keep(PREFIX + length);
        if self.begun.len() < PREFIX + length {
            return Ok(None);
        }
        let mut message = std::mem::take(&mut self.begun).freeze();
        message.advance(PREFIX);
        Ok(Some(message))
    }

    /// How long the message is whose prefix is there.
    fn next_length(&self) -> Result<usize, MessageError> {
        let mut prefix = [0; PREFIX];
        let body = self.body.slices().flat_map(|slice| slice.iter());
        let bytes = self.begun.iter().chain(body);
        prefix
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        let [flag, length @ ..] = prefix;
        let length = u32::from_be_bytes(length) as usize;
        if flag != 0 {
            return Err(MessageError::Flag);
        }
        if length > self.most {
            return Err(MessageError::TooLarge);
        }
        Ok(length)
    }

    /// Keeps what there is of the first `until` bytes of a message.
    fn keep(&mut self, until: usize) {
        let missing = until.saturating_sub(self.begun.len());
        let piece = self.body.split_to(missing.min(self.body.len()));
        piece
            .slices()
            .for_each(|slice| self.begun.extend_from_slice(slice));
    }
}
