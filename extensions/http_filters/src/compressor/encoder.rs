//! The libraries that compress.

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use brotli::enc::backward_references::BrotliEncoderMode;
use nuncio_base::Buffer;
use std::io::{self, Write};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Status};
use zstd::stream::raw::{self, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::{CParameter, Strategy};

/// A library with its settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Library {
    /// Which one.
    pub codec: Codec,
    /// How much of what it makes is gathered before it is passed on, in bytes.
    pub chunk_size: usize,
}

/// What compresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    /// gzip.
    Gzip(DeflateConfig),
    /// Brotli.
    Brotli(BrotliSettings),
    /// Zstandard.
    Zstd(ZstdSettings),
}

/// How Brotli compresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrotliSettings {
    /// How hard it tries.
    pub quality: i32,
    /// The window, as a power of two.
    pub window_bits: i32,
    /// How much is looked at together, as a power of two; 0: as the library likes.
    pub input_block_bits: i32,
    /// What the content is like.
    pub content: BrotliContent,
    /// Whether literals are coded without regard to those before them.
    pub plain_literals: bool,
}

/// What Brotli is told of the content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BrotliContent {
    /// Nothing.
    Generic,
    /// It is text.
    Text,
    /// It is a font.
    Font,
}

/// How Zstandard compresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ZstdSettings {
    /// How hard it tries.
    pub level: i32,
    /// Whether the content's checksum follows it.
    pub checksum: bool,
    /// How it finds what repeats; `None`: as the level has it.
    pub strategy: Option<Strategy>,
}

impl Library {
    /// The content coding.
    pub const fn coding(&self) -> &'static str {
        match self.codec {
            Codec::Gzip(_) => "gzip",
            Codec::Brotli(_) => "br",
            Codec::Zstd(_) => "zstd",
        }
    }

    /// The name in stats.
    pub const fn stat_name(&self) -> &'static str {
        match self.codec {
            Codec::Gzip(_) => "gzip",
            Codec::Brotli(_) => "brotli",
            Codec::Zstd(_) => "zstd",
        }
    }

    /// Begins a body.
    ///
    /// # Errors
    /// Where the library has no memory.
    pub fn encoder(&self) -> io::Result<Encoder> {
        let size = self.chunk_size;
        let chunk = || vec![0; size].into_boxed_slice();
        Ok(match &self.codec {
            Codec::Gzip(config) => Encoder::Gzip(Deflate::new_with_config(*config), chunk()),
            Codec::Brotli(settings) => {
                let writer = CompressorWriter::with_params(Vec::new(), size, &settings.params());
                Encoder::Brotli(Box::new(writer))
            }
            Codec::Zstd(settings) => {
                let mut encoder = raw::Encoder::new(settings.level)?;
                encoder.set_parameter(CParameter::ChecksumFlag(settings.checksum))?;
                if let Some(strategy) = settings.strategy {
                    encoder.set_parameter(CParameter::Strategy(strategy))?;
                }
                Encoder::Zstd(encoder, chunk())
            }
        })
    }
}

impl BrotliSettings {
    fn params(&self) -> BrotliEncoderParams {
        BrotliEncoderParams {
            quality: self.quality,
            lgwin: self.window_bits,
            lgblock: self.input_block_bits,
            mode: match self.content {
                BrotliContent::Generic => BrotliEncoderMode::BROTLI_MODE_GENERIC,
                BrotliContent::Text => BrotliEncoderMode::BROTLI_MODE_TEXT,
                BrotliContent::Font => BrotliEncoderMode::BROTLI_MODE_FONT,
            },
            disable_literal_context_modeling: i32::from(self.plain_literals),
            ..BrotliEncoderParams::default()
        }
    }
}

/// A body that is being compressed, with the room for what the library makes.
pub enum Encoder {
    /// With gzip.
    Gzip(Deflate, Box<[u8]>),
    /// With Brotli.
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    /// With Zstandard.
    Zstd(raw::Encoder<'static>, Box<[u8]>),
}

impl Encoder {
    /// Takes a piece in.
    ///
    /// # Errors
    /// Where the library has no memory.
    pub fn write(&mut self, piece: &[u8], out: &mut Buffer) -> io::Result<()> {
        match self {
            Self::Gzip(stream, chunk) => deflate(stream, piece, DeflateFlush::NoFlush, chunk, out),
            Self::Brotli(writer) => writer.write_all(piece),
            Self::Zstd(encoder, chunk) => {
                let mut input = InBuffer::around(piece);
                while input.pos() < piece.len() {
                    let mut made = OutBuffer::around(&mut **chunk);
                    encoder.run(&mut input, &mut made)?;
                    out.push_copy(made.as_slice());
                }
                Ok(())
            }
        }
    }

    /// Gives out all that was taken in, so that whoever reads it is not kept waiting.
    ///
    /// # Errors
    /// Where the library has no memory.
    pub fn flush(&mut self, out: &mut Buffer) -> io::Result<()> {
        match self {
            Self::Gzip(stream, chunk) => deflate(stream, &[], DeflateFlush::SyncFlush, chunk, out),
            Self::Brotli(writer) => {
                writer.flush()?;
                out.push(std::mem::take(writer.get_mut()).into());
                Ok(())
            }
            Self::Zstd(encoder, chunk) => drain(chunk, out, |made| encoder.flush(made)),
        }
    }

    /// Ends the body, and gives out the rest.
    ///
    /// # Errors
    /// Where the library has no memory.
    pub fn finish(self, out: &mut Buffer) -> io::Result<()> {
        match self {
            Self::Gzip(mut stream, mut chunk) => {
                deflate(&mut stream, &[], DeflateFlush::Finish, &mut chunk, out)
            }
            Self::Brotli(writer) => {
                out.push(writer.into_inner().into());
                Ok(())
            }
            Self::Zstd(mut encoder, mut chunk) => {
                drain(&mut chunk, out, |made| encoder.finish(made, true))
            }
        }
    }
}

/// Puts a piece through zlib, a chunk of room at a time.
fn deflate(
    stream: &mut Deflate,
    mut piece: &[u8],
    flush: DeflateFlush,
    chunk: &mut [u8],
    out: &mut Buffer,
) -> io::Result<()> {
    loop {
        let before = (stream.total_in(), stream.total_out());
        let status = stream.compress(piece, chunk, flush);
        let status = status.map_err(|error| io::Error::other(error.as_str()))?;
        let taken = (stream.total_in() - before.0) as usize;
        let made = (stream.total_out() - before.1) as usize;
        piece = &piece[taken..];
        out.push_copy(&chunk[..made]);
        // Where there was room left, all is out.
        if status == Status::StreamEnd || (made < chunk.len() && (piece.is_empty() || taken == 0)) {
            return Ok(());
        }
    }
}

/// Takes out what Zstandard has, a chunk at a time, until it has no more.
fn drain(
    chunk: &mut [u8],
    out: &mut Buffer,
    mut take: impl FnMut(&mut OutBuffer<'_, [u8]>) -> io::Result<usize>,
) -> io::Result<()> {
    loop {
        let mut made = OutBuffer::around(&mut *chunk);
        let left = take(&mut made)?;
        out.push_copy(made.as_slice());
        if left == 0 {
            return Ok(());
        }
    }
}
