//! The libraries that decompress, as much at a time as they are told.

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use nuncio_base::Buffer;
use zlib_rs::{Inflate, InflateError, InflateFlush, Status};
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

/// A library with its settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Library {
    /// Which one.
    pub codec: Codec,
    /// How much of what it makes is gathered before it is passed on, in bytes.
    pub chunk_size: usize,
    /// How many times as long as what came what is made of it may be.
    pub max_ratio: usize,
}

/// What decompresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    /// gzip, with windows up to this power of two.
    Gzip(u8),
    /// Brotli.
    Brotli,
    /// Zstandard.
    Zstd,
}

/// The windows of Zstandard that HTTP allows, as a power of two (RFC 9659, section 3).
const ZSTD_WINDOW_BITS: u32 = 23;

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// A body that is being decompressed.
pub enum Decoder {
    /// With gzip.
    Gzip(Inflate),
    /// With Brotli.
    Brotli(Box<Brotli>),
    /// With Zstandard.
    Zstd(DCtx<'static>),
}

/// A piece of a body as it came, on its way through a decoder.
#[derive(Default)]
pub struct Piece {
    input: Buffer,
    made: usize,
    limit: usize,
}

/// How far a piece has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// All of it is through.
    Done,
    /// As much as was asked for was made; there may be more.
    More,
    /// The rest of it is nothing.
    Failed(Fault),
}

/// What is wrong with a piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is not what the library reads.
    Data,
    /// Its checksum is not that of the content.
    Checksum,
    /// It needs a dictionary.
    Dictionary,
    /// There is no memory for it.
    Memory,
    /// More is made of it than may be.
    Overflow,
    /// It comes after the end.
    Redundant,
}

impl Library {
    /// The content coding.
    pub const fn coding(&self) -> &'static str {
        match self.codec {
            Codec::Gzip(_) => "gzip",
            Codec::Brotli => "br",
            Codec::Zstd => "zstd",
        }
    }

    /// The name in stats.
    pub const fn stat_name(&self) -> &'static str {
        match self.codec {
            Codec::Gzip(_) => "gzip",
            Codec::Brotli => "brotli",
            Codec::Zstd => "zstd",
        }
    }

    /// Begins a body; `None` where there is no memory.
    pub fn decoder(&self) -> Option<Decoder> {
        Some(match self.codec {
            // 16 more ask for gzip's head and foot.
            Codec::Gzip(window_bits) => Decoder::Gzip(Inflate::new(true, 16 + window_bits)),
            Codec::Brotli => {
                let alloc = StandardAlloc::default;
                // Strict: without the windows that HTTP does not know.
                Decoder::Brotli(Box::new(Brotli::new_strict(alloc(), alloc(), alloc())))
            }
            Codec::Zstd => {
                let mut context = DCtx::try_create()?;
                let window = DParameter::WindowLogMax(ZSTD_WINDOW_BITS);
                context.set_parameter(window).ok()?;
                Decoder::Zstd(context)
            }
        })
    }

    /// A piece of a body.
    pub fn piece(&self, input: Buffer) -> Piece {
        Piece {
            limit: input.len().saturating_mul(self.max_ratio),
            made: 0,
            input,
        }
    }
}

impl Piece {
    fn pass(&mut self, made: &[u8], out: &mut Buffer) {
        self.made += made.len();
        out.push_copy(made);
    }

    fn is_too_long(&self) -> bool {
        self.made > self.limit
    }
}

impl Decoder {
    /// Goes on with a piece until `most` bytes are made of it, or a chunk more. `chunk` is where
    /// they are gathered; nothing stays in it.
    pub fn run(
        &mut self,
        piece: &mut Piece,
        chunk: &mut [u8],
        most: usize,
        out: &mut Buffer,
    ) -> Progress {
        match self {
            Self::Gzip(stream) => inflate(stream, piece, chunk, most, out),
            Self::Brotli(state) => brotli(state, piece, chunk, most, out),
            Self::Zstd(context) => zstd(context, piece, chunk, most, out),
        }
    }
}

