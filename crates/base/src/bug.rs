//! `bug!`: what we believe cannot happen but cannot prove on the spot (Envoy's `ENVOY_BUG`).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::log::{self, Level, Record, logger};

/// How many bugs were met since the start: the stat `server.envoy_bug_failures`.
pub static FAILURES: AtomicU64 = AtomicU64::new(0);

/// Counts and logs a bug that was met; panics in debug builds so that tests find it.
#[cold]
pub fn met(message: &str, file: &'static str, line: u32) {
    FAILURES.fetch_add(1, Ordering::Relaxed);
    if logger::ENVOY_BUG.enabled(Level::Critical) {
        log::emit(&Record {
            logger: &logger::ENVOY_BUG,
            level: Level::Critical,
            file,
            line,
            module: "bug",
            message: format_args!("envoy bug failure: {message}"),
        });
    }
    debug_assert!(false, "{file}:{line}: {message}");
}

/// Records that something believed impossible happened, and goes on.
#[macro_export]
macro_rules! bug {
    ($message:expr) => {
        $crate::bug::met($message, file!(), line!())
    };
}
