//! Clock times: C's `strftime` with Envoy's additions (`%3f`, `%s`) and those of the library it
//! formats with (`%E3S`, `%E*f`, `%Ez` and the like).

use super::error::FormatError;
use super::local_time;
use super::moment::{Moment, Zone};
use nuncio_base::time::since_epoch;
use std::time::SystemTime;

/// A compiled time format.
#[derive(Debug)]
pub(super) struct TimeFormat {
    local: bool,
    parts: Parts,
}

#[derive(Debug)]
enum Parts {
    /// `2018-05-28T23:59:59.123Z`
    Default,
    Custom(Box<[Part]>),
}

#[derive(Debug)]
pub(super) enum Part {
    Literal(Box<str>),
    /// So many digits of the second's fraction; `trim`: without zeros at the end.
    Fraction {
        digits: usize,
        trim: bool,
    },
    /// The second with so many digits of its fraction.
    SecondWithFraction {
        digits: usize,
        trim: bool,
    },
    /// The offset from UTC with colons, perhaps with its seconds.
    Offset {
        seconds: bool,
    },
    Conversion(Conversion),
}

/// One of `strftime`'s, with the flags and the width that GNU adds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conversion {
    pub(super) letter: u8,
    /// `-`, `_` or `0` instead of the conversion's own padding.
    pub(super) padding: Option<u8>,
    pub(super) upper: bool,
    pub(super) swap_case: bool,
    pub(super) width: usize,
}

/// More would only fill logs.
const MAX_WIDTH: usize = 256;

impl TimeFormat {
    pub(super) fn parse(format: &str, local: bool) -> Result<Self, FormatError> {
        if format.is_empty() && !local {
            let parts = Parts::Default;
            return Ok(Self { local, parts });
        }
        let format = if format.is_empty() {
            "%Y-%m-%dT%H:%M:%E3S%z"
        } else {
            format
        };
        let parts = Parts::Custom(parse(format)?);
        Ok(Self { local, parts })
    }

    /// Appends the time.
    pub(super) fn append(&self, time: SystemTime, out: &mut Vec<u8>) {
        let since = since_epoch(time);
        let zone = if self.local {
            local_time::zone_at(since.as_secs())
        } else {
            Zone::UTC
        };
        let local_second = since.as_secs().saturating_add_signed(zone.offset);
        let moment = Moment::new(local_second, since, zone);
        match &self.parts {
            Parts::Default => moment.write_default(out),
            Parts::Custom(parts) => {
                for part in parts {
                    moment.write(part, out);
                }
            }
        }
    }
}

/// Whether `%n` stands somewhere, even behind a percent sign of its own: what is printed must not
/// break a log's lines.
fn has_newline(format: &str) -> bool {
    format.split('%').skip(1).any(|text| {
        let text = text.trim_start_matches(['-', '_', '0', '^', '#']);
        let text = text.trim_start_matches(|c: char| matches!(c, '1'..='9'));
        text.strip_prefix(['E', 'O'])
            .unwrap_or(text)
            .starts_with('n')
    })
}

fn parse(format: &str) -> Result<Box<[Part]>, FormatError> {
    if has_newline(format) {
        return Err(FormatError::new(
            "Invalid header configuration. Format string contains newline.",
        ));
    }
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        literal.push_str(&rest[..at]);
        rest = &rest[at..];
        let (part, len) = parse_part(rest);
        match part {
            None => literal.push_str(&rest[..len]),
            Some(part) => {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal).into()));
                }
                parts.push(part);
            }
        }
        rest = &rest[len..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.into()));
    }
    Ok(parts.into())
}

/// Reads one conversion and its length; `None` for what is none and stays as it is.
fn parse_part(text: &str) -> (Option<Part>, usize) {
    let after = &text.as_bytes()[1..];
    let flags = after.iter().take_while(|b| b"-_0^#".contains(b)).count();
    let digits = after[flags..]
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .count();
    let width = &text[1 + flags..1 + flags + digits];
    let tail = &after[flags + digits..];
    let plain = flags == 0 && digits == 0;
    let (modifier, letter) = match tail {
        [] => return (None, text.len()),
        [b'E', rest @ ..] if plain && let Some((part, len)) = extended(rest) => {
            return (Some(part), 2 + len);
        }
        [b'E' | b'O', letter, ..] => (1, *letter),
        [letter, ..] => (0, *letter),
    };
    let len = 1 + flags + digits + modifier + 1;
    if modifier == 0 && flags == 0 && letter == b'f' && digits <= 1 {
        let digits = width.parse().unwrap_or(9);
        let part = (digits > 0).then_some(Part::Fraction {
            digits,
            trim: false,
        });
        return (part, len);
    }
    const KNOWN: &[u8] = b"aAbBcCdDeFgGhHIjklmMpPrRsStTuUVwWxXyYzZ%";
    const WITH_MODIFIER: &[u8] = b"cCdeHImMSuUVwWxXyY";
    let allowed = if modifier == 0 { KNOWN } else { WITH_MODIFIER };
    if !allowed.contains(&letter) {
        // A character beyond ASCII must not be cut in half.
        let len = if letter.is_ascii() { len } else { len - 1 };
        return (None, len);
    }
    let flags = &after[..flags];
    let conversion = Conversion {
        letter,
        padding: flags.iter().rfind(|b| b"-_0".contains(b)).copied(),
        upper: flags.contains(&b'^'),
        swap_case: flags.contains(&b'#'),
        width: width.parse().unwrap_or(0).min(MAX_WIDTH),
    };
    (Some(Part::Conversion(conversion)), len)
}

/// What follows `%E`: `3S`, `*S`, `3f`, `*f`, `4Y`, `T`, `z`, `*z`.
fn extended(rest: &[u8]) -> Option<(Part, usize)> {
    match rest {
        [b'*', b'S', ..] => Some((
            Part::SecondWithFraction {
                digits: 9,
                trim: true,
            },
            2,
        )),
        [b'*', b'f', ..] => Some((
            Part::Fraction {
                digits: 9,
                trim: true,
            },
            2,
        )),
        [b'*', b'z', ..] => Some((Part::Offset { seconds: true }, 2)),
        [b'z', ..] => Some((Part::Offset { seconds: false }, 1)),
        [b'T', ..] => Some((Part::Literal("T".into()), 1)),
        [b'4', b'Y', ..] => {
            let year = Conversion {
                letter: b'Y',
                padding: Some(b'0'),
                upper: false,
                swap_case: false,
                width: 4,
            };
            Some((Part::Conversion(year), 2))
        }
        _ => {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            let count = std::str::from_utf8(&rest[..digits])
                .ok()?
                .parse::<usize>()
                .ok()?;
            let (digits_shown, trim) = (count.min(15), false);
            let part = match rest.get(digits)? {
                b'S' => Part::SecondWithFraction {
                    digits: digits_shown,
                    trim,
                },
                b'f' => Part::Fraction {
                    digits: digits_shown,
                    trim,
                },
                _ => return None,
            };
            Some((part, digits + 1))
        }
    }
}
