//! The static clusters and listeners of a bootstrap, still encoded: decoded they take thirty times
//! as much, so that each is decoded by itself, when it is converted.

use crate::bootstrap_loader;
use crate::cluster_manager::ClusterSource;
use crate::listener_manager::{ListenerManager, Origin};
use bytes::Bytes;
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_config::bootstrap::Bootstrap;
use nuncio_config::dns_resolver::DefaultResolver;
use nuncio_config::internal_listener::InternalBufferLimit;
use nuncio_config::secret::SecretManager;
use nuncio_extension::{InitTargets, ParseCx, ServerEnv};
use nuncio_proto::envoy::config::cluster::v3::Cluster;
use nuncio_proto::envoy::config::listener::v3::Listener;
use nuncio_proto::wire::{self, Malformed, Value};
use nuncio_proto::{Loaded, Packed};
use nuncio_upstream::discovery::ClusterConfig;
use std::collections::HashSet;
use std::rc::Rc;

/// `envoy.config.bootstrap.v3.Bootstrap.static_resources`, and two of its fields.
const STATIC_RESOURCES: u32 = 2;
const LISTENERS: u32 = 1;
const CLUSTERS: u32 = 2;

/// A bootstrap without its clusters and listeners, and these.
#[derive(Debug, Default)]
pub struct StaticResources<'a> {
    /// The encoded bootstrap without them.
    pub rest: Vec<u8>,
    /// Each an encoded `envoy.config.cluster.v3.Cluster`.
    pub clusters: Vec<&'a [u8]>,
    /// Each an encoded `envoy.config.listener.v3.Listener`.
    pub listeners: Vec<&'a [u8]>,
}

impl<'a> StaticResources<'a> {
    /// Takes an encoded bootstrap apart.
    ///
    /// # Errors
    /// Where it is none.
    pub fn of(bootstrap: &'a [u8]) -> Result<Self, Malformed> {
        let mut split = Self::default();
        for field in wire::fields(bootstrap) {
            match field? {
                (STATIC_RESOURCES, Value::Bytes(resources)) => split.take(resources)?,
                (number, value) => wire::put(&mut split.rest, number, value),
            }
        }
        Ok(split)
    }

    /// The same clusters and listeners in a bootstrap whose rest is another.
    pub fn with_rest(&self, rest: &[u8]) -> Vec<u8> {
        let (mut whole, mut others) = (Vec::new(), Vec::new());
        for field in wire::fields(rest).map_while(Result::ok) {
            match field {
                (STATIC_RESOURCES, Value::Bytes(resources)) => others.extend_from_slice(resources),
                (number, value) => wire::put(&mut whole, number, value),
            }
        }
        let start = wire::begin(&mut whole, STATIC_RESOURCES);
        whole.append(&mut others);
        for (number, all) in [(LISTENERS, &self.listeners), (CLUSTERS, &self.clusters)] {
            for bytes in all {
                wire::put(&mut whole, number, Value::Bytes(bytes));
            }
        }
        wire::end(&mut whole, start);
        whole
    }

    /// The names of the clusters that control planes may be behind.
    pub fn primary_clusters(&self) -> HashSet<String> {
        let clusters = self.clusters.iter();
        clusters
            .filter_map(|bytes| primary_cluster(bytes))
            .collect()
    }

    fn take(&mut self, resources: &'a [u8]) -> Result<(), Malformed> {
        let start = wire::begin(&mut self.rest, STATIC_RESOURCES);
        for field in wire::fields(resources) {
            match field? {
                (LISTENERS, Value::Bytes(listener)) => self.listeners.push(listener),
                (CLUSTERS, Value::Bytes(cluster)) => self.clusters.push(cluster),
                (number, value) => wire::put(&mut self.rest, number, value),
            }
        }
        wire::end(&mut self.rest, start);
        Ok(())
    }
}

/// The name of an encoded cluster, unless its hosts come from a control plane.
fn primary_cluster(bytes: &[u8]) -> Option<String> {
    /// `Cluster`: its name, its type, the type that is EDS, and where EDS is from.
    const NAME: u32 = 1;
    const TYPE: u32 = 2;
    const EDS: u64 = 3;
    const EDS_CLUSTER_CONFIG: u32 = 3;
    /// `Cluster.EdsClusterConfig.eds_config`, and the kinds of it that are files.
    const EDS_CONFIG: u32 = 1;
    const PATHS: [u32; 2] = [1, 8];
    let (mut name, mut is_eds, mut is_file) = (&[][..], false, false);
    for field in wire::fields(bytes).map_while(Result::ok) {
        match field {
            (NAME, Value::Bytes(bytes)) => name = bytes,
            (TYPE, value) => is_eds = value.varint() == Some(EDS),
            (EDS_CLUSTER_CONFIG, Value::Bytes(config)) => {
                let fields = wire::fields(config).map_while(Result::ok);
                let sources = fields
                    .filter_map(|(number, value)| value.bytes().filter(|_| number == EDS_CONFIG));
                is_file = sources
                    .flat_map(|source| wire::fields(source).map_while(Result::ok))
                    .any(|(number, _)| PATHS.contains(&number));
            }
            _ => {}
        }
    }
    let name = String::from_utf8(name.to_vec()).ok()?;
    (!is_eds || is_file).then_some(name)
}

