//! `envoy.config.core.v3.Node`: who this proxy is, as the bootstrap and the command line say.

use nuncio_base::options::Options;
use nuncio_base::version::ENVOY_VERSION;
use nuncio_extension::ServerEnv;
use nuncio_extension::server_env::NodeInfo;
use nuncio_proto::envoy::config::core::v3::node::UserAgentVersionType;
use nuncio_proto::envoy::config::core::v3::{BuildVersion, Node};
use nuncio_proto::envoy::r#type::v3::SemanticVersion;
use nuncio_upstream::Locality;
use nuncio_xds::Subscriptions;
use std::rc::Rc;
use std::sync::Arc;

/// What control planes are told: the configured node, what the command line says instead of it, and
/// the version of Envoy whose resources are understood.
pub fn node(configured: Option<Node>, options: &Options) -> Node {
    let mut node = configured.unwrap_or_default();
    overrule(&mut node.id, &options.service_node);
    overrule(&mut node.cluster, &options.service_cluster);
    if !options.service_zone.is_empty() {
        overrule(
            &mut node.locality.get_or_insert_default().zone,
            &options.service_zone,
        );
    }
    node.user_agent_name = "envoy".to_owned();
    let mut numbers = ENVOY_VERSION.split('.').map(|number| number.parse());
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
    node.user_agent_version_type =
        Some(UserAgentVersionType::UserAgentBuildVersion(BuildVersion {
            version: Some(SemanticVersion {
                major_number: next(),
                minor_number: next(),
                patch: next(),
            }),
            metadata: None,
        }));
    let features = ["envoy.config.require-any-fields-contain-struct"];
    let features = features.map(str::to_owned);
    node.client_features.extend(features);
    node
}

/// The node as control planes are told it.
pub fn of(env: &Rc<ServerEnv>) -> Node {
    Subscriptions::of(env).node()
}

/// What the rest of the configuration needs of it.
pub fn info(node: &Node, local_cluster: &str) -> NodeInfo {
    let locality = node.locality.as_ref();
    NodeInfo {
        id: node.id.clone(),
        cluster: node.cluster.clone(),
        zone: locality.map_or_else(String::new, |locality| locality.zone.clone()),
        locality: locality.map(|locality| {
            Arc::new(Locality {
                region: locality.region.clone(),
                zone: locality.zone.clone(),
                sub_zone: locality.sub_zone.clone(),
            })
        }),
        local_cluster: local_cluster.into(),
    }
}

fn overrule(text: &mut String, given: &str) {
    if !given.is_empty() {
        given.clone_into(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_proto::envoy::config::core::v3::Locality;

    #[test]
    fn the_command_line_overrules_the_file() {
        let configured = Node {
            id: "id".into(),
            cluster: "cluster".into(),
            locality: Some(Locality {
                region: "region".into(),
                zone: "zone".into(),
                ..Locality::default()
            }),
            ..Node::default()
        };
        let found = |options: &Options| {
            let node = info(&node(Some(configured.clone()), options), "");
            let locality = node.locality.map(|it| (it.region.clone(), it.zone.clone()));
            let (region, zone) = locality.unwrap_or_default();
            [node.id, node.cluster, region, zone]
        };
        assert_eq!(
            found(&Options::default()),
            ["id", "cluster", "region", "zone"]
        );
        let options = Options {
            service_node: "a".into(),
            service_cluster: "b".into(),
            service_zone: "c".into(),
            ..Options::default()
        };
        assert_eq!(found(&options), ["a", "b", "region", "c"]);
    }
}
