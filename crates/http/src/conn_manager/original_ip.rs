//! Finds the client's address in a request's headers
//! (`envoy.http.original_ip_detection.*`), where the connection's own does not count.

use crate::local_reply::LocalReply;
use nuncio_base::{HeaderMap, HeaderName, names};
use nuncio_matching::CidrList;
use std::net::{IpAddr, SocketAddr};

/// One way to find the client's address.
#[derive(Clone, Debug)]
pub enum OriginalIpDetection {
    /// `x-forwarded-for`, so many entries before its last.
    Xff {
        /// How many proxies in front are trusted.
        trusted_hops: usize,
        /// `x-forwarded-for` is not appended to.
        skip_append: bool,
    },
    /// The last address of `x-forwarded-for` that is not a trusted proxy's.
    XffTrusted {
        /// The trusted proxies.
        trusted: CidrList,
        /// `x-forwarded-for` is not appended to.
        skip_append: bool,
    },
    /// A header of its own.
    CustomHeader {
        /// Its name.
        name: HeaderName,
        /// Its address may count as internal.
        trusted: bool,
        /// The status of the reply to requests without it.
        reject_with: Option<u16>,
    },
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Detected {
    /// The client's address.
    pub address: Option<SocketAddr>,
    /// It may count as internal.
    pub may_be_internal: bool,
    /// The connection's address goes to the end of `x-forwarded-for`.
    pub append: bool,
}

impl OriginalIpDetection {
    /// Looks for the client's address.
    ///
    /// # Errors
    /// The reply, where a request without an address is refused.
    pub(super) fn detect(
        &self,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Detected, LocalReply> {
        match self {
            Self::Xff {
                trusted_hops,
                skip_append,
            } => Ok(Detected {
                append: !skip_append,
                ..nth_from_end(headers, *trusted_hops)
            }),
            Self::XffTrusted {
                trusted,
                skip_append,
            } => {
                if !peer.is_some_and(|ip| trusted.contains(ip)) {
                    return Ok(Detected {
                        append: true,
                        ..Detected::default()
                    });
                }
                Ok(Detected {
                    append: !skip_append,
                    ..last_untrusted(headers, trusted)
                })
            }
            Self::CustomHeader {
                name,
                trusted,
                reject_with,
            } => {
                let value = headers.get_str(name);
                match (value.and_then(|text| text.parse().ok()), reject_with) {
                    (Some(ip), _) => Ok(Detected {
                        address: Some(SocketAddr::new(ip, 0)),
                        may_be_internal: *trusted,
                        append: false,
                    }),
                    (None, Some(status)) => Err(LocalReply::new(
                        *status,
                        "",
                        "rejecting_because_detection_failed",
                    )),
                    (None, None) => Ok(Detected::default()),
                }
            }
        }
    }
}

/// The address at a place of `x-forwarded-for`, counted from its end. Only the one address of a
/// list may be internal: behind others it is a proxy's word.
pub(super) fn nth_from_end(headers: &HeaderMap, n: usize) -> Detected {
    let Some(list) = headers.get_str(names::X_FORWARDED_FOR) else {
        return Detected::default();
    };
    Detected {
        address: list.rsplit(',').nth(n).and_then(address),
        may_be_internal: n == 0 && !list.contains(','),
        append: false,
    }
}

/// The last address that is no trusted proxy's; the first of all where all are.
fn last_untrusted(headers: &HeaderMap, trusted: &CidrList) -> Detected {
    let mut found = Detected::default();
    let list = headers.get_str(names::X_FORWARDED_FOR).unwrap_or_default();
    for entry in list.rsplit(',') {
        let Some(address) = address(entry) else {
            // What is behind it is not known to be told by a trusted proxy.
            return Detected::default();
        };
        found.address = Some(address);
        if !trusted.contains(address.ip()) {
            break;
        }
    }
    found
}

/// An entry of `x-forwarded-for`: an address without a port.
fn address(entry: &str) -> Option<SocketAddr> {
    let ip = entry.trim_matches([' ', '\t']).parse().ok()?;
    Some(SocketAddr::new(ip, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_matching::CidrRange;

    fn xff(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::default();
        headers.append(names::X_FORWARDED_FOR, value.as_bytes());
        headers
    }

    #[test]
    fn entries_are_counted_from_the_end() {
        for (list, n, expected, single) in [
            ("1.1.1.1", 0, Some("1.1.1.1:0"), true),
            ("1.1.1.1, 2.2.2.2", 0, Some("2.2.2.2:0"), false),
            ("1.1.1.1, 2.2.2.2", 1, Some("1.1.1.1:0"), false),
            ("1.1.1.1", 1, None, false),
            ("1.1.1.1:80,::1", 0, Some("[::1]:0"), false),
            ("1.1.1.1:80,::1", 1, None, false),
            ("[::1]", 0, None, true),
            ("nonsense", 0, None, true),
            ("", 0, None, true),
        ] {
            let found = nth_from_end(&xff(list), n);
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(
                (found.address, found.may_be_internal),
                (expected, single),
                "{list} {n}"
            );
        }
    }

    #[test]
    fn trusted_proxies_are_passed_over() {
        let detection = OriginalIpDetection::XffTrusted {
            trusted: CidrList::new(vec![CidrRange::parse("10.0.0.0", 8).unwrap()]),
            skip_append: true,
        };
        for (list, peer, expected) in [
            (
                "1.1.1.1, 2.2.2.2, 10.0.0.5, 10.0.0.6",
                "10.1.1.1",
                Some("2.2.2.2"),
            ),
            ("10.0.0.7, 10.0.0.8", "10.1.1.1", Some("10.0.0.7")),
            ("1.1.1.1", "9.9.9.9", None),
            ("1.1.1.1, x, 10.0.0.1", "10.1.1.1", None),
        ] {
            let found = detection
                .detect(&xff(list), Some(peer.parse().unwrap()))
                .unwrap();
            let ip = found.address.map(|address| address.ip().to_string());
            assert_eq!(ip.as_deref(), expected, "{list} from {peer}");
        }
    }
}
