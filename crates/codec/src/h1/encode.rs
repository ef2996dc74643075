//! Writes heads and bodies: field order as the map has it, framing by the codec alone.
//!
//! What the map says about framing is not believed: `transfer-encoding` is never copied, and a
//! line cannot be smuggled in through a value, whoever put it there.

use super::settings::{H1Settings, HeaderCase};
use crate::End;
use crate::chars::is_all_visible;
use bytes::{Bytes, BytesMut};
use nuncio_base::header_case::{OriginalCase, OtherNames};
use nuncio_base::header_map::Field;
use nuncio_base::known_name::START_ROOM;
use nuncio_base::{Buffer, HeaderMap, Known, names};

/// Pieces up to this size are copied behind their chunk's size: one slice instead of three.
const COPIED: usize = 256;

/// Values up to this size are copied as if they were this long.
const VALUE_ROOM: usize = 32;

/// How the body of a message that is being written is framed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum BodyWriter {
    /// There is none; what is handed in is dropped.
    #[default]
    None,
    /// This many bytes are still owed.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Bytes as they are, until the connection ends.
    Raw,
}

impl BodyWriter {
    /// Writes a piece, all of `data`, and the end of the body if this is it. False where the
    /// message cannot be ended as it was announced, so that the connection must be closed.
    pub fn data(
        &mut self,
        data: &mut Buffer,
        end: End,
        scratch: &mut BytesMut,
        out: &mut Buffer,
    ) -> bool {
        match self {
            Self::None => data.clear(),
            Self::Raw => out.append(data),
            Self::Length(left) => {
                let len = data.len() as u64;
                if len > *left {
                    // More than the announced length would be read as the next message.
                    let mut fits = data.split_to(*left as usize);
                    data.clear();
                    *left = 0;
                    out.append(&mut fits);
                    return false;
                }
                *left -= len;
                out.append(data);
                return !end.is_end() || *left == 0;
            }
            Self::Chunked => write_chunk(data, end, scratch, out),
        }
        true
    }

    /// Writes the end of a message that has trailers; they go where the framing has room for them.
    pub fn trailers(
        self,
        trailers: &HeaderMap,
        settings: &H1Settings,
        scratch: &mut BytesMut,
        out: &mut Buffer,
    ) -> bool {
        match self {
            Self::None | Self::Raw => true,
            Self::Length(left) => left == 0,
            Self::Chunked => {
                write_head(scratch, trailers, settings, |head| {
                    head.bytes(b"0\r\n");
                    head.lines += 1;
                    if settings.enable_trailers {
                        for (name, value) in trailers.iter() {
                            if !name.starts_with(b":") {
                                head.field(name, value);
                            }
                        }
                    }
                });
                out.push(scratch.split().freeze());
                true
            }
        }
    }
}

fn write_chunk(data: &mut Buffer, end: End, scratch: &mut BytesMut, out: &mut Buffer) {
    let behind: &'static [u8] = match (data.is_empty(), end) {
        (true, End::No) => return,
        (true, End::Stream) => b"0\r\n\r\n",
        (false, End::No) => b"\r\n",
        (false, End::Stream) => b"\r\n0\r\n\r\n",
    };
    if data.is_empty() {
        out.push(Bytes::from_static(behind));
        return;
    }
    write_hex(scratch, data.len());
    scratch.extend_from_slice(b"\r\n");
    if data.len() <= COPIED {
        for slice in data.slices() {
            scratch.extend_from_slice(slice);
        }
        data.clear();
        scratch.extend_from_slice(behind);
        out.push(scratch.split().freeze());
    } else {
        out.push(scratch.split().freeze());
        out.append(data);
        out.push(Bytes::from_static(behind));
    }
}

fn write_hex(to: &mut BytesMut, number: usize) {
    let mut digits = [0; 16];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[rest & 0xf];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    to.extend_from_slice(&digits[at..]);
}

/// What the codec itself says in a head, beside or instead of the map's fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// `content-length` is copied.
    pub keeps_length: bool,
    /// Framing that is added.
    pub framing: Framing,
    /// `connection` with this value instead of the map's.
    pub connection: Option<&'static str>,
}

/// A framing field that the codec adds at the end of a head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Framing {
    None,
    LengthZero,
    Chunked,
}

/// A head that is being written.
pub(super) struct HeadWriter<'a> {
    /// Longer than what has been written: one check of the room is for the whole head.
    to: &'a mut BytesMut,
    /// Where the next byte goes.
    at: usize,
    names: Names<'a>,
    lines: usize,
    /// Control bytes are replaced: the second attempt at a head that had some.
    replaces: bool,
}

#[derive(Clone, Copy)]
enum Names<'a> {
    Lower,
    Proper,
    Original(&'a OriginalCase),
}

