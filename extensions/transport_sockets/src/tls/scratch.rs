//! Memory that all TLS connections of a worker use in turn.

use bytes::{Bytes, BytesMut};
use nuncio_worker::local_slot::LocalSlot;

/// How much is read from a socket at once: a little more than two full records.
const READ_BYTES: usize = 36 * 1024;
/// From this many bytes on what is sealed has a block of its own for the time that it takes to be
/// written: to clear memory for it each time would cost as much as to copy it.
const LARGE: usize = 8 * 1024;

/// A worker's.
#[derive(Default)]
pub struct Scratch {
    cipher: LocalSlot<BytesMut>,
    seal: LocalSlot<BytesMut>,
    /// The block that was written from last, and may still be.
    large: LocalSlot<Bytes>,
    gathered: LocalSlot<Vec<u8>>,
}

impl Scratch {
    /// Lends an empty block with room for a read of ciphertext.
    pub fn with_cipher<R>(&self, f: impl FnOnce(&mut BytesMut) -> R) -> R {
        self.cipher.with(|block| {
            block.clear();
            block.reserve(READ_BYTES);
            f(block)
        })
    }

    /// Lends the block that records are sealed in; what was split off is used again once it is
    /// written.
    pub fn with_seal<R>(&self, f: impl FnOnce(&mut BytesMut) -> R) -> R {
        self.seal.with(f)
    }

    /// Lends `room` bytes to be sealed in, and gives those that were.
    ///
    /// # Errors
    /// What `seal` says.
    pub fn sealed<E>(
        &self,
        room: usize,
        seal: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Bytes, E> {
        if room < LARGE {
            return self.with_seal(|block| {
                block.clear();
                block.resize(room, 0);
                let sealed = seal(block)?;
                Ok(block.split_to(sealed).freeze())
            });
        }
        self.large.with(|last| {
            let block = std::mem::take(last).try_into_mut().ok();
            let block = block.filter(|block| block.len() >= room);
            let mut block = block.unwrap_or_else(|| BytesMut::zeroed(room.next_multiple_of(LARGE)));
            let sealed = seal(&mut block[..room])?;
            *last = block.freeze();
            Ok(last.slice(..sealed))
        })
    }

    /// Lends empty memory in which small pieces are put together.
    pub fn with_gathered<R>(&self, f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        self.gathered.with(|gathered| {
            gathered.clear();
            f(gathered)
        })
    }
}
