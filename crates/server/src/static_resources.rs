//! The static clusters and listeners of a bootstrap, still encoded: decoded they take thirty times
//! as much, so that each is decoded by itself, when it is converted.

use nuncio_proto::wire::{self, Malformed, Value};

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

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_proto::Message;
    use nuncio_proto::envoy::config::bootstrap::v3::{Bootstrap, bootstrap};
    use nuncio_proto::envoy::config::cluster::v3::Cluster;
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
