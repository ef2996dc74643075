//! Streams that carry another protocol than HTTP: what goes through them is nobody's content.

use nuncio_base::{HeaderMap, names};

/// Whether a head asks for an upgrade, or grants one: `connection: upgrade` and an `upgrade`.
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains(names::UPGRADE)
        && headers.get(names::CONNECTION).is_some_and(|connection| {
            connection
                .split(|byte| *byte == b',')
                .any(|part| part.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
        })
}

/// Whether a request asks for a tunnel.
pub fn is_connect(request: &HeaderMap) -> bool {
    request.get(names::METHOD) == Some(b"CONNECT")
}

/// Whether a response opens a stream of another protocol: it grants an upgrade, or a CONNECT
/// (RFC 9110, sections 7.8 and 9.3.6).
pub fn opens(request: &HeaderMap, response: &HeaderMap) -> bool {
    let granted = |status: &[u8]| status.starts_with(b"2");
    is_upgrade(response)
        || (is_connect(request) && response.get(names::STATUS).is_some_and(granted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let upgrade = [("connection", "keep-alive, Upgrade"), ("upgrade", "x")];
        let empty: &[(&str, &str)] = &[];
        for (request, response, expected) in [
            (&upgrade[..], &upgrade[..], true),
            (&upgrade, &upgrade[..1], false),
            (&upgrade, &upgrade[1..], false),
            (&upgrade, &[(":status", "200")], false),
            (&[(":method", "CONNECT")], &[(":status", "200")], true),
            (&[(":method", "CONNECT")], &[(":status", "403")], false),
            (&[(":method", "CONNECT")], empty, false),
            (&[(":method", "GET")], &[(":status", "200")], false),
        ] {
            let [asked, answered] =
                [request, response].map(|fields| fields.iter().copied().collect::<HeaderMap>());
            assert_eq!(
                opens(&asked, &answered),
                expected,
                "{request:?} {response:?}"
            );
        }
    }
}
