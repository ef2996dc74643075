//! One direction's body on its way through the library.

use super::decoder::{Decoder, Piece, Progress};
use super::filter::DecompressorLocal;
use super::settings::DirectionStats;
use nuncio_base::{Buffer, HeaderMap};

/// How much is made of a body in one turn, in bytes: what a few writes take.
const MOST_PER_TURN: usize = 128 * 1024;

/// A body that is decompressed.
pub(super) struct Work {
    decoder: Decoder,
    /// What is being decompressed, where more is to be made of it.
    piece: Option<Piece>,
    /// What came meanwhile.
    waiting: Buffer,
    /// The body ends with what is there.
    pub end: bool,
    /// Trailers wait for what is there.
    pub trailers: bool,
    /// Whether the sender is held back.
    pub holding: bool,
    came: u64,
    made: u64,
}

impl Work {
    pub fn new(decoder: Decoder) -> Self {
        Self {
            decoder,
            piece: None,
            waiting: Buffer::new(),
            end: false,
            trailers: false,
            holding: false,
            came: 0,
            made: 0,
        }
    }

    /// Whether more is to be made of what came.
    pub fn is_behind(&self) -> bool {
        self.piece.is_some() || !self.waiting.is_empty()
    }

    /// Takes what came.
    pub fn take(&mut self, data: &mut Buffer, stats: &DirectionStats) {
        self.came += data.len() as u64;
        stats.total_compressed_bytes().add(data.len() as u64);
        self.waiting.append(data);
    }

    /// Makes a turn's worth of what came.
    pub fn step(&mut self, local: &DecompressorLocal, stats: &DirectionStats) -> Buffer {
        let library = &local.settings.library;
        let mut out = Buffer::new();
        let mut piece = match self.piece.take() {
            Some(piece) => piece,
            None => library.piece(std::mem::take(&mut self.waiting)),
        };
        let chunk = &mut **local.chunk.borrow_mut();
        match self.decoder.run(&mut piece, chunk, MOST_PER_TURN, &mut out) {
            Progress::Done => {}
            Progress::More => self.piece = Some(piece),
            Progress::Failed(fault) => local.library_stats().count(fault),
        }
        self.made += out.len() as u64;
        stats.total_uncompressed_bytes().add(out.len() as u64);
        out
    }

    /// Tells how long the body was, as it came and afterwards.
    pub fn tell(&self, local: &DecompressorLocal, trailers: &mut HeaderMap) {
        let settings = &local.settings;
        let mut number = itoa::Buffer::new();
        for (name, bytes) in [
            (&settings.compressed_bytes, self.came),
            (&settings.uncompressed_bytes, self.made),
        ] {
            trailers.set(name, number.format(bytes).as_bytes());
        }
    }
}
