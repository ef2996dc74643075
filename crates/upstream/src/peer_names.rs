//! What a request says of the host that it goes to, for the connection's handshake.

use nuncio_base::{HeaderMap, HeaderName, names};
use nuncio_net::TransportSocketOptions;
use std::sync::Arc;

/// What a request's host header says of the host it goes to (`upstream_http_protocol_options`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerNameRules {
    /// It is the name that is asked for (SNI), unless it is an IP address.
    pub auto_sni: bool,
    /// The host's certificate must be for it.
    pub auto_san_validation: bool,
    /// Where it is there and not empty, this header is read instead.
    pub header: Option<HeaderName>,
}

impl PeerNameRules {
    /// The names for a request.
    pub fn names(&self, headers: &HeaderMap) -> TransportSocketOptions {
        let other = self.header.as_ref().and_then(|name| headers.get(name));
        let other = other.filter(|value| !value.is_empty());
        let authority = other.or_else(|| headers.get(names::AUTHORITY));
        let host = authority.and_then(|host| std::str::from_utf8(host).ok());
        let Some((host, is_ip)) = host.map(without_port).filter(|(host, _)| !host.is_empty())
        else {
            return TransportSocketOptions::default();
        };
        let host: Arc<str> = host.into();
        let only_if = |wanted: bool| wanted.then(|| Arc::clone(&host));
        TransportSocketOptions {
            server_name: only_if(self.auto_sni && !is_ip),
            subject_alt_name: only_if(self.auto_san_validation),
            ..TransportSocketOptions::default()
        }
    }
}

/// A host without its port and brackets, and whether it is an IP address.
fn without_port(authority: &str) -> (&str, bool) {
    if let Some((inside, _)) = authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        return (inside, true);
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => authority,
    };
    (host, host.parse::<std::net::IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_without_ports() {
        let rules = PeerNameRules {
            auto_sni: true,
            auto_san_validation: true,
            header: Some(HeaderName::new("x-sni")),
        };
        let cases = [
            ("a.test", None, (Some("a.test"), Some("a.test"))),
            ("a.test:80", None, (Some("a.test"), Some("a.test"))),
            ("a.test", Some("b.test"), (Some("b.test"), Some("b.test"))),
            ("a.test", Some(""), (Some("a.test"), Some("a.test"))),
            ("127.0.0.1:80", None, (None, Some("127.0.0.1"))),
            ("[::1]:80", None, (None, Some("::1"))),
            ("", None, (None, None)),
        ];
        for (host, other, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.set(names::AUTHORITY, host.as_bytes());
            if let Some(other) = other {
                headers.set(&HeaderName::new("x-sni"), other.as_bytes());
            }
            let found = rules.names(&headers);
            let found = (
                found.server_name.as_deref(),
                found.subject_alt_name.as_deref(),
            );
            assert_eq!(found, expected, "{host}");
        }
    }
}