/// Static clusters: each with what the admin shows of it, and what it needs besides its hosts.
pub type Clusters = Vec<(ClusterConfig, ClusterSource, InitTargets)>;

/// Converts the static resources, of which `bootstrap` holds the bytes: clusters are given back,
/// listeners are noted by their manager.
///
/// # Errors
/// All errors of them, with their places.
pub fn convert(
    (loaded, bootstrap): (&Loaded, &Bytes),
    env: &Rc<ServerEnv>,
    manager: &Rc<ListenerManager>,
    parsed: &Bootstrap,
) -> Result<Clusters, String> {
    let mut cx = ParseCx::new(Rc::clone(env));
    let now = nuncio_base::time::wall();
    let encoded = StaticResources::of(bootstrap).map_err(|error| error.to_string())?;
    env.set_primary_clusters(encoded.primary_clusters());
    let mut names = HashSet::new();
    let resolver = env.shared(DefaultResolver::default);
    *resolver.0.borrow_mut() = parsed.dns_resolver.clone();
    let internal = env.shared(InternalBufferLimit::default);
    internal.0.set(parsed.internal_buffer_limit);
    let secrets = SecretManager::of(env);
    let (clusters, listeners) = cx.field("static_resources", |cx| {
        // What is wrong is recorded.
        let _ = secrets.add_static(cx, &parsed.secrets);
        let clusters = cx.list("clusters", encoded.clusters, |cx, bytes| {
            let proto: Cluster = cx.decode(bytes)?;
            if !names.insert(proto.name.clone()) {
                let name = &proto.name;
                return Err(cx.error(format!("cluster manager: duplicate cluster '{name}'")));
            }
            env.set_cluster(&proto.name, true);
            let source = ClusterSource {
                config: Packed::new::<Cluster>(bootstrap.slice_ref(bytes)),
                version_info: None,
                last_updated: now,
            };
            let config = nuncio_config::cluster::cluster(cx, proto)?;
            Ok((config, source, cx.take_init_targets()))
        });
        let listeners = cx.list("listeners", encoded.listeners, |cx, bytes| {
            let proto = cx.decode(bytes)?;
            let packed = Packed::new::<Listener>(bootstrap.slice_ref(bytes));
            manager.add_packed(cx, proto, packed, Origin::Static)
        });
        (clusters, listeners)
    });
    let local = &env.node.local_cluster;
    if !local.is_empty() && !names.contains(&**local) {
        cx.field("cluster_manager", |cx| {
            let message = format!("local cluster '{local}' must be defined");
            cx.error_at("local_cluster_name", message)
        });
    }
    let clean = cx.is_clean();
    match (clusters, listeners) {
        (Ok(clusters), Ok(_)) if clean => {
            let (_, warnings) = cx.finish();
            for (path, warning) in warnings {
                log!(logger::CONFIG, Level::Warning, "{path}: {warning}");
            }
            Ok(clusters)
        }
        _ => Err(bootstrap_loader::failure(loaded, cx)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_proto::Message;
    use nuncio_proto::envoy::config::bootstrap::v3::{Bootstrap, bootstrap};
    use nuncio_proto::envoy::config::core::v3::Node;
    use nuncio_proto::envoy::config::listener::v3::Listener;

    #[test]
    fn a_bootstrap_comes_apart() {
        let cluster = |name: &str| Cluster {
            name: name.to_owned(),
            ..Cluster::default()
        };
        let listener = Listener {
            name: "l".to_owned(),
            ..Listener::default()
        };
        let resources = bootstrap::StaticResources {
            clusters: vec![cluster("a"), cluster("b")],
            listeners: vec![listener.clone()],
            secrets: vec![Default::default()],
        };
        let mut whole = Bootstrap {
            node: Some(Node {
                id: "n".repeat(300),
                ..Node::default()
            }),
            static_resources: Some(resources),
            enable_dispatcher_stats: true,
            ..Bootstrap::default()
        };
        let mut bytes = whole.encode_to_vec();
        // As when another config was merged over it.
        bytes.extend(whole.encode_to_vec());
        let split = StaticResources::of(&bytes).unwrap();
        let names = |cluster: &&[u8]| Cluster::decode(*cluster).unwrap().name;
        let names: Vec<_> = split.clusters.iter().map(names).collect();
        assert_eq!(names, ["a", "b", "a", "b"]);
        assert_eq!(split.listeners.len(), 2);
        assert_eq!(Listener::decode(split.listeners[1]).unwrap(), listener);
        whole.static_resources = Some(bootstrap::StaticResources {
            secrets: vec![Default::default(); 2],
            ..Default::default()
        });
        assert_eq!(Bootstrap::decode(&*split.rest).unwrap(), whole);
        assert!(StaticResources::of(&bytes[..bytes.len() - 1]).is_err());
    }
}
