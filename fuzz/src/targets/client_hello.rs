//! The first bytes of a TLS connection: what was decided is not changed by what comes after, and
//! what is read of a ClientHello is within bounds.

use nuncio_codec::client_hello::{Inspection, inspect};

/// How long a ClientHello may be here: short enough to be reached.
const LIMIT: usize = 600;

/// Takes the bytes of a connection.
pub fn run(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(2 * LIMIT)];
    let last = inspect(bytes, LIMIT);
    for end in 0..bytes.len() {
        let now = inspect(&bytes[..end], LIMIT);
        assert!(
            now == Inspection::Incomplete || now == last,
            "{end} of {}: {now:?}, then {last:?}",
            bytes.escape_ascii()
        );
    }
    assert!(
        last != Inspection::Incomplete || bytes.len() < LIMIT,
        "waits for more than is accepted"
    );
    let Inspection::Hello(hello) = last else {
        return;
    };
    if let Some(name) = &hello.server_name {
        assert!(!name.is_empty() && name.len() <= LIMIT);
        assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase()));
    }
    assert!(hello.alpn.iter().all(|name| (1..256).contains(&name.len())));
}
