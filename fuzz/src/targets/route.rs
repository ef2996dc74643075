//! Route tables: the indexes find what looking at one route after the other finds.
//!
//! The first line is `HOST PATH`, each other one `H domain,domain` for a virtual host, or a route
//! in the last one: `P prefix`, `S path-separated prefix`, `E path`, `X regex`, `C` for CONNECT;
//! in lower case where case does not matter.

use super::{lines, stream_info};
use nuncio_base::HeaderMap;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_matching::Regex;
use nuncio_matching::path::without_query;
use nuncio_route::{
    Action, ClusterTarget, Lookup, PathMatch, RequestView, Route, RouteAction, RouteMatch,
    RouteTable, RouteTableConfig, VirtualHostConfig,
};

/// Takes a request and a table.
pub fn run(data: &[u8]) {
    let mut lines = lines(data);
    let request = lines.next().unwrap_or_default();
    let space = request
        .iter()
        .position(|byte| *byte == b' ')
        .unwrap_or(request.len());
    let (host, path) = request.split_at(space);
    let Some(config) = config(lines) else {
        return;
    };
    let hosts = config.virtual_hosts.clone();
    let Ok(table) = RouteTable::new(config) else {
        return;
    };
    let mut headers = HeaderMap::new();
    headers.append(":method", b"GET");
    headers.append(":authority", host);
    headers.append(":path", path.strip_prefix(b" ").unwrap_or(path));
    let (info, flags) = (stream_info(), RuntimeFlags::default());
    let view = RequestView {
        headers: &headers,
        info: &info,
        random: 0,
        flags: &flags,
    };
    let found = match table.find(&view) {
        Lookup::NoVirtualHost => None,
        Lookup::NoRoute { virtual_host } | Lookup::SslRedirect { virtual_host } => {
            Some((virtual_host as usize, None))
        }
        Lookup::Route(id) => Some((id.virtual_host as usize, Some(id.route as usize))),
    };
    let expected = virtual_host(&hosts, host).map(|at| (at, route(&hosts[at], &view)));
    assert_eq!(found, expected, "{}", data.escape_ascii());
}

fn config<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<RouteTableConfig> {
    let mut virtual_hosts = vec![VirtualHostConfig::default()];
    for line in lines {
        let line = str::from_utf8(line).ok()?;
        let (kind, text) = line.split_once(' ').unwrap_or((line, ""));
        let bytes: Box<[u8]> = text.as_bytes().into();
        let path = match kind.to_ascii_uppercase().as_str() {
            "H" => {
                let domains = text.split(',').map(str::to_owned).collect();
                virtual_hosts.push(VirtualHostConfig {
                    domains,
                    ..Default::default()
                });
                continue;
            }
            "P" => PathMatch::Prefix(bytes),
            "S" => PathMatch::SeparatedPrefix(bytes),
            "E" => PathMatch::Exact(bytes),
            "X" => PathMatch::Regex(Regex::new(text).ok()?),
            "C" => PathMatch::Connect,
            _ => continue,
        };
        let mut matcher = RouteMatch::new(path);
        matcher.case_sensitive = kind == kind.to_ascii_uppercase();
        let action = RouteAction::new(ClusterTarget::Name("c".into()));
        let route = Route::new(matcher, Action::Route(Box::new(action)));
        virtual_hosts.last_mut()?.routes.push(route);
    }
    Some(RouteTableConfig {
        virtual_hosts,
        ..Default::default()
    })
}

/// The exact domain, else the longest suffix, else the longest prefix, else any.
fn virtual_host(hosts: &[VirtualHostConfig], host: &[u8]) -> Option<usize> {
    let host = host.to_ascii_lowercase();
    let mut best = None;
    for (at, config) in hosts.iter().enumerate() {
        for domain in &config.domains {
            let domain = domain.to_ascii_lowercase();
            let length = domain.len();
            let rank = if domain == "*" {
                (0, 0)
            } else if let Some(suffix) = domain.strip_prefix('*') {
                if host.len() < length || !host.ends_with(suffix.as_bytes()) {
                    continue;
                }
                (2, length)
            } else if let Some(prefix) = domain.strip_suffix('*') {
                if host.len() < length || !host.starts_with(prefix.as_bytes()) {
                    continue;
                }
                (1, length)
            } else if domain.as_bytes() == host {
                (3, length)
            } else {
                continue;
            };
            if best.is_none_or(|(known, _)| known < rank) {
                best = Some((rank, at));
            }
        }
    }
    best.map(|(_, at)| at)
}

fn route(host: &VirtualHostConfig, view: &RequestView<'_>) -> Option<usize> {
    let path = view.path().map(without_query);
    host.routes.iter().position(|route| {
        let wanted = &route.matcher;
        wanted
            .path
            .matches(path, view.is_connect(), wanted.case_sensitive)
    })
}
