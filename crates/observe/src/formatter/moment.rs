//! A clock time taken apart, and how its parts are printed.

use super::number::{pad_left, write_padded, write_u64};
use super::time_format::{Conversion, Part};
use nuncio_base::time::{MONTHS, WEEKDAYS, civil};

/// A time zone at one moment.
#[derive(Clone, Copy)]
pub(super) struct Zone {
    /// Seconds east of UTC.
    pub(super) offset: i64,
    /// Its name, filled up with zero bytes.
    pub(super) name: [u8; 8],
}

impl Zone {
    pub(super) const UTC: Self = Self {
        offset: 0,
        name: *b"UTC\0\0\0\0\0",
    };

    fn name(&self) -> &[u8] {
        let end = self.name.iter().position(|byte| *byte == 0);
        &self.name[..end.unwrap_or(self.name.len())]
    }
}

/// A clock time taken apart.
pub(super) struct Moment {
    year: u64,
    /// 1 to 12.
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    nanos: u32,
    /// Days since the epoch.
    days: u64,
    epoch_second: u64,
    zone: Zone,
}

impl Moment {
    pub(super) fn new(local_second: u64, since: std::time::Duration, zone: Zone) -> Self {
        let (days, rest) = (local_second / 86_400, local_second % 86_400);
        let (year, month, day) = civil(days);
        Self {
            year,
            month: month as u64,
            day,
            hour: rest / 3_600,
            minute: rest / 60 % 60,
            second: rest % 60,
            nanos: since.subsec_nanos(),
            days,
            epoch_second: since.as_secs(),
            zone,
        }
    }

    pub(super) fn write_default(&self, out: &mut Vec<u8>) {
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |at: usize, width: usize, mut value: u64| {
            for place in text[at..at + width].iter_mut().rev() {
                *place = b'0' + (value % 10) as u8;
                value /= 10;
            }
        };
        put(0, 4, self.year);
        put(5, 2, self.month);
        put(8, 2, self.day);
        put(11, 2, self.hour);
        put(14, 2, self.minute);
        put(17, 2, self.second);
        put(20, 3, u64::from(self.nanos / 1_000_000));
        out.extend_from_slice(&text);
    }

    pub(super) fn write(&self, part: &Part, out: &mut Vec<u8>) {
        match part {
            Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Part::Fraction { digits, trim } => {
                let start = out.len();
                self.write_fraction(*digits, *trim, out);
                if out.len() == start && *trim {
                    out.push(b'0');
                }
            }
            Part::SecondWithFraction { digits, trim } => {
                write_padded(out, self.second, 2, b'0');
                let point = out.len();
                out.push(b'.');
                self.write_fraction(*digits, *trim, out);
                if out.len() == point + 1 {
                    out.pop();
                }
            }
            Part::Offset { seconds } => self.write_offset(out, true, *seconds),
            Part::Conversion(conversion) => {
                let start = out.len();
                self.convert(*conversion, out);
                if conversion.upper {
                    out[start..].make_ascii_uppercase();
                }
            }
        }
    }

    fn write_fraction(&self, digits: usize, trim: bool, out: &mut Vec<u8>) {
        let start = out.len();
        write_padded(out, u64::from(self.nanos), 9, b'0');
        out.resize(start + digits, b'0');
        while trim && out.len() > start && out.last() == Some(&b'0') {
            out.pop();
        }
    }

    /// `+0000`, `+00:00` or `+00:00:00`
    fn write_offset(&self, out: &mut Vec<u8>, colon: bool, seconds: bool) {
        let offset = self.zone.offset;
        out.push(if offset < 0 { b'-' } else { b'+' });
        let offset = offset.unsigned_abs();
        write_padded(out, offset / 3_600, 2, b'0');
        if colon {
            out.push(b':');
        }
        write_padded(out, offset / 60 % 60, 2, b'0');
        if seconds {
            out.push(b':');
            write_padded(out, offset % 60, 2, b'0');
        }
    }

    /// 0 for Sunday.
    fn weekday(&self) -> u64 {
        (self.days + 4) % 7
    }

    /// 1 to 366.
    fn day_of_year(&self) -> u64 {
        const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let leap_day = u64::from(self.month > 2 && is_leap(self.year));
        BEFORE[self.month as usize - 1] + leap_day + self.day
    }

    /// Year and week of ISO 8601.
    fn iso_week(&self) -> (u64, u64) {
        let from_monday = (self.weekday() + 6) % 7;
        // The week belongs to the year that its Thursday lies in.
        let thursday = self.day_of_year() + 3;
        let (thursday, year) = match thursday.checked_sub(from_monday) {
            None | Some(0) => {
                let days = 365 + u64::from(is_leap(self.year - 1));
                (thursday + days - from_monday, self.year - 1)
            }
            Some(day) => {
                let days = 365 + u64::from(is_leap(self.year));
                if day > days {
                    (day - days, self.year + 1)
                } else {
                    (day, self.year)
                }
            }
        };
        (year, (thursday - 1) / 7 + 1)
    }

