//! Wall time in the process's time zone, as log lines show it.

use std::time::SystemTime;

use nuncio_base::time::{civil, since_epoch};

/// A point in time, broken down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalTime {
    /// Year, as 2026.
    pub year: i64,
    /// Month, 0 to 11.
    pub month: u32,
    /// Day of the month, 1 to 31.
    pub day: u32,
    /// Day of the week, 0 for Sunday.
    pub weekday: u32,
    /// Hour, 0 to 23.
    pub hour: u32,
    /// Minute.
    pub minute: u32,
    /// Second.
    pub second: u32,
    /// Nanosecond within the second.
    pub nanosecond: u32,
    /// Seconds since the epoch, in UTC.
    pub epoch_second: u64,
    /// Seconds that local time is ahead of UTC.
    pub offset: i64,
}

impl LocalTime {
    /// `time` where local time is `offset` seconds ahead of UTC.
    pub fn at_offset(time: SystemTime, offset: i64) -> Self {
        let since = since_epoch(time);
        let local = since.as_secs().saturating_add_signed(offset);
        let (days, rest) = (local / 86_400, (local % 86_400) as u32);
        let (year, month, day) = civil(days);
        Self {
            year: year as i64,
            month: month as u32 - 1,
            day: day as u32,
            // The epoch was a Thursday.
            weekday: ((days + 4) % 7) as u32,
            hour: rest / 3_600,
            minute: rest / 60 % 60,
            second: rest % 60,
            nanosecond: since.subsec_nanos(),
            epoch_second: since.as_secs(),
            offset,
        }
    }
}

/// The time zone's offset, asked of the system only when the second changes.
#[derive(Default)]
pub struct LocalClock {
    second: u64,
    offset: i64,
}

impl LocalClock {
    /// Breaks `time` down.
    pub fn at(&mut self, time: SystemTime) -> LocalTime {
        let second = since_epoch(time).as_secs();
        if second != self.second {
            self.second = second;
            self.offset = offset_at(second);
        }
        LocalTime::at_offset(time, self.offset)
    }
}

/// Seconds that local time is ahead of UTC at that moment; 0 where the system cannot say.
fn offset_at(second: u64) -> i64 {
    let Ok(second) = libc::time_t::try_from(second) else {
        return 0;
    };
    // SAFETY: `tm` is plain data for which zero is valid (its pointer is then null), and
    // `localtime_r` reads one `time_t` and writes one `tm`, both of which live on this stack. It
    // reads the environment, which nothing here writes.
    unsafe {
        let mut broken_down: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&second, &mut broken_down).is_null() {
            return 0;
        }
        broken_down.tm_gmtoff
    }
}
