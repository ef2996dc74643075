//! The first bytes of a connection: what was decided is not changed by what comes after.

use nuncio_codec::http_preface::{Preface, inspect};

/// Takes the bytes of a connection.
pub fn run(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(512)];
    let last = inspect(bytes);
    for end in 0..bytes.len() {
        let now = inspect(&bytes[..end]);
        assert!(
            now == Preface::Incomplete || now == last,
            "{end} of {}: {now:?}, then {last:?}",
            bytes.escape_ascii()
        );
    }
}