    /// The week of the year, weeks beginning at a day of the week (0 for Sunday).
    fn week_from(&self, first: u64) -> u64 {
        (self.day_of_year() + 6 - (self.weekday() + 7 - first) % 7) / 7
    }

    fn convert(&self, c: Conversion, out: &mut Vec<u8>) {
        let hour12 = (self.hour + 11) % 12 + 1;
        match c.letter {
            b'Y' => c.number(out, self.year, b'0', 1),
            b'C' => c.number(out, self.year / 100, b'0', 2),
            b'y' => c.number(out, self.year % 100, b'0', 2),
            b'm' => c.number(out, self.month, b'0', 2),
            b'd' => c.number(out, self.day, b'0', 2),
            b'e' => c.number(out, self.day, b' ', 2),
            b'H' => c.number(out, self.hour, b'0', 2),
            b'k' => c.number(out, self.hour, b' ', 2),
            b'I' => c.number(out, hour12, b'0', 2),
            b'l' => c.number(out, hour12, b' ', 2),
            b'M' => c.number(out, self.minute, b'0', 2),
            b'S' => c.number(out, self.second, b'0', 2),
            b'j' => c.number(out, self.day_of_year(), b'0', 3),
            b'u' => c.number(out, (self.weekday() + 6) % 7 + 1, b'0', 1),
            b'w' => c.number(out, self.weekday(), b'0', 1),
            b'U' => c.number(out, self.week_from(0), b'0', 2),
            b'W' => c.number(out, self.week_from(1), b'0', 2),
            b'V' => c.number(out, self.iso_week().1, b'0', 2),
            b'G' => c.number(out, self.iso_week().0, b'0', 1),
            b'g' => c.number(out, self.iso_week().0 % 100, b'0', 2),
            b's' => c.number(out, self.epoch_second, b'0', 1),
            _ => self.convert_text(c, out),
        }
    }

    fn convert_text(&self, c: Conversion, out: &mut Vec<u8>) {
        let day = WEEKDAYS[self.weekday() as usize];
        let month = MONTHS[self.month as usize - 1];
        let start = out.len();
        let swap = |out: &mut Vec<u8>, lower: bool| match (c.swap_case, lower) {
            (true, true) => out[start..].make_ascii_lowercase(),
            (true, false) => out[start..].make_ascii_uppercase(),
            (false, _) => {}
        };
        match c.letter {
            b'a' => out.extend_from_slice(&day.as_bytes()[..3]),
            b'A' => out.extend_from_slice(day.as_bytes()),
            b'b' | b'h' => out.extend_from_slice(&month.as_bytes()[..3]),
            b'B' => out.extend_from_slice(month.as_bytes()),
            b'p' => out.extend_from_slice(if self.hour < 12 { b"AM" } else { b"PM" }),
            b'P' => out.extend_from_slice(if self.hour < 12 { b"am" } else { b"pm" }),
            b'Z' => out.extend_from_slice(self.zone.name()),
            b'z' => self.write_offset(out, false, false),
            b't' => out.push(b'\t'),
            b'%' => out.push(b'%'),
            b'D' | b'x' => self.series(b"m/d/y", out),
            b'F' => self.series(b"Y-m-d", out),
            b'R' => self.series(b"H:M", out),
            b'T' | b'X' => self.series(b"H:M:S", out),
            b'r' => self.series(b"I:M:S p", out),
            _ => self.series(b"a b e H:M:S Y", out),
        }
        match c.letter {
            b'a' | b'A' | b'b' | b'h' | b'B' => swap(out, false),
            b'p' | b'Z' => swap(out, true),
            _ => {}
        }
        let fill = if c.padding == Some(b'0') { b'0' } else { b' ' };
        pad_left(out, start, c.width, fill);
    }

    /// Several conversions at once: each letter is one, other characters stand for themselves.
    fn series(&self, letters: &[u8], out: &mut Vec<u8>) {
        for letter in letters {
            if letter.is_ascii_alphabetic() {
                let conversion = Conversion {
                    letter: *letter,
                    padding: None,
                    upper: false,
                    swap_case: false,
                    width: 0,
                };
                self.convert(conversion, out);
            } else {
                out.push(*letter);
            }
        }
    }
}

impl Conversion {
    fn number(self, out: &mut Vec<u8>, value: u64, fill: u8, width: usize) {
        match self.padding {
            Some(b'-') => write_u64(out, value),
            Some(b'_') => write_padded(out, value, self.width.max(width), b' '),
            Some(_) => write_padded(out, value, self.width.max(width), b'0'),
            None => write_padded(out, value, self.width.max(width), fill),
        }
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}
