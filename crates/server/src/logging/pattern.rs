//! The pattern language of application log lines: spdlog's, with Envoy's `%_`, `%j`, `%*`, `%+`.

use std::fmt::Write;
use std::time::Duration;

use nuncio_base::log::Record;
use nuncio_base::time::{MONTHS, WEEKDAYS};

use super::local_time::LocalTime;

/// spdlog's own bound on a field's width.
const MAX_WIDTH: usize = 64;

/// A line with everything that a pattern may name.
pub struct Line<'a> {
    /// Who logs what, where.
    pub record: &'a Record<'a>,
    /// The message, formatted.
    pub message: &'a str,
    /// When.
    pub time: &'a LocalTime,
    /// The thread's id.
    pub thread: i32,
    /// The process's id.
    pub process: i32,
    /// Since the line before.
    pub elapsed: Duration,
}

/// A pattern, parsed. Any text is one: what is no flag stands for itself.
#[derive(Debug, Default)]
pub struct Pattern(Vec<Item>);

#[derive(Debug)]
enum Item {
    Text(String),
    Field(char, Option<Padding>),
}

/// `%-10!l`: side, width, and whether longer texts are cut.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Padding {
    side: Side,
    width: usize,
    cut: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Left,
    Right,
    Both,
}

impl Pattern {
    /// Parses a pattern.
    pub fn parse(text: &str) -> Self {
        let mut items = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c != '%' {
                literal.push(c);
                continue;
            }
            let padding = parse_padding(&mut chars);
            let Some(flag) = chars.next() else { break };
            let known = is_flag(flag);
            // `%10!` means the function's name unless a flag follows that may be cut.
            let cut_function = !known && padding.is_some_and(|padding| padding.cut);
            if !known && !cut_function {
                literal.push('%');
                literal.push(flag);
                continue;
            }
            if !literal.is_empty() {
                items.push(Item::Text(std::mem::take(&mut literal)));
            }
            if cut_function {
                let padding = padding.map(|padding| Padding {
                    cut: false,
                    ..padding
                });
                items.push(Item::Field('!', padding));
                literal.push(flag);
            } else {
                items.push(Item::Field(flag, padding));
            }
        }
        if !literal.is_empty() {
            items.push(Item::Text(literal));
        }
        Self(items)
    }

    /// Appends the line, without an end of line.
    pub fn write(&self, out: &mut String, line: &Line<'_>) {
        for item in &self.0 {
            match item {
                Item::Text(text) => out.push_str(text),
                Item::Field(flag, padding) => {
                    let start = out.len();
                    write_field(out, *flag, line);
                    if let Some(padding) = padding
                        && !matches!(flag, '_' | 'j' | '*' | '+')
                    {
                        pad(out, start, *padding);
                    }
                }
            }
        }
    }
}

fn parse_padding(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Padding> {
    let side = match chars.peek() {
        Some('-') => Side::Right,
        Some('=') => Side::Both,
        _ => Side::Left,
    };
    if side != Side::Left {
        chars.next();
    }
    let mut width: Option<usize> = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        let so_far = width.unwrap_or(0).saturating_mul(10);
        width = Some(so_far.saturating_add(digit as usize));
        chars.next();
    }
    let width = width?.min(MAX_WIDTH);
    let cut = chars.next_if_eq(&'!').is_some();
    Some(Padding { side, width, cut })
}

fn is_flag(flag: char) -> bool {
    matches!(
        flag,
        'n' | 'l'
            | 'L'
            | 't'
            | 'v'
            | 'a'
            | 'A'
            | 'b'
            | 'h'
            | 'B'
            | 'c'
            | 'C'
            | 'Y'
            | 'D'
            | 'x'
            | 'm'
            | 'd'
            | 'H'
            | 'I'
            | 'M'
            | 'S'
            | 'e'
            | 'f'
            | 'F'
            | 'E'
            | 'p'
            | 'r'
            | 'R'
            | 'T'
            | 'X'
            | 'z'
            | 'P'
            | '^'
            | '$'
            | '@'
            | 's'
            | 'g'
            | '#'
            | '!'
            | '%'
            | 'u'
            | 'i'
            | 'o'
            | 'O'
            | '_'
            | 'j'
            | '*'
            | '+'
    )
}

fn write_field(out: &mut String, flag: char, line: &Line<'_>) {
    let record = line.record;
    match flag {
        'n' => out.push_str(record.logger.name()),
        'l' => out.push_str(record.level.name()),
        'L' => out.push(short_level(record.level.name())),
        'v' => out.push_str(line.message),
        '_' => out.push_str(&line.message.replace('\n', "\\n")),
        'j' => write_json(out, line.message),
        '*' => {
            if let Some((tags, _)) = split_tags(line.message) {
                let _ = write!(out, ",{tags}");
            }
        }
        '+' => write_json(
            out,
            split_tags(line.message).map_or(line.message, |(_, rest)| rest),
        ),
        's' => out.push_str(record.file.rsplit('/').next().unwrap_or_default()),
        'g' => out.push_str(record.file),
        '!' => out.push_str(record.module.rsplit("::").next().unwrap_or_default()),
        '%' => out.push('%'),
        '^' | '$' => {}
        _ => write_number_or_time(out, flag, line),
    }
}

