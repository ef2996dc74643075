//! Connections within the rate, and one more.

use super::LocalRateLimit;
use crate::testing::{Served, parse, parse_all, parse_in, read_some, serve_chain};
use nuncio_stats::Store;
use std::io::{Read, Write};
use std::sync::Arc;

fn limited(yaml: &str) -> Served {
    let store = Store::default();
    let limit = parse_in(&store, &LocalRateLimit, yaml).unwrap();
    let echo = Arc::new(crate::echo::EchoFactory);
    serve_chain(store, vec![Arc::new(limit), echo], 1 << 20, |_| {})
}

fn is_served(served: &Served) -> bool {
    let mut client = served.connect();
    if client.write_all(b"a").is_err() {
        return false;
    }
    client.read(&mut [0]).unwrap_or(0) == 1
}

#[test]
fn one_too_many_is_closed() {
    let served = limited("{stat_prefix: p, token_bucket: {max_tokens: 2, fill_interval: 600s}}");
    assert!(is_served(&served) && is_served(&served) && !is_served(&served));
    assert_eq!(served.counter("local_rate_limit.p.rate_limited"), 1);
}

#[test]
fn switched_off_it_lets_all_pass() {
    let served = limited(
        "{stat_prefix: p, token_bucket: {max_tokens: 1, fill_interval: 600s}, \
         runtime_enabled: {default_value: false, runtime_key: k}}",
    );
    for _ in 0..3 {
        let mut client = served.connect();
        client.write_all(b"a").unwrap();
        assert_eq!(read_some(&mut client), b"a");
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (yaml, expected) in [
        ("{stat_prefix: p}", "token_bucket"),
        (
            "{stat_prefix: p, token_bucket: {max_tokens: 1, fill_interval: 0.049s}}",
            "local rate limit token bucket fill timer must be >= 50ms",
        ),
    ] {
        let error = parse(&LocalRateLimit, yaml).err().unwrap();
        assert!(error.contains(expected), "{yaml}: {error}");
    }
}

#[test]
fn a_bucket_may_be_shared() {
    let yaml = |max: u32| {
        format!(
            "{{stat_prefix: p, share_key: k, \
             token_bucket: {{max_tokens: {max}, fill_interval: 600s}}}}"
        )
    };
    let both = parse_all(&LocalRateLimit, &[&yaml(1), &yaml(1)]).unwrap();
    assert!(Arc::ptr_eq(&both[0].bucket, &both[1].bucket));
    let error = parse_all(&LocalRateLimit, &[&yaml(1), &yaml(2)]).err();
    assert!(error.unwrap().contains("share_key"));
}
