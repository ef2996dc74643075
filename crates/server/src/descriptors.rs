//! Room for file descriptors, made while there is but one thread.
//!
//! Linux doubles the table of a process's descriptors when it is full. Where threads share it, each
//! doubling waits for all processors to have passed a quiescent state: 10 to 20 ms in which whoever
//! accepts a connection or opens a listener's socket stands still. A thousand listeners paid 40 ms
//! at the start, and a worker's first thousands of connections as much.

use rustix::process::{Resource, getrlimit};

/// How many descriptors there is room for: 8 bytes of the system's memory each.
const ROOM: u64 = 16_384;

/// Enlarges the table. Where that fails it grows later, as it would have.
pub fn make_room() {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let last = ROOM.min(limit).saturating_sub(1);
    // A descriptor with the last number makes the table as large; it is closed at once.
    let _ = rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), last as i32);
}
