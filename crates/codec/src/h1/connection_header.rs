//! The `connection` header: what it says about the connection, and the fields it names.

use super::error::H1Error;
use super::settings::UpgradeMatcher;
use crate::chars::{elements, has_element};
use nuncio_base::{HeaderMap, Known, names};

/// As many names as this in a request's `connection`, and it is refused; so does Envoy.
const MAX_NOMINATED: usize = 10;
/// A nominated `te` of this many bytes is refused.
const MAX_TE_BYTES: usize = 256;

/// Whether the message asks for the connection to be closed behind it (RFC 9112 section 9.3).
/// `proxy-connection`, which no standard knows, counts too, as in Envoy.
pub(super) fn asks_to_close(map: &HeaderMap, is_http10: bool) -> bool {
    let says = |name: Known, token| map.get(name).is_some_and(|value| has_element(value, token));
    if is_http10 && !says(names::CONNECTION, "keep-alive") {
        return true;
    }
    says(names::CONNECTION, "close") || says(names::PROXY_CONNECTION, "close")
}

/// Whether the message asks for another protocol, or agrees to it (RFC 9110 section 7.8).
pub(super) fn is_upgrade(map: &HeaderMap) -> bool {
    map.get(names::UPGRADE)
        .is_some_and(|value| !value.is_empty())
        && map
            .get(names::CONNECTION)
            .is_some_and(|value| has_element(value, "upgrade"))
}

/// Removes the upgrades that are not honoured: `h2c` and those that `ignored` names.
pub(super) fn remove_ignored_upgrades(map: &mut HeaderMap, ignored: &[UpgradeMatcher]) {
    let Some(value) = map.get(names::UPGRADE) else {
        return;
    };
    if value.eq_ignore_ascii_case(b"h2c") {
        map.remove(names::UPGRADE);
        map.remove(names::HTTP2_SETTINGS);
        remove_elements(map, names::CONNECTION, |name| {
            name.eq_ignore_ascii_case(b"upgrade") || name.eq_ignore_ascii_case(b"http2-settings")
        });
        return;
    }
    if ignored.is_empty() {
        return;
    }
    remove_elements(map, names::UPGRADE, |name| {
        std::str::from_utf8(name).is_ok_and(|name| ignored.iter().any(|matches| matches(name)))
    });
    if !map.contains(names::UPGRADE) {
        remove_elements(map, names::CONNECTION, |name| {
            name.eq_ignore_ascii_case(b"upgrade")
        });
    }
}

/// Removes the elements of a list; the field too, if none is left.
fn remove_elements(map: &mut HeaderMap, name: Known, remove: impl Fn(&[u8]) -> bool) {
    let Some(value) = map.get(name) else {
        return;
    };
    let mut kept = Vec::with_capacity(value.len());
    for element in elements(value).filter(|element| !remove(element)) {
        if !kept.is_empty() {
            kept.push(b',');
        }
        kept.extend_from_slice(element);
    }
    if kept.is_empty() {
        map.remove(name);
    } else {
        map.set(name, &kept);
    }
}

/// Removes the fields that `connection` names: they were meant for this hop alone (RFC 9110
/// section 7.6.1). Names that would take away what later hops rely on are refused.
pub(super) fn remove_nominated(map: &mut HeaderMap) -> Result<(), H1Error> {
    let Some(value) = map.get(names::CONNECTION) else {
        return Ok(());
    };
    let is_plain = |name: &[u8]| {
        name.eq_ignore_ascii_case(b"keep-alive") || name.eq_ignore_ascii_case(b"close")
    };
    if is_plain(value) {
        return Ok(());
    }
    let value = value.to_ascii_lowercase();
    if value.split(|&byte| byte == b',').count() >= MAX_NOMINATED {
        return Err(H1Error::CONNECTION_HEADER_REJECTED);
    }
    for name in elements(&value).filter(|name| !is_plain(name)) {
        remove_one(map, name)?;
    }
    Ok(())
}

