//! Connections up to the limit, and one more.

use super::ConnectionLimit;
use crate::testing::{parse, read_some, serve_chain, wait_until};
use nuncio_stats::Store;
use std::io::{Read, Write};
use std::sync::Arc;

fn limited(yaml: &str) -> crate::testing::Served {
    let store = Store::default();
    let limit = crate::testing::parse_in(&store, &ConnectionLimit, yaml).unwrap();
    let echo = Arc::new(crate::echo::EchoFactory);
    serve_chain(store, vec![Arc::new(limit), echo], 1 << 20, |_| {})
}

#[test]
fn one_too_many_is_closed() {
    let served = limited("{stat_prefix: p, max_connections: 1}");
    let mut first = served.connect();
    first.write_all(b"a").unwrap();
    assert_eq!(read_some(&mut first), b"a");
    let mut second = served.connect();
    assert_eq!(second.read(&mut [0]).unwrap_or(0), 0);
    served.wait_for("connection_limit.p.limited_connections", 1);
    drop(first);
    let active = || {
        served
            .store
            .gauge_value("connection_limit.p.active_connections")
    };
    wait_until("none is active", || active() == Some(0));
    let mut third = served.connect();
    third.write_all(b"b").unwrap();
    assert_eq!(read_some(&mut third), b"b");
}

#[test]
fn it_is_closed_after_the_delay() {
    let served = limited("{stat_prefix: p, max_connections: 1, delay: 0.2s}");
    let mut first = served.connect();
    first.write_all(b"a").unwrap();
    assert_eq!(read_some(&mut first), b"a");
    let begun = nuncio_base::time::monotonic();
    let mut second = served.connect();
    second.write_all(b"b").unwrap();
    assert_eq!(second.read(&mut [0]).unwrap_or(0), 0, "nothing comes back");
    assert!(begun.elapsed().as_millis() >= 190);
}

#[test]
fn switched_off_it_counts_nothing() {
    let off = "{stat_prefix: p, max_connections: 1, runtime_enabled: {default_value: false, \
               runtime_key: k}}";
    let served = limited(off);
    let mut clients: Vec<_> = (0..3).map(|_| served.connect()).collect();
    for client in &mut clients {
        client.write_all(b"a").unwrap();
        assert_eq!(read_some(client), b"a");
    }
    assert_eq!(served.counter("connection_limit.p.limited_connections"), 0);
}

#[test]
fn what_is_wrong_is_said() {
    for (yaml, expected) in [
        ("{}", "stat_prefix"),
        ("{stat_prefix: a, max_connections: 0}", "max_connections"),
    ] {
        let error = parse(&ConnectionLimit, yaml).err().unwrap();
        assert!(error.contains(expected), "{yaml}: {error}");
    }
}
