//! Canonical paths: nothing above the root, nothing left to resolve.

use nuncio_http::conn_manager::path::canonicalize;

/// Takes a path.
pub fn run(path: &[u8]) {
    let Some(canonical) = canonicalize(path) else {
        return;
    };
    let shown = canonical.escape_ascii();
    assert_eq!(canonical.first(), Some(&b'/'), "{shown}");
    assert!(canonical.len() <= path.len() + 1, "{shown}");
    assert!(
        !canonical.contains(&0) && !canonical.contains(&b'\\'),
        "{shown}"
    );
    let mut segments = canonical.split(|byte| *byte == b'/');
    assert!(
        segments.all(|segment| segment != b"." && segment != b".."),
        "{shown}"
    );
    // Where an escape is left, it may be that of a percent sign.
    if !canonical.contains(&b'%') {
        assert_eq!(
            canonicalize(&canonical).as_deref(),
            Some(canonical.as_slice()),
            "{shown}"
        );
    }
}
