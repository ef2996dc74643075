//! Reads the lines of a head or of trailers into a header map, each byte once, however it arrives.
//!
//! A line ends in CR LF (RFC 9112 section 2.2 lets a recipient take a bare LF; two parsers that
//! disagree about lines is what smuggling lives on, so this one does not). Folded lines, space
//! before a colon and bytes that cannot be there are refused, where Envoy repairs them.

use super::error::H1Error;
use super::scan::{SHORT_NAME, field_line};
use super::settings::{H1Settings, HeaderCase, UnderscoresAction};
use super::start_line::{RequestLine, StatusLine, is_method_start};
use crate::HeaderPool;
use crate::chars::{LOWER_TOKEN, has_control, is_value, trim};
use memchr::memchr;
use nuncio_base::header_map::Part;
use nuncio_base::header_name::{MessageKind, UnknownName};
use nuncio_base::{HeaderMap, Known, names};

/// So much of the input becomes the beginning of the map's memory: most heads, and not much of a
/// body behind one.
const BLOCK: usize = 1024;

/// What is being read, and its first line once that has been.
#[derive(Debug)]
pub(super) enum Start {
    Request(Option<RequestLine>),
    Response(Option<StatusLine>),
    Trailers,
}

/// A head that is being read. Positions count from the beginning of the input, which stays as it
/// is until the head is complete.
#[derive(Debug)]
pub(super) struct Head {
    pub map: HeaderMap,
    pub start: Start,
    /// Headers dropped for an underscore.
    pub dropped: u32,
    /// Bytes of whole lines that have been read.
    pub at: usize,
    /// Bytes that have been searched for the end of the next line.
    searched: usize,
    /// So many bytes of the input are the beginning of the map's memory.
    pub block: usize,
}

/// A field's name.
#[derive(Clone, Copy)]
struct Name<'a> {
    written: &'a [u8],
    found: Result<Known, UnknownName<'a>>,
}

impl Head {
    pub fn new(start: Start, settings: &H1Settings, pool: &mut HeaderPool) -> Self {
        let mut map = pool.take();
        if let HeaderCase::Preserve { others, .. } = settings.header_case {
            map.keep_case(others);
        }
        Self {
            map,
            start,
            dropped: 0,
            at: 0,
            searched: 0,
            block: 0,
        }
    }

    /// Reads the lines that are complete; true once the empty line at the end was read.
    pub fn read(&mut self, settings: &H1Settings, input: &[u8]) -> Result<bool, H1Error> {
        let limit = settings.max_bytes();
        self.check_first_byte(settings, input)?;
        if self.at == 0 && self.map.is_empty() && self.block == 0 {
            self.block = input.len().min(BLOCK);
            self.map.begin_with(&input[..self.block]);
        }
        loop {
            let is_in_fields = !matches!(self.start, Start::Request(None) | Start::Response(None));
            if is_in_fields && self.read_ordinary(settings, input, limit)? {
                return Ok(true);
            }
            let from = self.searched.max(self.at);
            let rest = input.get(from..).unwrap_or_default();
            let Some(end) = memchr(b'\n', rest).map(|end| end + from) else {
                self.searched = input.len();
                return if input.len() > limit {
                    Err(self.too_large())
                } else {
                    Ok(false)
                };
            };
            if end >= limit {
                return Err(self.too_large());
            }
            let [line @ .., b'\r'] = &input[self.at..end] else {
                return Err(H1Error::INVALID_LINE_END);
            };
            let begin = self.at;
            self.at = end + 1;
            match &mut self.start {
                Start::Request(first @ None) => {
                    *first = Some(RequestLine::parse(line, begin, settings)?);
                }
                Start::Response(first @ None) => {
                    let parsed = StatusLine::parse(line, begin)?;
                    self.map.append(names::STATUS, &parsed.digits());
                    *first = Some(parsed);
                }
                _ if line.is_empty() => return Ok(true),
                _ => self.field(line, settings)?,
            }
        }
    }

    /// Reads field lines as long as they are there as a whole and simply right; true once the
    /// empty line was read.
    fn read_ordinary(
        &mut self,
        settings: &H1Settings,
        input: &[u8],
        limit: usize,
    ) -> Result<bool, H1Error> {
        // Then a name that is known and new has only to be added.
        let is_plain = settings.underscores == UnderscoresAction::Allow
            && self.map.original_case().is_none()
            && !matches!(self.start, Start::Trailers);
        let mut lower = [0; SHORT_NAME];
        // A line whose beginning was here before is not begun with again: it is searched for its
        // end, however slowly that comes.
        while self.searched <= self.at {
            let rest = input.get(self.at..).unwrap_or_default();
            if rest.starts_with(b"\r\n") && self.at + 2 <= limit {
                self.at += 2;
                return Ok(true);
            }
            let Some(line) = field_line(rest, &mut lower) else {
                break;
            };
            if self.at + line.len > limit {
                break;
            }
            let value = part(self.block, line.value, self.at + line.value_at);
            self.at += line.len;
            if is_plain
                && let Some(known) = line.known
                && known != names::HOST
                && self.map.len() < settings.max_fields()
                && self.map.append_first(known, value)
            {
                continue;
            }
            let unknown = || UnknownName::known_unknown(&lower[..line.name.len()]);
            let name = Name {
                written: line.name,
                found: line.known.ok_or_else(unknown),
            };
            self.accept(name, value, settings)?;
        }
        Ok(false)
    }

