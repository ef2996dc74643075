//! The addresses that gRPC knows (gRPC's "Name Resolution": `dns`, `ipv4`, `ipv6`, `unix`).

use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::envoy::config::endpoint::v3 as endpoint;
use std::net::{IpAddr, SocketAddr};

/// The port where none is said.
const DEFAULT_PORT: u16 = 443;

/// Where a service is.
pub struct Target {
    at: Vec<Place>,
    /// What calls say in `:authority`.
    pub authority: String,
    /// The name that the server's certificate must be for.
    pub host: String,
}

enum Place {
    Ip(SocketAddr),
    Name(String, u16),
    Unix(String),
}

impl Target {
    /// Whether it is on this machine for sure.
    pub fn is_local(&self) -> bool {
        self.at.iter().all(|place| matches!(place, Place::Unix(_)))
    }

    /// Whether it has a name that has to be resolved.
    pub fn is_name(&self) -> bool {
        self.at.iter().any(|place| matches!(place, Place::Name(..)))
    }

    /// Its endpoints.
    pub fn load_assignment(&self) -> endpoint::ClusterLoadAssignment {
        let endpoints = self.at.iter().map(Place::endpoint).collect();
        endpoint::ClusterLoadAssignment {
            cluster_name: "google_grpc".to_owned(),
            endpoints: vec![endpoint::LocalityLbEndpoints {
                lb_endpoints: endpoints,
                ..Default::default()
            }],
            ..Default::default()
        }
    }
}

impl Place {
    fn endpoint(&self) -> endpoint::LbEndpoint {
        use core::address::Address;
        let socket = |address: String, port: u16| {
            Address::SocketAddress(core::SocketAddress {
                address,
                port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port.into())),
                ..Default::default()
            })
        };
        let address = match self {
            Self::Ip(at) => socket(at.ip().to_string(), at.port()),
            Self::Name(name, port) => socket(name.clone(), *port),
            Self::Unix(path) => Address::Pipe(core::Pipe {
                path: path.clone(),
                mode: 0,
            }),
        };
        let place = endpoint::Endpoint {
            address: Some(core::Address {
                address: Some(address),
            }),
            ..Default::default()
        };
        endpoint::LbEndpoint {
            host_identifier: Some(endpoint::lb_endpoint::HostIdentifier::Endpoint(place)),
            ..Default::default()
        }
    }
}

/// Takes a target apart.
///
/// # Errors
/// What can't be reached by it.
pub fn target(uri: &str) -> Result<Target, String> {
    let (scheme, rest) = match uri.split_once(':') {
        Some((scheme @ ("dns" | "ipv4" | "ipv6" | "unix" | "unix-abstract"), rest)) => {
            (scheme, rest)
        }
        Some((scheme, rest)) if rest.starts_with("//") => {
            return Err(format!("targets of scheme {scheme} are not supported"));
        }
        _ => ("dns", uri),
    };
    let local = |path: String| Target {
        at: vec![Place::Unix(path)],
        authority: "localhost".to_owned(),
        host: "localhost".to_owned(),
    };
    match scheme {
        "unix" => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            match path.is_empty() || (rest != path && !path.starts_with('/')) {
                true => Err(format!("'{uri}' names no absolute path")),
                false => Ok(local(path.to_owned())),
            }
        }
        "unix-abstract" if !rest.is_empty() => Ok(local(format!("@{rest}"))),
        "dns" => {
            let name = match rest.strip_prefix("//") {
                None => rest,
                Some(rest) => match rest.split_once('/') {
                    Some(("", name)) => name,
                    Some(_) => return Err("a DNS server in a target is not supported".to_owned()),
                    None => return Err(format!("'{uri}' names no host")),
                },
            };
            host_and_port(name).ok_or_else(|| format!("'{uri}' names no host and port"))
        }
        _ => addresses(rest).ok_or_else(|| format!("'{uri}' names no addresses")),
    }
}

fn host_and_port(text: &str) -> Option<Target> {
    let whole: Option<IpAddr> = text.parse().ok();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if whole.is_none() && !text.ends_with(']') => (host, port.parse().ok()?),
        _ => (text, DEFAULT_PORT),
    };
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let bare = bare.unwrap_or(host);
    if bare.is_empty() {
        return None;
    }
    let place = match bare.parse::<IpAddr>() {
        Ok(ip) => Place::Ip(SocketAddr::new(ip, port)),
        Err(_) if bare.contains([':', '/']) => return None,
        Err(_) => Place::Name(bare.to_owned(), port),
    };
    Some(Target {
        at: vec![place],
        authority: text.to_owned(),
        host: bare.to_owned(),
    })
}

/// Addresses behind each other.
fn addresses(text: &str) -> Option<Target> {
    let text = text.trim_start_matches('/');
    let found: Option<Vec<_>> = text.split(',').map(host_and_port).collect();
    let found = found?;
    let (authority, host) = found
        .first()
        .map(|one| (one.authority.clone(), one.host.clone()))?;
    let at: Vec<_> = found.into_iter().flat_map(|one| one.at).collect();
    let fixed = at.iter().all(|place| matches!(place, Place::Ip(_)));
    fixed.then_some(Target {
        at,
        authority,
        host,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (uri, at, authority, host) in [
            ("opa:9191", "opa 9191", "opa:9191", "opa"),
            ("opa", "opa 443", "opa", "opa"),
            ("dns:///a.b:1", "a.b 1", "a.b:1", "a.b"),
            ("dns:a.b:1", "a.b 1", "a.b:1", "a.b"),
            ("127.0.0.1:80", "127.0.0.1:80", "127.0.0.1:80", "127.0.0.1"),
            ("[::1]:80", "[::1]:80", "[::1]:80", "::1"),
            ("::1", "[::1]:443", "::1", "::1"),
            (
                "ipv4:1.2.3.4:5,6.7.8.9",
                "1.2.3.4:5 6.7.8.9:443",
                "1.2.3.4:5",
                "1.2.3.4",
            ),
            ("ipv6:[::1]:2", "[::1]:2", "[::1]:2", "::1"),
            ("unix:/tmp/x", "/tmp/x", "localhost", "localhost"),
            ("unix:///tmp/x", "/tmp/x", "localhost", "localhost"),
            ("unix:x", "x", "localhost", "localhost"),
            ("unix-abstract:x", "@x", "localhost", "localhost"),
        ] {
            let target = target(uri).unwrap();
            let places = target.at.iter().map(|place| match place {
                Place::Ip(at) => at.to_string(),
                Place::Name(name, port) => format!("{name} {port}"),
                Place::Unix(path) => path.clone(),
            });
            assert_eq!(places.collect::<Vec<_>>().join(" "), at, "{uri}");
            assert_eq!(
                (&*target.authority, &*target.host),
                (authority, host),
                "{uri}"
            );
        }
        for (uri, reason) in [
            ("xds:///a", "targets of scheme xds are not supported"),
            (
                "dns://8.8.8.8/a",
                "a DNS server in a target is not supported",
            ),
            ("dns://a", "'dns://a' names no host"),
            (":80", "':80' names no host and port"),
            ("a:b", "'a:b' names no host and port"),
            ("a:99999", "'a:99999' names no host and port"),
            ("ipv4:a:1", "'ipv4:a:1' names no addresses"),
            ("unix:", "'unix:' names no absolute path"),
            ("unix://x", "'unix://x' names no absolute path"),
        ] {
            assert_eq!(target(uri).err().as_deref(), Some(reason), "{uri}");
        }
    }
}
