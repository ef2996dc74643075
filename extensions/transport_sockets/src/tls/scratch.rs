//! Memory that all TLS connections of a worker use in turn.

use bytes::BytesMut;
use nuncio_worker::local_slot::LocalSlot;

/// How much is read from a socket at once: a little more than two full records.
const READ_BYTES: usize = 36 * 1024;

/// A worker's.
#[derive(Default)]
pub struct Scratch {
    cipher: LocalSlot<BytesMut>,
    seal: LocalSlot<BytesMut>,
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
}
