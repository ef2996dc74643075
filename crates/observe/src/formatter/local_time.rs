//! The system's time zone, for the commands that end in `_LOCAL`.

use super::moment::Zone;

/// The zone that holds at a second since the epoch; UTC where the system can't tell.
pub(super) fn zone_at(second: u64) -> Zone {
    let Ok(time) = libc::time_t::try_from(second) else {
        return Zone::UTC;
    };
    // SAFETY: `tm` is plain data, for which zeros are valid; `localtime_r` writes nothing else
    // than it and returns null or a pointer to it. Rust has no other way to the zone's rules.
    let (known, tm) = unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        let known = !libc::localtime_r(&time, &mut tm).is_null();
        (known, tm)
    };
    if !known {
        return Zone::UTC;
    }
    let mut name = [0; 8];
    if !tm.tm_zone.is_null() {
        // SAFETY: `tm_zone` points to a text that ends with a zero byte and lives as long as the
        // zone is in use, which is until another `tzset`: nobody here changes `TZ`.
        let text = unsafe { std::ffi::CStr::from_ptr(tm.tm_zone) }.to_bytes();
        let len = text.len().min(name.len());
        name[..len].copy_from_slice(&text[..len]);
    }
    Zone {
        offset: tm.tm_gmtoff,
        name,
    }
}
