//! Which hosts requests name, attempt by attempt.

use super::{Names, OverrideHosts};
use crate::load_balancing_policies::round_robin::RoundRobin;
use nuncio_base::address::Address;
use nuncio_base::metadata::Metadata;
use nuncio_base::metadata::MetadataKey;
use nuncio_base::{HeaderMap, HeaderName};
use nuncio_stats::Store;
use nuncio_stream_info::{ConnectionInfo, StreamInfo, Timings};
use nuncio_upstream::host_set::Provisioning;
use nuncio_upstream::lb::LbCx;
use nuncio_upstream::stats::ClusterLbStats;
use nuncio_upstream::{Choice, Host, HostSet, HostSpec, LbRequest, LbSpec, PrioritySet};
use nuncio_worker::run_main;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

struct Asks {
    headers: HeaderMap,
    info: StreamInfo,
    noted: RefCell<Vec<String>>,
}

impl LbRequest for Asks {
    fn headers(&self) -> Option<&HeaderMap> {
        Some(&self.headers)
    }

    fn stream_info(&self) -> Option<&StreamInfo> {
        Some(&self.info)
    }

    fn note(&self, key: &MetadataKey, text: String) {
        assert_eq!(key.filter, "selected");
        self.noted.borrow_mut().push(text);
    }
}

fn key(filter: &str) -> MetadataKey {
    MetadataKey {
        filter: filter.into(),
        path: vec!["a".into(), "b".into()],
    }
}

#[test]
fn each_attempt_takes_the_next_named_host() {
    let set = |priority, ports: &[u16]| {
        let host = |port: &u16| {
            let address = Address::Ip(([127, 0, 0, 1], *port).into());
            Host::new(HostSpec::new(address))
        };
        let hosts = ports.iter().map(host).collect();
        let weights = BTreeMap::new();
        Arc::new(HostSet::new(
            priority,
            hosts,
            &weights,
            Provisioning::default(),
        ))
    };
    let hosts = PrioritySet::new(vec![set(0, &[1]), set(1, &[2, 3])], 50);
    let spec = OverrideHosts {
        names: vec![
            Names::Header(HeaderName::new("x-to")),
            Names::Metadata(key("wanted")),
        ],
        selected: Some(key("selected")),
        fallback: Arc::new(RoundRobin::default()),
    };
    for (header, metadata, expected) in [
        ("127.0.0.1:2", "", [2, 1, 1]),
        ("127.0.0.1:9, 127.0.0.1:3 ,,127.0.0.1:2", "", [3, 2, 1]),
        ("x", "127.0.0.1:3", [3, 1, 1]),
        ("127.0.0.1:2", "127.0.0.1:3", [2, 3, 1]),
        ("", "", [1, 1, 1]),
    ] {
        let (ports, noted) = run_main(async |worker| {
            let stats = Store::default().root().group::<ClusterLbStats>().local();
            let mut balancer = spec.localize(&worker);
            let (now, wall) = (worker.now(), worker.wall());
            let address = Address::Pipe("/x".into());
            let connection = ConnectionInfo::new(0, address.clone(), address, (now, wall));
            let info = StreamInfo::new(Rc::new(connection), Timings::new(wall, now));
            let mut asks = Asks {
                headers: HeaderMap::from_iter([("x-to", header)]),
                info,
                noted: RefCell::default(),
            };
            let mut wanted = Metadata::default();
            key("wanted").set_text(&mut wanted, metadata);
            asks.info.metadata = wanted;
            let ports = [1, 2, 3].map(|attempt| {
                asks.info.attempt_count = attempt;
                let choice = worker.with_random(|random| {
                    let (stats, active_requests) = (&stats, &|| 0);
                    balancer.choose(
                        &hosts,
                        &asks,
                        &mut LbCx {
                            random,
                            stats,
                            active_requests,
                        },
                    )
                });
                match choice {
                    Choice::Host(host) => host.address().ip().unwrap().port(),
                    _ => 0,
                }
            });
            (ports, asks.noted.take())
        })
        .unwrap();
        assert_eq!(ports, expected, "{header} {metadata}");
        let all = expected.map(|port| format!("127.0.0.1:{port}"));
        assert_eq!(noted, all, "{header} {metadata}");
    }
}