/// As Envoy has it what follows the end is skipped, be it another member.
fn inflate(
    stream: &mut Inflate,
    piece: &mut Piece,
    chunk: &mut [u8],
    most: usize,
    out: &mut Buffer,
) -> Progress {
    // The library is not asked about nothing, as it would fail again after it has once.
    if piece.input.is_empty() && piece.made == 0 {
        return Progress::Done;
    }
    let most = out.len().saturating_add(most);
    let mut filled = 0;
    loop {
        let before = (stream.total_in(), stream.total_out());
        let (front, room) = (piece.input.front(), &mut chunk[filled..]);
        let status = stream.decompress(front, room, InflateFlush::NoFlush);
        let taken = (stream.total_in() - before.0) as usize;
        let made = (stream.total_out() - before.1) as usize;
        piece.input.advance(taken);
        filled += made;
        let end = match status {
            Err(InflateError::MemError) => Some(Progress::Failed(Fault::Memory)),
            Err(_) => Some(Progress::Failed(Fault::Data)),
            Ok(Status::StreamEnd) => Some(Progress::Done),
            Ok(_) if filled < chunk.len() && piece.input.is_empty() => Some(Progress::Done),
            Ok(_) if (taken, made) == (0, 0) => Some(Progress::Failed(Fault::Data)),
            Ok(_) => None,
        };
        if end.is_some() || filled == chunk.len() {
            piece.pass(&chunk[..filled], out);
            filled = 0;
        }
        if let Some(end) = end {
            return end;
        }
        if piece.is_too_long() {
            return Progress::Failed(Fault::Overflow);
        }
        if out.len() >= most {
            return Progress::More;
        }
    }
}

fn brotli(
    state: &mut Brotli,
    piece: &mut Piece,
    chunk: &mut [u8],
    most: usize,
    out: &mut Buffer,
) -> Progress {
    let most = out.len().saturating_add(most);
    let mut filled = 0;
    loop {
        let front = piece.input.front();
        let (mut left, mut taken, mut total) = (front.len(), 0, 0);
        let (mut room, at) = (chunk.len() - filled, filled);
        let result = BrotliDecompressStream(
            &mut left,
            &mut taken,
            front,
            &mut room,
            &mut filled,
            chunk,
            &mut total,
            state,
        );
        piece.input.advance(taken);
        let moved = taken > 0 || filled > at;
        let end = match result {
            BrotliResult::ResultFailure => Some(Progress::Failed(Fault::Data)),
            BrotliResult::ResultSuccess if !piece.input.is_empty() => {
                Some(Progress::Failed(Fault::Redundant))
            }
            _ if piece.is_too_long() => Some(Progress::Failed(Fault::Overflow)),
            BrotliResult::NeedsMoreOutput => None,
            _ if piece.input.is_empty() => Some(Progress::Done),
            _ if !moved => Some(Progress::Failed(Fault::Data)),
            _ => None,
        };
        if end.is_some() || filled == chunk.len() {
            piece.pass(&chunk[..filled], out);
            filled = 0;
        }
        if let Some(end) = end {
            return end;
        }
        if filled == 0 && out.len() >= most {
            return Progress::More;
        }
    }
}

/// As Envoy has it one frame may follow another.
fn zstd(
    context: &mut DCtx<'static>,
    piece: &mut Piece,
    chunk: &mut [u8],
    most: usize,
    out: &mut Buffer,
) -> Progress {
    let most = out.len().saturating_add(most);
    // The library keeps the last byte back while there is more to come out.
    while !piece.input.is_empty() {
        let mut input = InBuffer::around(piece.input.front());
        let mut made = OutBuffer::around(&mut *chunk);
        if let Err(code) = context.decompress_stream(&mut made, &mut input) {
            return Progress::Failed(fault(code));
        }
        let taken = input.pos();
        piece.pass(made.as_slice(), out);
        piece.input.advance(taken);
        if piece.is_too_long() {
            return Progress::Failed(Fault::Overflow);
        }
        if out.len() >= most {
            return Progress::More;
        }
    }
    Progress::Done
}

/// The library's codes are its errors' numbers, negated.
fn fault(code: usize) -> Fault {
    use ZSTD_ErrorCode as E;
    let number = code.wrapping_neg();
    let is = |error: E| number == error as usize;
    if is(E::ZSTD_error_memory_allocation) {
        Fault::Memory
    } else if is(E::ZSTD_error_dictionary_corrupted) || is(E::ZSTD_error_dictionary_wrong) {
        Fault::Dictionary
    } else if is(E::ZSTD_error_checksum_wrong) {
        Fault::Checksum
    } else {
        Fault::Data
    }
}
