//! The only place that reads a clock: monotonic time for deadlines, wall time for logs.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The monotonic time now. Components take it from their worker, who reads it once per turn.
#[allow(clippy::disallowed_methods)]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// The wall time now.
#[allow(clippy::disallowed_methods)]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// The time since the Unix epoch; zero for a clock set before it.
pub fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Whole milliseconds, rounded down; `u64::MAX` where they don't fit.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The days of the week, from Sunday on.
pub const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// The months, from January on.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The `date` header of one second, in IMF-fixdate (RFC 9110 section 5.6.7), made anew only when
/// the second changes.
pub struct HttpDate {
    second: u64,
    text: [u8; 29],
}

impl Default for HttpDate {
    fn default() -> Self {
        Self {
            second: u64::MAX,
            text: [b' '; 29],
        }
    }
}

impl HttpDate {
    /// The text for `now`.
    pub fn at(&mut self, now: SystemTime) -> &[u8; 29] {
        let second = since_epoch(now).as_secs();
        if second != self.second {
            self.second = second;
            self.text = format_date(second);
        }
        &self.text
    }
}

/// A day of the civil calendar: year, month 1 to 12, day 1 to 31.
pub fn civil(days_since_epoch: u64) -> (u64, usize, u64) {
    // Days are counted from 1 March of year 0, so that a leap day ends its year.
    let days = days_since_epoch + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month as usize, day)
}

fn format_date(second: u64) -> [u8; 29] {
    let (days, rest) = (second / 86_400, second % 86_400);
    let (year, month, day) = civil(days);
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    // The first day was a Thursday.
    let weekday = WEEKDAYS[(days + 4) as usize % 7].as_bytes();
    text[..3].copy_from_slice(&weekday[..3]);
    text[8..11].copy_from_slice(&MONTHS[month - 1].as_bytes()[..3]);
    let two = |text: &mut [u8], value: u64| {
        text[0] = b'0' + (value / 10 % 10) as u8;
        text[1] = b'0' + (value % 10) as u8;
    };
    two(&mut text[5..7], day);
    two(&mut text[12..14], year / 100);
    two(&mut text[14..16], year);
    two(&mut text[17..19], rest / 3_600);
    two(&mut text[20..22], rest / 60 % 60);
    two(&mut text[23..25], rest % 60);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates() {
        for (second, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(std::str::from_utf8(&format_date(second)).unwrap(), expected);
        }
    }
}
