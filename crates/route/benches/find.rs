//! What finding a route costs: `cargo bench -p nuncio-route`. Prints nanoseconds per lookup for
//! tables of different sizes; the size should hardly matter.

use nuncio_base::HeaderMap;
use nuncio_base::address::Address;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_base::time;
use nuncio_route::{
    Action, ClusterTarget, Lookup, PathMatch, RequestView, Route, RouteAction, RouteMatch,
    RouteTable, RouteTableConfig, VirtualHostConfig,
};
use nuncio_stream_info::{ConnectionInfo, StreamInfo, Timings};
use std::hint::black_box;
use std::rc::Rc;

const SIZES: [usize; 3] = [1, 1_000, 10_000];
const LOOKUPS: u32 = 400_000;

fn main() {
    for size in SIZES {
        let hosts = vec![host("*", (0..size).map(|n| prefix(&format!("/p{n:05}/"))))];
        measure("prefixes", size, hosts, |n| {
            (String::from("h.test"), format!("/p{n:05}/x/y?z"))
        });
    }
    for size in SIZES {
        let paths = (0..size).map(|n| PathMatch::Exact(format!("/p{n:05}").into_bytes().into()));
        let hosts = vec![host("*", paths)];
        measure("exact paths", size, hosts, |n| {
            (String::from("h.test"), format!("/p{n:05}?z"))
        });
    }
    for size in SIZES {
        let hosts = (0..size)
            .map(|n| host(&format!("h{n:05}.test"), [prefix("/")]))
            .collect();
        measure("virtual hosts", size, hosts, |n| {
            (format!("h{n:05}.test"), "/x".into())
        });
    }
    for size in SIZES {
        let hosts = (0..size)
            .map(|n| host(&format!("*.h{n:05}.test"), [prefix("/")]))
            .collect();
        measure("suffix domains", size, hosts, |n| {
            (format!("a.h{n:05}.test"), "/x".into())
        });
    }
}

fn prefix(text: &str) -> PathMatch {
    PathMatch::Prefix(text.as_bytes().into())
}

fn host(domain: &str, paths: impl IntoIterator<Item = PathMatch>) -> VirtualHostConfig {
    let route = |path| {
        let action = RouteAction::new(ClusterTarget::Name("c".into()));
        Route::new(RouteMatch::new(path), Action::Route(Box::new(action)))
    };
    VirtualHostConfig {
        name: domain.into(),
        domains: vec![domain.to_owned()],
        routes: paths.into_iter().map(route).collect(),
        ..VirtualHostConfig::default()
    }
}

fn measure(
    what: &str,
    size: usize,
    virtual_hosts: Vec<VirtualHostConfig>,
    target: impl Fn(usize) -> (String, String),
) {
    let config = RouteTableConfig {
        virtual_hosts,
        ..RouteTableConfig::default()
    };
    let table = match RouteTable::new(config) {
        Ok(table) => table,
        Err(error) => return eprintln!("{what}: {error}"),
    };
    let (start, wall) = (time::monotonic(), time::wall());
    let address = Address::Ip(([127, 0, 0, 1], 1).into());
    let connection = ConnectionInfo::new(1, address.clone(), address, (start, wall));
    let info = StreamInfo::new(Rc::new(connection), Timings::new(wall, start));
    let flags = RuntimeFlags::default();
    // Some targets all over the table, so that no cache helps more than in life.
    let requests: Vec<HeaderMap> = (0..64)
        .map(|n| {
            let (host, path) = target(n * 7_919 % size);
            HeaderMap::from_iter([
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", host.as_str()),
                (":path", path.as_str()),
                ("x-forwarded-proto", "http"),
            ])
        })
        .collect();
    let begin = time::monotonic();
    for at in 0..LOOKUPS {
        let request = RequestView {
            headers: &requests[at as usize % requests.len()],
            info: &info,
            random: 0,
            flags: &flags,
        };
        let found = black_box(table.find(black_box(&request)));
        assert!(matches!(found, Lookup::Route(_)), "{what}: no route found");
    }
    let each = begin.elapsed() / LOOKUPS;
    println!("{what:>15} {size:>6}: {:>4} ns", each.as_nanos());
}
