//! Request lines and status lines (RFC 9112 sections 3 and 4).
//!
//! One space between the parts, nothing around them; Envoy takes any white space.

use super::error::H1Error;
use super::settings::H1Settings;
use crate::chars::{has_control, is_all_visible};
use crate::methods::{begins_one, is_known};
use memchr::memchr;
use nuncio_base::header_name::is_token;
use std::ops::Range;

/// The version of a message, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    Http11,
    /// HTTP/1.0, or an HTTP/1 version of the future: Envoy takes it for 1.0.
    Http10,
    /// Another major version.
    Other,
}

/// A request line; its parts are places in the input.
#[derive(Clone, Debug)]
pub(super) struct RequestLine {
    pub method: Range<usize>,
    pub target: Range<usize>,
    pub version: Version,
}

/// A status line.
#[derive(Clone, Debug)]
pub(super) struct StatusLine {
    pub version: Version,
    pub status: u16,
    pub reason: Range<usize>,
}

const VERSION_LEN: usize = "HTTP/1.1".len();

/// Whether a method may begin with `byte`.
pub(super) fn is_method_start(byte: u8, settings: &H1Settings) -> bool {
    if settings.allow_custom_methods {
        is_token(byte)
    } else {
        begins_one(byte)
    }
}

fn is_method(method: &[u8], settings: &H1Settings) -> bool {
    match method {
        b"GET" | b"POST" | b"PUT" => true,
        _ if settings.allow_custom_methods => {
            !method.is_empty() && method.iter().all(|&byte| is_token(byte))
        }
        _ => is_known(method),
    }
}

impl RequestLine {
    /// Parses a line that begins at `begin` of the input.
    pub fn parse(line: &[u8], begin: usize, settings: &H1Settings) -> Result<Self, H1Error> {
        let method_len = memchr(b' ', line).unwrap_or(line.len());
        let (method, rest) = line.split_at(method_len);
        if !is_method(method, settings) {
            return Err(wrong(line, H1Error::INVALID_METHOD));
        }
        let [b' ', rest @ ..] = rest else {
            return Err(wrong(line, H1Error::INVALID_TARGET));
        };
        // The version is split off from behind: a space in the target then stays in the target,
        // where it is refused.
        let (target, version) = match rest.split_last_chunk::<{ VERSION_LEN + 1 }>() {
            Some((target, [b' ', version @ ..])) => (target, Some(version)),
            _ => (rest, None),
        };
        if target.is_empty() || !is_all_visible(target) {
            return Err(wrong(line, invalid_rest(version.is_some(), target)));
        }
        let version = match version {
            Some(version) => Version::parse(version)?,
            None => return Err(H1Error::LOW_VERSION),
        };
        let target_at = begin + method_len + 1;
        Ok(Self {
            method: begin..begin + method_len,
            target: target_at..target_at + target.len(),
            version,
        })
    }
}

/// Without a version it is HTTP/0.9 if the rest is a target, else a version that is wrong.
fn invalid_rest(has_version: bool, rest: &[u8]) -> H1Error {
    if has_version || rest.is_empty() {
        H1Error::INVALID_TARGET
    } else {
        H1Error::INVALID_VERSION
    }
}

fn wrong(line: &[u8], error: H1Error) -> H1Error {
    if has_control(line) {
        H1Error::INVALID_CHARACTERS
    } else {
        error
    }
}

impl Version {
    fn parse(text: &[u8]) -> Result<Self, H1Error> {
        match text {
            b"HTTP/1.1" => Ok(Self::Http11),
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9'] => Ok(Self::Http10),
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Ok(Self::Other),
            _ => Err(H1Error::INVALID_VERSION),
        }
    }
}

impl StatusLine {
    /// The status as the three bytes it was.
    pub fn digits(&self) -> [u8; 3] {
        [100, 10, 1].map(|unit| b'0' + (self.status / unit % 10) as u8)
    }

    /// Parses a line that begins at `begin` of the input. The reason phrase may be missing, and
    /// the space before it (RFC 9112 section 4 wants that; many servers leave it out).
    pub fn parse(line: &[u8], begin: usize) -> Result<Self, H1Error> {
        let Some((version, rest)) = line.split_first_chunk::<VERSION_LEN>() else {
            return Err(wrong(line, H1Error::INVALID_STATUS));
        };
        let version = Version::parse(version)?;
        if version == Version::Other {
            return Err(H1Error::INVALID_VERSION);
        }
        let (status, reason) = match rest {
            [b' ', a, b, c] => ([a, b, c], &[][..]),
            [b' ', a, b, c, b' ', reason @ ..] => ([a, b, c], reason),
            _ => return Err(wrong(line, H1Error::INVALID_STATUS)),
        };
        let mut number = 0;
        for digit in status {
            if !digit.is_ascii_digit() {
                return Err(wrong(line, H1Error::INVALID_STATUS));
            }
            number = number * 10 + u16::from(digit - b'0');
        }
        if number < 100 {
            return Err(H1Error::INVALID_STATUS);
        }
        if !crate::chars::is_value(reason) {
            return Err(H1Error::INVALID_CHARACTERS);
        }
        let reason_at = begin + line.len() - reason.len();
        Ok(Self {
            version,
            status: number,
            reason: reason_at..reason_at + reason.len(),
        })
    }
}
