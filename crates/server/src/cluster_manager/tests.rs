//! Clusters come, change, warm and go, and workers see it.

use super::*;
use nuncio_base::address::Address;
use nuncio_proto::Packed;
use nuncio_proto::envoy::config::cluster::v3::Cluster;
use nuncio_stats::Store;
use nuncio_upstream::Host;
use nuncio_upstream::discovery::Discovery;
use nuncio_upstream::discovery::{Endpoint, LoadAssignment, StaticHosts};
use nuncio_upstream::host::HostSpec;
use nuncio_upstream::lb::{LbSpec, LoadBalancer};
use nuncio_upstream::{ClusterManager as Local, ClusterSpec};
use nuncio_worker::{WorkerThread, run_main};
use std::time::SystemTime;

#[derive(Debug)]
struct NoLb;
impl LbSpec for NoLb {
    fn name(&self) -> &'static str {
        "test.none"
    }
    fn localize(&self, _worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        unreachable!("nobody chooses here")
    }
}

/// A discovery that becomes ready when a test says so.
struct Later;
impl Discovery for Later {
    fn name(&self) -> &'static str {
        "LATER"
    }
    fn start(&self, _members: &Rc<Members>) {}
}

fn hosts(paths: &[&str]) -> Arc<dyn Discovery> {
    let endpoint = |path: &&str| Endpoint {
        host: HostSpec::new(Address::Pipe((*path).into())),
        name: None,
    };
    Arc::new(StaticHosts {
        assignment: LoadAssignment {
            endpoints: paths.iter().map(endpoint).collect(),
            ..LoadAssignment::default()
        },
    })
}

fn config(name: &str, discovery: Arc<dyn Discovery>) -> ClusterConfig {
    ClusterConfig {
        spec: ClusterSpec::new(name, Arc::new(NoLb)),
        discovery,
    }
}

fn source(version: &str) -> ClusterSource {
    ClusterSource {
        config: Packed::new::<Cluster>(version.as_bytes().to_vec()),
        version_info: Some(version.into()),
        last_updated: SystemTime::UNIX_EPOCH,
    }
}

/// What a worker knows of cluster `name`: its hosts' addresses.
async fn seen(worker: &WorkerHandle, name: &'static str) -> Option<Vec<String>> {
    let seen = worker.ask(move |worker| {
        let hosts = Local::of(worker).hosts(name)?;
        Some(
            hosts
                .hosts()
                .map(|host| host.address().to_string())
                .collect(),
        )
    });
    seen.await.unwrap()
}

#[test]
fn clusters_come_change_and_go() {
    let threads: Vec<_> = (0..2).map(|at| WorkerThread::start(at).unwrap()).collect();
    let handles: Vec<_> = threads
        .iter()
        .map(|thread| thread.handle().clone())
        .collect();
    run_main(|worker| async move {
        let store = Store::default();
        let manager = ClusterManager::new(&worker, handles.clone(), &store.root());
        let everyone: Vec<_> = handles.iter().chain([worker.handle()]).cloned().collect();
        manager.set(config("c", hosts(&["/1"])), source("1"), Default::default());
        manager.set(
            config("c", hosts(&["/other"])),
            source("1"),
            Default::default(),
        );
        for worker in &everyone {
            assert_eq!(seen(worker, "c").await, Some(vec!["/1".to_owned()]));
        }
        // A change is not seen before it has warmed.
        manager.set(
            config("c", Arc::new(Later)),
            source("2"),
            Default::default(),
        );
        assert_eq!(
            store.gauge_value("cluster_manager.warming_clusters"),
            Some(1)
        );
        let warming = manager.warming().remove(0);
        assert_eq!(seen(&everyone[0], "c").await, Some(vec!["/1".to_owned()]));
        warming.members().ready();
        manager.warmed().await;
        for worker in &everyone {
            assert_eq!(seen(worker, "c").await, Some(Vec::new()));
        }
        let host = Host::new(HostSpec::new(Address::Pipe("/2".into())));
        warming.members().set(BTreeMap::from([(0, vec![host])]));
        assert_eq!(seen(&everyone[1], "c").await, Some(vec!["/2".to_owned()]));
        assert_eq!(store.gauge_value("cluster.c.membership_total"), Some(1));
        assert!(manager.remove("c") && !manager.remove("c"));
        // What a removed cluster still finds is nobody's business.
        warming.members().refresh();
        for worker in &everyone {
            assert_eq!(seen(worker, "c").await, None);
        }
        for (name, value) in [
            ("added", 1),
            ("modified", 1),
            ("removed", 1),
            ("updated", 1),
        ] {
            let name = format!("cluster_manager.cluster_{name}");
            assert_eq!(store.counter_value(&name), Some(value), "{name}");
        }
        let name = "thread_local_cluster_manager.worker_1.clusters_inflated";
        assert_eq!(store.gauge_value(name), Some(0));
    })
    .unwrap();
}

#[test]
fn a_replacement_that_is_replaced_never_becomes_active() {
    run_main(|worker| async move {
        let manager = ClusterManager::new(&worker, Vec::new(), &Store::default().root());
        manager.set(
            config("c", Arc::new(Later)),
            source("1"),
            Default::default(),
        );
        let first = manager.warming().remove(0);
        manager.set(config("c", hosts(&["/2"])), source("2"), Default::default());
        first.members().ready();
        let active = manager.active();
        assert_eq!(active.len(), 1);
        assert_eq!(active[0].source().version_info.as_deref(), Some("2"));
        assert!(manager.warming().is_empty());
    })
    .unwrap();
}
