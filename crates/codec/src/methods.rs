//! The request methods that Envoy's parser knows; others are no HTTP to it.

/// The methods, sorted.
const METHODS: [&str; 35] = [
    "ACL",
    "BIND",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MOVE",
    "MSEARCH",
    "NOTIFY",
    "OPTIONS",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "PUT",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "SOURCE",
    "SUBSCRIBE",
    "TRACE",
    "UNBIND",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
];

/// Whether this is one of them.
pub(crate) fn is_known(method: &[u8]) -> bool {
    METHODS
        .binary_search_by(|known| known.as_bytes().cmp(method))
        .is_ok()
}

/// Whether one of them begins with this byte.
pub(crate) const fn begins_one(first: u8) -> bool {
    matches!(first, b'A'..=b'D' | b'G' | b'H' | b'L'..=b'U')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_and_nothing_else() {
        for method in METHODS {
            assert!(is_known(method.as_bytes()), "{method}");
        }
        for other in ["", "get", "GETS", "PRI"] {
            assert!(!is_known(other.as_bytes()), "{other}");
        }
        for first in 0..=u8::MAX {
            let one = METHODS.iter().any(|method| method.as_bytes()[0] == first);
            assert_eq!(begins_one(first), one, "{first}");
        }
    }
}
