//! Chunked bodies (RFC 9112 section 7.1), taken apart strictly.
//!
//! A size is hex digits; an extension must look like one, and is dropped. Envoy takes anything
//! behind the size, which is where proxies have been made to disagree.

use super::body::take;
use super::error::H1Error;
use crate::End;
use bytes::{Buf, Bytes};
use memchr::memchr;
use nuncio_base::header_name::is_token;
use nuncio_base::header_value::is_value_byte;

/// A size line, extensions included, is at most this long: it waits in memory for its end.
const MAX_SIZE_LINE: usize = 4096;
/// Chunks up to this size are gathered, so that what is handed on costs what it holds.
const SMALL: usize = 512;
/// As many bytes are gathered at once.
const GATHERED: usize = 4096;

/// Where in the chunks we are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Chunks {
    /// Before a size.
    #[default]
    Size,
    /// Before this many bytes of a chunk.
    Data(u64),
    /// Before the line end behind a chunk.
    DataEnd,
    /// Behind the size of the last chunk, before the trailers.
    Last,
    /// Behind everything.
    Done,
}

impl Chunks {
    /// Whether the last chunk was seen, so that trailers follow.
    pub fn is_last(self) -> bool {
        self == Self::Last
    }

    /// The next bytes of the body; None where that needs more input, or trailers follow. The end
    /// is told with the bytes where both are in the input.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<(Bytes, End)>, H1Error> {
        loop {
            match *self {
                Self::Data(left) if input.is_empty() || left == 0 => return Ok(None),
                Self::Data(left) => {
                    let data = self.take_data(left, input);
                    return Ok(Some(self.with_what_follows(data, input)));
                }
                Self::Last | Self::Done => return Ok(None),
                Self::Size | Self::DataEnd => {
                    if !self.step(input)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Reads one size or one line end; false where it is not complete.
    fn step(&mut self, input: &mut Bytes) -> Result<bool, H1Error> {
        match *self {
            Self::Size => {
                let Some((size, len)) = size_line(input)? else {
                    return Ok(false);
                };
                input.advance(len);
                *self = if size == 0 {
                    Self::Last
                } else {
                    Self::Data(size)
                };
                Ok(true)
            }
            Self::DataEnd => match input[..] {
                [b'\r', b'\n', ..] => {
                    input.advance(2);
                    *self = Self::Size;
                    Ok(true)
                }
                [] | [b'\r'] => Ok(false),
                _ => Err(H1Error::INVALID_CHUNK),
            },
            Self::Data(_) | Self::Last | Self::Done => Ok(true),
        }
    }

    fn take_data(&mut self, left: u64, input: &mut Bytes) -> Bytes {
        let len = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let left = left - len as u64;
        *self = if left == 0 {
            Self::DataEnd
        } else {
            Self::Data(left)
        };
        take(input, len)
    }

    /// Adds small chunks that follow, and finds the end where it follows at once. What is wrong
    /// there is left for the next call, which then has nothing else to tell.
    fn with_what_follows(&mut self, data: Bytes, input: &mut Bytes) -> (Bytes, End) {
        if *self != Self::DataEnd || input.is_empty() {
            return (data, End::No);
        }
        let follows = self.skip_to_data(input);
        if let Some(size) = follows
            && data.len() <= SMALL
            && size <= SMALL
            && !input.is_empty()
        {
            return self.gather(&data, input);
        }
        (data, self.end_at_once(input))
    }

    /// Goes on to the next chunk's bytes; their number if there are any.
    fn skip_to_data(&mut self, input: &mut Bytes) -> Option<usize> {
        loop {
            match *self {
                Self::Data(size) => return usize::try_from(size).ok(),
                Self::Last | Self::Done => return None,
                Self::Size | Self::DataEnd => {
                    if !self.step(input).unwrap_or(false) {
                        return None;
                    }
                }
            }
        }
    }

    #[cold]
    fn gather(&mut self, first: &[u8], input: &mut Bytes) -> (Bytes, End) {
        let mut gathered = [0; GATHERED];
        gathered[..first.len()].copy_from_slice(first);
        let mut len = first.len();
        while let Some(size) = self.skip_to_data(input) {
            let room = &mut gathered[len..];
            if size > SMALL || size > room.len() || input.is_empty() {
                break;
            }
            let piece = self.take_data(size as u64, input);
            room[..piece.len()].copy_from_slice(&piece);
            len += piece.len();
        }
        let end = self.end_at_once(input);
        (Bytes::copy_from_slice(&gathered[..len]), end)
    }

    fn end_at_once(&mut self, input: &mut Bytes) -> End {
        let ends = *self == Self::Last && input.starts_with(b"\r\n");
        if ends {
            input.advance(2);
            *self = Self::Done;
        }
        End::when(ends)
    }
}

/// Reads a size line: the size, and the bytes of the line. None where it is not complete.
fn size_line(input: &[u8]) -> Result<Option<(u64, usize)>, H1Error> {
    let Some(end) = memchr(b'\n', &input[..input.len().min(MAX_SIZE_LINE)]) else {
        return if input.len() >= MAX_SIZE_LINE || input.first().is_some_and(|&b| hex(b).is_none()) {
            Err(H1Error::INVALID_CHUNK)
        } else {
            Ok(None)
        };
    };
    let [line @ .., b'\r'] = &input[..end] else {
        return Err(H1Error::INVALID_CHUNK);
    };
    let digits = line.iter().take_while(|&&byte| hex(byte).is_some()).count();
    let (digits, extensions) = line.split_at(digits);
    if digits.is_empty() || !are_extensions(extensions) {
        return Err(H1Error::INVALID_CHUNK);
    }
    let mut size = 0_u64;
    for &digit in digits {
        if size >> 60 != 0 {
            return Err(H1Error::INVALID_CHUNK);
        }
        size = (size << 4) | u64::from(hex(digit).unwrap_or_default());
    }
    Ok(Some((size, end + 1)))
}

const fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )` (RFC 9112 section 7.1.1).
fn are_extensions(mut text: &[u8]) -> bool {
    while !text.is_empty() {
        let Some(rest) = skip_space(text).strip_prefix(b";") else {
            return false;
        };
        let Some(rest) = skip_token(skip_space(rest)) else {
            return false;
        };
        text = match skip_space(rest).strip_prefix(b"=") {
            None => rest,
            Some(value) => match skip_value(skip_space(value)) {
                Some(rest) => rest,
                None => return false,
            },
        };
    }
    true
}

fn skip_space(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

fn skip_token(text: &[u8]) -> Option<&[u8]> {
    let len = text.iter().take_while(|&&byte| is_token(byte)).count();
    (len > 0).then(|| &text[len..])
}

fn skip_value(text: &[u8]) -> Option<&[u8]> {
    let Some(mut rest) = text.strip_prefix(b"\"") else {
        return skip_token(text);
    };
    loop {
        rest = match rest {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', escaped, rest @ ..] if is_value_byte(*escaped) => rest,
            [byte, rest @ ..] if is_value_byte(*byte) && *byte != b'\\' => rest,
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_lines() {
        for (line, expected) in [
            ("5\r\n", Ok(Some(5))),
            ("00A\r\n", Ok(Some(10))),
            ("00000000000000000000000005\r\n", Ok(Some(5))),
            ("ffffffffffffffff\r\n", Ok(Some(u64::MAX))),
            ("5;ext=1\r\n", Ok(Some(5))),
            ("5 ; a = \"b \\\" c\" ;d\r\n", Ok(Some(5))),
            ("5", Ok(None)),
            ("5\r", Ok(None)),
            ("fffffffffffffffff\r\n", Err(())),
            ("5\n", Err(())),
            ("5 \r\n", Err(())),
            ("5;\r\n", Err(())),
            ("5;a=\r\n", Err(())),
            ("5;a=\"b\r\n", Err(())),
            ("5;a=b c\r\n", Err(())),
            ("5;\ra\r\n", Err(())),
            ("0x5\r\n", Err(())),
            ("-1\r\n", Err(())),
            (" 5\r\n", Err(())),
            ("\r\n", Err(())),
            ("5_0\r\n", Err(())),
            ("xyz", Err(())),
        ] {
            let got = size_line(line.as_bytes()).map(|line| line.map(|(size, _)| size));
            assert_eq!(got.map_err(|_| ()), expected, "{line:?}");
        }
        assert!(size_line(&[b'5'; MAX_SIZE_LINE]).is_err());
    }

    #[test]
    fn small_chunks_come_together_and_large_ones_stay_slices() {
        let mut body = Vec::new();
        for i in 0..5000_u32 {
            body.extend_from_slice(format!("1\r\n{}\r\n", i % 10).as_bytes());
        }
        body.extend_from_slice(b"0\r\n\r\n");
        let mut input = Bytes::from(body);
        let mut chunks = Chunks::default();
        let (mut len, mut count) = (0, 0);
        while let Some((data, end)) = chunks.next(&mut input).unwrap() {
            len += data.len();
            count += 1;
            assert_eq!(end.is_end(), len == 5000);
        }
        assert_eq!((len, count, input.len()), (5000, 2, 0));

        let block = Bytes::from([b"400\r\n".as_slice(), &[b'x'; 1024], b"\r\n"].concat());
        let mut input = block.clone();
        let (data, _) = Chunks::default().next(&mut input).unwrap().unwrap();
        assert_eq!(data.as_ptr(), block[5..].as_ptr());
    }
}