/// Writing to a `String` cannot fail, so the results of `write!` carry nothing.
fn write_number_or_time(out: &mut String, flag: char, line: &Line<'_>) {
    let elapsed = line.elapsed;
    let _ = match flag {
        't' => write!(out, "{}", line.thread),
        'P' => write!(out, "{}", line.process),
        '#' => write!(out, "{}", line.record.line),
        '@' => write!(out, "{}:{}", line.record.file, line.record.line),
        'u' => write!(out, "{}", elapsed.as_nanos()),
        'i' => write!(out, "{}", elapsed.as_micros()),
        'o' => write!(out, "{}", elapsed.as_millis()),
        'O' => write!(out, "{}", elapsed.as_secs()),
        _ => write_time(out, flag, line.time),
    };
}

fn write_time(out: &mut String, flag: char, time: &LocalTime) -> std::fmt::Result {
    let weekday = WEEKDAYS[time.weekday as usize % 7];
    let month = MONTHS[time.month as usize % 12];
    let (hour12, half) = match time.hour {
        0 => (12, "AM"),
        1..=11 => (time.hour, "AM"),
        12 => (12, "PM"),
        hour => (hour - 12, "PM"),
    };
    let LocalTime {
        year,
        day,
        hour,
        minute,
        second,
        ..
    } = *time;
    match flag {
        'a' => write!(out, "{}", &weekday[..3]),
        'A' => write!(out, "{weekday}"),
        'b' | 'h' => write!(out, "{}", &month[..3]),
        'B' => write!(out, "{month}"),
        'c' => write!(
            out,
            "{} {} {day} {hour:02}:{minute:02}:{second:02} {year}",
            &weekday[..3],
            &month[..3]
        ),
        'C' => write!(out, "{:02}", year % 100),
        'Y' => write!(out, "{year}"),
        'D' | 'x' => write!(out, "{:02}/{day:02}/{:02}", time.month + 1, year % 100),
        'm' => write!(out, "{:02}", time.month + 1),
        'd' => write!(out, "{day:02}"),
        'H' => write!(out, "{hour:02}"),
        'I' => write!(out, "{hour12:02}"),
        'M' => write!(out, "{minute:02}"),
        'S' => write!(out, "{second:02}"),
        'e' => write!(out, "{:03}", time.nanosecond / 1_000_000),
        'f' => write!(out, "{:06}", time.nanosecond / 1_000),
        'F' => write!(out, "{:09}", time.nanosecond),
        'E' => write!(out, "{}", time.epoch_second),
        'p' => write!(out, "{half}"),
        'r' => write!(out, "{hour12:02}:{minute:02}:{second:02} {half}"),
        'R' => write!(out, "{hour:02}:{minute:02}"),
        'T' | 'X' => write!(out, "{hour:02}:{minute:02}:{second:02}"),
        'z' => {
            let sign = if time.offset < 0 { '-' } else { '+' };
            let minutes = time.offset.unsigned_abs() / 60;
            write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
        _ => Ok(()),
    }
}

fn short_level(name: &str) -> char {
    name.chars().next().unwrap_or('?').to_ascii_uppercase()
}

/// Takes `[Tags: "a":"b"] ` off a message: the tags, and what follows.
fn split_tags(message: &str) -> Option<(&str, &str)> {
    message.strip_prefix("[Tags: ")?.split_once("] ")
}

/// Appends `text` as the inside of a JSON string.
pub fn write_json(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || c == '\x7f' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
}

/// Appends `text` with everything but printable ASCII escaped as in C.
pub fn write_c_escaped(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'"' => out.push_str("\\\""),
            b'\'' => out.push_str("\\'"),
            b'\\' => out.push_str("\\\\"),
            0x20..=0x7e => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
}

fn pad(out: &mut String, start: usize, padding: Padding) {
    let length = out.len() - start;
    if length >= padding.width {
        if padding.cut {
            let mut end = start + padding.width;
            while !out.is_char_boundary(end) {
                end -= 1;
            }
            out.truncate(end);
        }
        return;
    }
    let missing = padding.width - length;
    let before = match padding.side {
        Side::Left => missing,
        Side::Right => 0,
        Side::Both => missing / 2,
    };
    out.insert_str(start, &" ".repeat(before));
    out.push_str(&" ".repeat(missing - before));
}
