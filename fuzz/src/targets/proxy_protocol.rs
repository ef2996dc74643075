//! PROXY protocol headers: the same verdict however the bytes come, and nothing read beyond them.

use nuncio_codec::proxy_protocol::{Inspection, LONGEST, inspect, tlvs};

/// Takes the first bytes of a connection.
pub fn run(bytes: &[u8]) {
    let verdict = inspect(bytes);
    let first = (0..=bytes.len())
        .map(|len| (len, inspect(&bytes[..len])))
        .find(|(_, verdict)| *verdict != Inspection::Incomplete);
    assert_eq!(
        first.map_or(Inspection::Incomplete, |(_, verdict)| verdict),
        verdict
    );
    match verdict {
        Inspection::Found(header) => {
            assert_eq!(first.map(|(len, _)| len), Some(header.len));
            let within = tlvs(&bytes[..header.len]).map(|(_, value)| value.len() + 3);
            assert!(within.sum::<usize>() <= header.len);
        }
        Inspection::Incomplete => assert!(bytes.len() < LONGEST),
        Inspection::NotFound | Inspection::Wrong(_) => {}
    }
}
