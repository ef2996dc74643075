//! The libraries that compress.

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use std::io::{self, Write};

/// A library with its settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Library {
    /// gzip, by its level.
    Gzip(u32),
    /// Brotli.
    Brotli {
        /// How hard it tries.
        quality: u32,
        /// The window, as a power of two.
        window_bits: u32,
    },
    /// Zstandard.
    Zstd {
        /// How hard it tries.
        level: i32,
        /// Whether the content's checksum follows it.
        checksum: bool,
    },
}

impl Library {
    /// The content coding.
    pub const fn coding(self) -> &'static str {
        match self {
            Self::Gzip(_) => "gzip",
            Self::Brotli { .. } => "br",
            Self::Zstd { .. } => "zstd",
        }
    }

    /// The name in stats.
    pub const fn stat_name(self) -> &'static str {
        match self {
            Self::Gzip(_) => "gzip",
            Self::Brotli { .. } => "brotli",
            Self::Zstd { .. } => "zstd",
        }
    }

    /// Begins a body.
    ///
    /// # Errors
    /// Where the library has no memory.
    pub fn encoder(self) -> io::Result<Encoder> {
        Ok(match self {
            Self::Gzip(level) => {
                // The mark of Unix in the head, as zlib writes it.
                let builder = GzBuilder::new().operating_system(3);
                Encoder::Gzip(builder.write(Vec::new(), Compression::new(level)))
            }
            Self::Brotli {
                quality,
                window_bits,
            } => {
                let parameters = BrotliEncoderParams {
                    quality: quality as i32,
                    lgwin: window_bits as i32,
                    ..BrotliEncoderParams::default()
                };
                let writer = CompressorWriter::with_params(Vec::new(), BLOCK, &parameters);
                Encoder::Brotli(Box::new(writer))
            }
            Self::Zstd { level, checksum } => {
                let mut encoder = zstd::Encoder::new(Vec::new(), level)?;
                encoder.include_checksum(checksum)?;
                Encoder::Zstd(encoder)
            }
        })
    }
}

/// How much brotli compresses at once, in bytes.
const BLOCK: usize = 4096;

/// A body that is being compressed.
pub enum Encoder {
    /// With gzip.
    Gzip(GzEncoder<Vec<u8>>),
    /// With Brotli.
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    /// With Zstandard.
    Zstd(zstd::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    /// Takes a piece in.
    ///
    /// # Errors
    /// Where the library has no memory.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(piece),
            Self::Brotli(encoder) => encoder.write_all(piece),
            Self::Zstd(encoder) => encoder.write_all(piece),
        }
    }

    /// Gives out all that was taken in, so that whoever reads it is not kept waiting.
    ///
    /// # Errors
    /// Where the library has no memory.
    pub fn flush(&mut self) -> io::Result<Vec<u8>> {
        Ok(match self {
            Self::Gzip(encoder) => {
                encoder.flush()?;
                std::mem::take(encoder.get_mut())
            }
            Self::Brotli(encoder) => {
                encoder.flush()?;
                std::mem::take(encoder.get_mut())
            }
            Self::Zstd(encoder) => {
                encoder.flush()?;
                std::mem::take(encoder.get_mut())
            }
        })
    }

    /// Ends the body, and gives out the rest.
    ///
    /// # Errors
    /// Where the library has no memory.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}