/// Writes a head, start line to empty line. If a control byte came in with a name or a value, it
/// is written again without any: a line end there would end the field, or the message.
pub(super) fn write_head(
    to: &mut BytesMut,
    headers: &HeaderMap,
    settings: &H1Settings,
    write: impl Fn(&mut HeadWriter<'_>),
) {
    let names = match (headers.original_case(), settings.header_case) {
        (Some(case), _) => Names::Original(case),
        (None, HeaderCase::Proper) => Names::Proper,
        (None, _) => Names::Lower,
    };
    let start = to.len();
    let room = headers.byte_size() + 4 * headers.len() + 128;
    for replaces in [false, true] {
        to.resize(start + room, 0);
        let mut head = HeadWriter {
            to: &mut *to,
            at: start,
            names,
            lines: 0,
            replaces,
        };
        write(&mut head);
        head.bytes(b"\r\n");
        let (lines, end) = (head.lines + 1, head.at);
        to.truncate(end);
        if count_controls(&to[start..]) == 2 * lines {
            return;
        }
        to.truncate(start);
    }
}

/// How many bytes are control bytes other than tabs.
fn count_controls(bytes: &[u8]) -> usize {
    let mut count = 0;
    // Short runs, so that the sum of a run fits a byte and sixteen are counted at once.
    for run in bytes.chunks(128) {
        let in_run: u8 = run
            .iter()
            .map(|&byte| u8::from(byte < b' ' && byte != b'\t'))
            .sum();
        count += usize::from(in_run);
    }
    count
}

impl HeadWriter<'_> {
    /// Where the next bytes go, which the caller fills.
    fn room(&mut self, len: usize) -> &mut [u8] {
        let (start, end) = (self.at, self.at + len);
        if end > self.to.len() {
            self.to.resize(end + 128, 0);
        }
        self.at = end;
        &mut self.to[start..end]
    }

    /// Adds bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
    }

    /// Adds bytes that somebody else made.
    pub fn text(&mut self, text: &[u8]) {
        if self.replaces {
            for &byte in text {
                self.bytes(&[byte.max(b' ')]);
            }
        } else {
            self.bytes(text);
        }
    }

    /// Adds a request target. A space or control byte in it, which only a rewrite can have put
    /// there, is percent-encoded: it would end the target, or the line.
    pub fn target(&mut self, target: &[u8]) {
        if is_all_visible(target) {
            return self.bytes(target);
        }
        for &byte in target {
            if byte > b' ' && byte != 0x7f {
                self.bytes(&[byte]);
            } else {
                let digit = |nibble: u8| b"0123456789ABCDEF"[usize::from(nibble)];
                self.bytes(&[b'%', digit(byte >> 4), digit(byte & 0xf)]);
            }
        }
    }

    /// Ends a line.
    pub fn end_line(&mut self) {
        self.bytes(b"\r\n");
        self.lines += 1;
    }

    /// Adds a field; `name` is in lower case.
    pub fn field(&mut self, name: &[u8], value: &[u8]) {
        self.name(name);
        self.bytes(b": ");
        self.text(value);
        self.end_line();
    }

    fn known_field(&mut self, known: Known, field: &Field<'_>) {
        let Names::Lower = self.names else {
            return self.field(known.as_str().as_bytes(), field.value);
        };
        let (start, value) = (known.field_start().as_bytes(), field.value);
        if self.replaces {
            self.bytes(start);
            self.text(value);
            return self.end_line();
        }
        // A copy of fixed length needs no call; what is too much is written over.
        let end = self.at + start.len() + value.len() + 2;
        if self.to.len() < end + START_ROOM {
            self.to.resize(end + START_ROOM, 0);
        }
        let to = &mut self.to[self.at..end + START_ROOM];
        if let Some(whole) = to.first_chunk_mut() {
            *whole = *known.padded_start();
        }
        let to = &mut to[start.len()..];
        match (field.wide_value::<VALUE_ROOM>(), to.first_chunk_mut()) {
            (Some(wide), Some(whole)) => *whole = *wide,
            _ => to[..value.len()].copy_from_slice(value),
        }
        to[value.len()..][..2].copy_from_slice(b"\r\n");
        self.at = end;
        self.lines += 1;
    }

    fn name(&mut self, lower: &[u8]) {
        match self.names {
            Names::Lower => self.text(lower),
            Names::Proper => self.proper(lower),
            Names::Original(case) => match case.get(lower) {
                Some(original) => self.text(original),
                None if case.other_names() == OtherNames::Proper => self.proper(lower),
                None => self.text(lower),
            },
        }
    }

    /// Each letter behind anything but a letter or digit becomes a capital.
    fn proper(&mut self, lower: &[u8]) {
        let mut begins = true;
        for &byte in lower {
            let capital = byte.to_ascii_uppercase();
            self.bytes(&[if begins { capital } else { byte }]);
            begins = !byte.is_ascii_alphanumeric();
        }
    }

    /// Adds the map's fields as the plan wants them, and what the plan adds. `host` is written
    /// of `:authority`.
    pub fn fields(&mut self, headers: &HeaderMap, plan: Plan) {
        for field in headers.fields() {
            let Some(known) = field.known() else {
                self.field(field.name(), field.value);
                continue;
            };
            let (is_written, written) = match known {
                names::AUTHORITY => (true, names::HOST),
                names::TRANSFER_ENCODING => (false, known),
                names::CONTENT_LENGTH => (plan.keeps_length, known),
                names::CONNECTION => (plan.connection.is_none(), known),
                names::HOST => (!headers.contains(names::AUTHORITY), known),
                _ => (!known.is_pseudo(), known),
            };
            if is_written {
                self.known_field(written, &field);
            }
        }
        if let Some(connection) = plan.connection {
            self.field(b"connection", connection.as_bytes());
        }
        match plan.framing {
            Framing::None => {}
            Framing::LengthZero => self.field(b"content-length", b"0"),
            Framing::Chunked => self.field(b"transfer-encoding", b"chunked"),
        }
    }
}
