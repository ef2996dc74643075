//! Requests and tables for tests.

use crate::action::{Action, RouteAction};
use crate::cluster::ClusterTarget;
use crate::request::RequestView;
use crate::route::Route;
use crate::route_match::{PathMatch, RouteMatch};
use crate::table::{RouteTable, RouteTableConfig};
use crate::virtual_host::VirtualHostConfig;
use nuncio_base::HeaderMap;
use nuncio_base::address::Address;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_base::time;
use nuncio_stream_info::{ConnectionInfo, StreamInfo, Timings};
use std::rc::Rc;

/// Everything that a [`RequestView`] borrows.
pub(crate) struct Request {
    pub(crate) headers: HeaderMap,
    pub(crate) info: StreamInfo,
    pub(crate) random: u64,
    pub(crate) flags: RuntimeFlags,
}

impl Request {
    pub(crate) fn new(headers: &[(&str, &str)]) -> Self {
        let (start_time, start) = (time::wall(), time::monotonic());
        Self {
            headers: headers.iter().copied().collect(),
            info: StreamInfo::new(Rc::new(connection()), Timings::new(start_time, start)),
            random: 0,
            flags: RuntimeFlags::default(),
        }
    }

    pub(crate) fn get(host: &str, path: &str) -> Self {
        Self::new(&[
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", host),
            (":path", path),
            ("x-forwarded-proto", "http"),
        ])
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.append(name, value.as_bytes());
        self
    }

    pub(crate) fn view(&self) -> RequestView<'_> {
        RequestView {
            headers: &self.headers,
            info: &self.info,
            random: self.random,
            flags: &self.flags,
        }
    }
}

pub(crate) fn connection() -> ConnectionInfo {
    let address = Address::Ip(([127, 0, 0, 1], 1).into());
    let time = (time::monotonic(), time::wall());
    ConnectionInfo::new(1, address.clone(), address, time)
}

pub(crate) fn to_cluster(name: &str) -> Action {
    let target = ClusterTarget::Name(name.into());
    Action::Route(Box::new(RouteAction::new(target)))
}

pub(crate) fn path_match(kind: &str, text: &str) -> PathMatch {
    let bytes = text.as_bytes().into();
    match kind {
        "prefix" => PathMatch::Prefix(bytes),
        "separated" => PathMatch::SeparatedPrefix(bytes),
        "path" => PathMatch::Exact(bytes),
        "regex" => PathMatch::Regex(nuncio_matching::Regex::new(text).unwrap()),
        "connect" => PathMatch::Connect,
        other => panic!("no kind of path match: {other}"),
    }
}

/// A route that is named after what it asks of the path.
pub(crate) fn route(kind: &str, text: &str) -> Route {
    let mut route = Route::new(RouteMatch::new(path_match(kind, text)), to_cluster("c"));
    route.name = format!("{kind} {text}").into();
    route
}

pub(crate) fn host(name: &str, domains: &[&str], routes: Vec<Route>) -> VirtualHostConfig {
    VirtualHostConfig {
        name: name.into(),
        domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        routes,
        ..VirtualHostConfig::default()
    }
}

pub(crate) fn table(virtual_hosts: Vec<VirtualHostConfig>) -> RouteTable {
    let config = RouteTableConfig {
        virtual_hosts,
        ..RouteTableConfig::default()
    };
    RouteTable::new(config).unwrap()
}
