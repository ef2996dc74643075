//! Connections that are let in, and others.

use super::Rbac;
use crate::testing::{Served, parse, parse_in, read_some, serve_chain};
use nuncio_stats::Store;
use std::io::{Read, Write};
use std::sync::Arc;

fn guarded(yaml: &str) -> Served {
    let store = Store::default();
    let rbac = parse_in(&store, &Rbac, yaml).unwrap();
    let echo = Arc::new(crate::echo::EchoFactory);
    serve_chain(store, vec![Arc::new(rbac), echo], 1 << 20, |_| {})
}

fn rules(action: &str, address: &str, more: &str) -> String {
    format!(
        "{{stat_prefix: p, rules: {{action: {action}, policies: {{a: {{permissions: [{{any: \
         true}}], principals: [{{direct_remote_ip: {{address_prefix: {address}, prefix_len: \
         8}}}}]}}}}}}{more}}}"
    )
}

#[test]
fn by_address() {
    for (action, address, passes) in [
        ("ALLOW", "127.0.0.0", true),
        ("ALLOW", "10.0.0.0", false),
        ("DENY", "127.0.0.0", false),
        ("DENY", "10.0.0.0", true),
    ] {
        let shadow = ", shadow_rules: {}, shadow_rules_stat_prefix: s";
        let served = guarded(&rules(action, address, shadow));
        let mut client = served.connect();
        client.write_all(b"a").unwrap();
        match passes {
            true => {
                assert_eq!(read_some(&mut client), b"a", "{action} {address}");
                client.write_all(b"b").unwrap();
                assert_eq!(read_some(&mut client), b"b");
            }
            false => assert_eq!(client.read(&mut [0]).unwrap_or(0), 0),
        }
        let counts = [passes, !passes].map(u64::from);
        let counted = ["allowed", "denied"].map(|name| served.counter(&format!("p.rbac.{name}")));
        assert_eq!(counted, counts, "{action} {address}");
        assert_eq!(served.counter("p.rbac.s.shadow_denied"), 1);
    }
}

#[test]
fn who_is_denied_may_be_kept_waiting() {
    let served = guarded(&rules("DENY", "127.0.0.0", ", delay_deny: 0.2s"));
    let begun = nuncio_base::time::monotonic();
    let mut client = served.connect();
    client.write_all(b"a").unwrap();
    assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
    assert!(begun.elapsed().as_millis() >= 190);
}

#[test]
fn what_is_asked_again_is_counted_again() {
    let yaml = rules("ALLOW", "127.0.0.0", ", enforcement_type: CONTINUOUS");
    let served = guarded(&yaml);
    let mut client = served.connect();
    for _ in 0..2 {
        client.write_all(b"a").unwrap();
        assert_eq!(read_some(&mut client), b"a");
    }
    assert_eq!(served.counter("p.rbac.allowed"), 2);
}

#[test]
fn connections_have_no_headers() {
    let yaml = "{stat_prefix: p, rules: {policies: {a: {permissions: [{not_rule: {header: {name: \
                x}}}], principals: [{any: true}]}}}}";
    let error = parse(&Rbac, yaml).err().unwrap();
    assert!(
        error.contains("Found header(x) rule,not supported by RBAC network filter"),
        "{error}"
    );
}
