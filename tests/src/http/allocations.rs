//! How often a request allocates memory: what was reached may not be lost again.

use crate::harness::{Config, Connection, Proxy, Upstream, direct, route};

/// Allocations of `count` requests, when everything is warm.
fn allocations(proxy: &Proxy, connection: &mut Connection, path: &str, count: u64) -> Option<u64> {
    for _ in 0..100 {
        assert_eq!(connection.get(path).status, 200);
    }
    let before = proxy.allocations()?;
    for _ in 0..count {
        assert_eq!(connection.get(path).status, 200);
    }
    Some(proxy.allocations()? - before)
}

#[test]
fn requests_allocate_no_more_than_they_did() {
    const COUNT: u64 = 1000;
    let upstream = Upstream::ok("hello");
    let proxy = Config::http(&[direct("/direct", 200, "directly"), route("/", "up")])
        .cluster("up", &[upstream.address()])
        .start();
    let mut connection = proxy.connect();
    for (path, most) in [("/direct", 1.5), ("/", 2.5)] {
        let Some(count) = allocations(&proxy, &mut connection, path, COUNT) else {
            // Not the binary that counts.
            return;
        };
        let each = count as f64 / COUNT as f64;
        println!("{path}: {each} allocations a request");
        assert!(each <= most, "{path}: {each} allocations a request");
    }
}
