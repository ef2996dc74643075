//! Request targets: what `:path`, `:authority` and `:scheme` become of them (RFC 9112 section 3.2).

use super::error::H1Error;
use memchr::memchr;

/// An absolute target, or a CONNECT's.
#[derive(Debug, PartialEq)]
pub struct Absolute<'a> {
    /// None in authority form.
    pub scheme: Option<&'static str>,
    /// Host and port as they are written, without user information.
    pub authority: &'a [u8],
    /// What follows the authority, a query included; empty for none.
    pub path: &'a [u8],
}

impl<'a> Absolute<'a> {
    /// Parses a target in absolute form.
    ///
    /// # Errors
    /// What Envoy answers to such a target.
    pub fn parse(target: &'a [u8]) -> Result<Self, H1Error> {
        let Some((scheme, rest)) = split_scheme(target) else {
            return Err(H1Error::INVALID_TARGET);
        };
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
            .unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case(b"http") => "http",
            _ if scheme.eq_ignore_ascii_case(b"https") => "https",
            _ => return Err(H1Error::INVALID_SCHEME),
        };
        // User information is dropped: it is the client's, and no business of the next hop.
        let authority = match memchr(b'@', authority) {
            Some(at) => &authority[at + 1..],
            None => authority,
        };
        if !is_host_and_port(authority, false) {
            return Err(H1Error::INVALID_URL);
        }
        Ok(Self {
            scheme: Some(scheme),
            authority,
            path,
        })
    }

    /// Parses the target of a CONNECT: host and port.
    ///
    /// # Errors
    /// What Envoy answers to such a target.
    pub fn parse_connect(target: &'a [u8]) -> Result<Self, H1Error> {
        if !is_host_and_port(target, true) {
            return Err(H1Error::INVALID_URL);
        }
        Ok(Self {
            scheme: None,
            authority: target,
            path: b"",
        })
    }
}

fn split_scheme(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr(b':', target)?;
    let (scheme, rest) = target.split_at(end);
    let rest = rest.strip_prefix(b"://")?;
    let valid = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    valid.then_some((scheme, rest))
}

/// A name, an IPv4 address or a bracketed IPv6 address, and a port: as Envoy's URL parser takes
/// them, which knows fewer host characters than RFC 3986.
fn is_host_and_port(authority: &[u8], needs_port: bool) -> bool {
    let (host_is_valid, port) = match authority {
        [b'[', rest @ ..] => {
            let Some(end) = memchr(b']', rest) else {
                return false;
            };
            let address = std::str::from_utf8(&rest[..end]).unwrap_or_default();
            let valid = address.parse::<std::net::Ipv6Addr>().is_ok();
            (valid, &rest[end + 1..])
        }
        _ => {
            let end = memchr(b':', authority).unwrap_or(authority.len());
            let (host, port) = authority.split_at(end);
            let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
            (!host.is_empty() && host.iter().all(is_host), port)
        }
    };
    host_is_valid
        && match port {
            [] => !needs_port,
            [b':', digits @ ..] => {
                (1..=5).contains(&digits.len())
                    && crate::chars::number(digits).is_some_and(|port| port <= 65535)
            }
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_targets_are_those_that_envoy_takes() {
        for (target, expected) in [
            ("http://a/b?c", Ok(("http", "a", "/b?c"))),
            ("HTTP://OTHER.test:81", Ok(("http", "OTHER.test:81", ""))),
            ("https://u:p@a:0/", Ok(("https", "a:0", "/"))),
            (
                "http://a%12:b!&*$@h.org:1234/t",
                Ok(("http", "h.org:1234", "/t")),
            ),
            ("http://a?q", Ok(("http", "a", "?q"))),
            ("http://[::1]:80/", Ok(("http", "[::1]:80", "/"))),
            ("http://[::1/", Err(H1Error::INVALID_URL)),
            ("http://[::x]/", Err(H1Error::INVALID_URL)),
            ("http:///g", Err(H1Error::INVALID_URL)),
            ("http://a:/", Err(H1Error::INVALID_URL)),
            ("http://a:70000/", Err(H1Error::INVALID_URL)),
            ("http://a:x/", Err(H1Error::INVALID_URL)),
            ("http://a_b/", Err(H1Error::INVALID_URL)),
            ("http://a;b/", Err(H1Error::INVALID_URL)),
            ("http://u@v@a/", Err(H1Error::INVALID_URL)),
            ("http://u@/", Err(H1Error::INVALID_URL)),
            ("ws://a/", Err(H1Error::INVALID_SCHEME)),
            ("a:80", Err(H1Error::INVALID_TARGET)),
            ("foo", Err(H1Error::INVALID_TARGET)),
            ("?x", Err(H1Error::INVALID_TARGET)),
            ("://a/", Err(H1Error::INVALID_TARGET)),
        ] {
            let got = Absolute::parse(target.as_bytes());
            let expected = expected.map(|(scheme, authority, path)| Absolute {
                scheme: Some(scheme),
                authority: authority.as_bytes(),
                path: path.as_bytes(),
            });
            assert_eq!(got, expected, "{target}");
        }
    }

    #[test]
    fn connect_targets_are_host_and_port() {
        for (target, valid) in [
            ("a:80", true),
            ("[::1]:80", true),
            ("a:0", true),
            ("a", false),
            ("/a", false),
            (":80", false),
            ("a:99999", false),
            ("a@b:80", false),
            ("http://a:80/", false),
        ] {
            assert_eq!(
                Absolute::parse_connect(target.as_bytes()).is_ok(),
                valid,
                "{target}"
            );
        }
    }
}