fn remove_one(map: &mut HeaderMap, name: &[u8]) -> Result<(), H1Error> {
    if name.starts_with(b":") {
        return Err(H1Error::CONNECTION_HEADER_REJECTED);
    }
    let Some(known) = Known::find(name) else {
        map.remove(name);
        return Ok(());
    };
    match known {
        names::CONNECTION => {}
        // Envoy rejects the first three. The others would change where the message ends or goes.
        names::X_FORWARDED_FOR
        | names::X_FORWARDED_HOST
        | names::X_FORWARDED_PROTO
        | names::CONTENT_LENGTH
        | names::TRANSFER_ENCODING
        | names::HOST => return Err(H1Error::CONNECTION_HEADER_REJECTED),
        names::TE => {
            let Some(te) = map.get(names::TE) else {
                return Ok(());
            };
            if te.len() >= MAX_TE_BYTES {
                return Err(H1Error::CONNECTION_HEADER_REJECTED);
            }
            if has_element(te, "trailers") {
                map.set(names::TE, b"trailers");
            } else {
                map.remove(names::TE);
            }
        }
        known => {
            map.remove(known);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(fields: &[(&str, &str)]) -> Result<String, H1Error> {
        let mut map = HeaderMap::from_iter(fields.iter().copied());
        remove_nominated(&mut map)?;
        let text = |(name, value): (&[u8], &[u8])| {
            format!(
                "{}={}",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(value)
            )
        };
        Ok(map.iter().skip(1).map(text).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn nominated_fields_go_and_protected_ones_refuse() {
        let rejected = Err(H1Error::CONNECTION_HEADER_REJECTED);
        let many = |n: usize| vec!["x"; n].join(",");
        for (connection, field, expected) in [
            ("x-a, keep-alive", ("x-a", "1"), Ok("")),
            ("X-A", ("x-a", "1"), Ok("")),
            ("close", ("close", "1"), Ok("close=1")),
            ("te", ("te", "gzip, trailers"), Ok("te=trailers")),
            ("te", ("te", "gzip"), Ok("")),
            ("cookie", ("cookie", "1"), Ok("")),
            ("connection", ("a", "1"), Ok("a=1")),
            (":path", ("a", "1"), rejected),
            ("x-forwarded-for", ("a", "1"), rejected),
            ("host", ("a", "1"), rejected),
            ("content-length", ("content-length", "1"), rejected),
            (many(9).as_str(), ("a", "1"), Ok("a=1")),
            (many(10).as_str(), ("a", "1"), rejected),
        ] {
            let got = after(&[("connection", connection), field]);
            assert_eq!(got, expected.map(str::to_owned), "{connection}");
        }
    }

    #[test]
    fn ignored_upgrades_are_removed() {
        let ignored: Vec<UpgradeMatcher> = vec![Box::new(|name| name.starts_with("odd"))];
        for (upgrade, connection, expected) in [
            ("h2c", "Upgrade, HTTP2-Settings, x", (None, Some("x"))),
            ("h2c", "upgrade", (None, None)),
            ("odd-thing", "upgrade", (None, None)),
            (
                "odd, websocket",
                "upgrade",
                (Some("websocket"), Some("upgrade")),
            ),
            ("websocket", "upgrade", (Some("websocket"), Some("upgrade"))),
        ] {
            let mut map = HeaderMap::from_iter([
                ("upgrade", upgrade),
                ("connection", connection),
                ("http2-settings", "x"),
            ]);
            remove_ignored_upgrades(&mut map, &ignored);
            let got = (map.get_str(names::UPGRADE), map.get_str(names::CONNECTION));
            assert_eq!(got, expected, "{upgrade}");
        }
    }

    #[test]
    fn closing_depends_on_the_version() {
        for (fields, http10, closes) in [
            (&[][..], false, false),
            (&[][..], true, true),
            (&[("connection", "Keep-Alive")], true, false),
            (&[("connection", "keep-alive,close")], false, true),
            (&[("proxy-connection", "close")], false, true),
        ] {
            let map = HeaderMap::from_iter(fields.iter().copied());
            assert_eq!(asks_to_close(&map, http10), closes, "{fields:?} {http10}");
        }
    }
}