    /// Gives the map back that will not be needed.
    pub fn discard(self, pool: &mut HeaderPool) {
        pool.give(self.map);
    }

    /// What cannot become a message is refused with its first byte, as Envoy does.
    fn check_first_byte(&self, settings: &H1Settings, input: &[u8]) -> Result<(), H1Error> {
        let Some(&first) = input.first() else {
            return Ok(());
        };
        match self.start {
            Start::Request(None) if !is_method_start(first, settings) => {
                Err(H1Error::INVALID_METHOD)
            }
            Start::Response(None) if first != b'H' => Err(H1Error::INVALID_STATUS),
            _ => Ok(()),
        }
    }

    fn field(&mut self, line: &[u8], settings: &H1Settings) -> Result<(), H1Error> {
        let is_token = |&&byte: &&u8| LOWER_TOKEN[byte as usize] != 0;
        let name_len = line.iter().take_while(is_token).count();
        let (name, rest) = line.split_at(name_len);
        let [b':', value @ ..] = rest else {
            return Err(invalid_name(line));
        };
        if name.is_empty() {
            return Err(invalid_name(line));
        }
        let value = trim(value);
        if !is_value(value) {
            return Err(H1Error::INVALID_CHARACTERS);
        }
        let lower = name.to_ascii_lowercase();
        let name = Name {
            written: name,
            found: UnknownName::of(&lower),
        };
        self.accept(name, value.into(), settings)
    }

    /// Takes a field that is well-formed.
    fn accept(
        &mut self,
        name: Name<'_>,
        value: Part<'_>,
        settings: &H1Settings,
    ) -> Result<(), H1Error> {
        if matches!(self.start, Start::Trailers) && !settings.enable_trailers {
            return Ok(());
        }
        if settings.underscores != UnderscoresAction::Allow && name.written.contains(&b'_') {
            if settings.underscores == UnderscoresAction::RejectRequest {
                return Err(H1Error::UNDERSCORE);
            }
            self.dropped += 1;
            return Ok(());
        }
        self.add(name, value)?;
        // `:status` is there already, and no field.
        let fields = self.map.len() - usize::from(matches!(self.start, Start::Response(_)));
        if fields > settings.max_fields() {
            return Err(self.too_many());
        }
        Ok(())
    }

    fn add(&mut self, name: Name<'_>, value: Part<'_>) -> Result<(), H1Error> {
        if let Some(case) = self.map.original_case_mut() {
            case.push(name.written);
        }
        match (name.found, &self.start) {
            (Ok(known), Start::Request(_)) => self.add_to_request(known, value),
            (Ok(known), Start::Response(_)) => self.add_to_response(known, value),
            (Ok(known), Start::Trailers) => {
                check_trailer(known)?;
                self.map.append_part(known, value);
                Ok(())
            }
            (Err(unknown), _) => {
                self.map.append_part(unknown, value);
                Ok(())
            }
        }
    }

    fn add_to_request(&mut self, known: Known, value: Part<'_>) -> Result<(), H1Error> {
        if known == names::HOST {
            // Envoy joins the two to one that nobody can mean; RFC 9112 section 3.2 says 400.
            if self.map.contains(names::AUTHORITY) {
                return Err(H1Error::INVALID_AUTHORITY);
            }
            self.map.append_part(names::AUTHORITY, value);
            return Ok(());
        }
        self.check_framing(known)?;
        self.map.receive(known, value, MessageKind::Request);
        Ok(())
    }

    fn add_to_response(&mut self, known: Known, value: Part<'_>) -> Result<(), H1Error> {
        self.check_framing(known)?;
        self.map.receive(known, value, MessageKind::Response);
        Ok(())
    }

    /// What says where the body ends is said once.
    fn check_framing(&self, known: Known) -> Result<(), H1Error> {
        if known == names::CONTENT_LENGTH && self.map.contains(known) {
            return Err(H1Error::INVALID_CONTENT_LENGTH);
        }
        if known == names::TRANSFER_ENCODING && self.map.contains(known) {
            return Err(H1Error::INVALID_TRANSFER_ENCODING);
        }
        Ok(())
    }

    fn too_large(&self) -> H1Error {
        match self.start {
            Start::Trailers => H1Error::TRAILERS_TOO_LARGE,
            _ => H1Error::HEADERS_TOO_LARGE,
        }
    }

    fn too_many(&self) -> H1Error {
        match self.start {
            Start::Trailers => H1Error::TOO_MANY_TRAILERS,
            _ => H1Error::TOO_MANY_HEADERS,
        }
    }
}

/// Bytes that begin at `at` of the input, of which `block` bytes are in the map's memory.
pub(super) fn part(block: usize, bytes: &[u8], at: usize) -> Part<'_> {
    let is_there = at + bytes.len() <= block;
    Part {
        bytes,
        at: is_there.then_some(at as u32),
    }
}

fn invalid_name(line: &[u8]) -> H1Error {
    if has_control(line) {
        H1Error::INVALID_CHARACTERS
    } else {
        H1Error::INVALID_HEADER
    }
}

/// Trailers cannot change where the message ends or goes (RFC 9110 section 6.5.1).
fn check_trailer(known: Known) -> Result<(), H1Error> {
    match known {
        names::CONTENT_LENGTH | names::TRANSFER_ENCODING | names::HOST => {
            Err(H1Error::INVALID_TRAILER)
        }
        _ => Ok(()),
    }
}
