//! The sections of `/config_dump`: what is configured, static and dynamic, active and warming.

use crate::cluster_manager::Cluster;
use crate::endpoints_dump;
use crate::listener_manager::{ListenerState, ListenerStatus, Origin};
use crate::server::Server;
use nuncio_admin::ConfigSection;
use nuncio_config::route_source::HasRoutes;
use nuncio_config::secret::SecretManager;
use nuncio_proto::Message;
use nuncio_proto::envoy::admin::v3 as proto;
use nuncio_proto::envoy::config::bootstrap::v3::Bootstrap;
use nuncio_proto::google::protobuf::{Any, Timestamp};
use proto::clusters_config_dump::{DynamicCluster, StaticCluster};
use proto::ecds_config_dump::EcdsFilterConfig;
use proto::listeners_config_dump::{DynamicListener, DynamicListenerState, StaticListener};
use proto::routes_config_dump::{DynamicRouteConfig, StaticRouteConfig};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::SystemTime;

type Wanted<'a> = &'a dyn Fn(&str) -> bool;

/// All sections, of what has a wanted name.
pub fn sections(server: &Server, wanted: Wanted<'_>, include_eds: bool) -> Vec<ConfigSection> {
    let mut sections = vec![
        section(&proto::BootstrapConfigDump {
            bootstrap: Some(bootstrap(server)),
            last_updated: Some(timestamp(server.loaded_at)),
        }),
        clusters(server, wanted),
    ];
    let filters = filters(server, wanted);
    if !filters.ecds_filters.is_empty() {
        sections.push(section(&filters));
    }
    if include_eds {
        let active = server.clusters.active();
        sections.push(section(&endpoints_dump::endpoints(&active, wanted)));
    }
    sections.push(listeners(server, wanted));
    if server.env.shared(HasRoutes::default).0.get() {
        sections.push(scoped_routes(server, wanted));
        sections.push(routes(server, wanted));
    }
    sections.push(secrets(server, wanted));
    sections
}

/// The bootstrap as it was loaded, with the node as control planes are told it.
pub fn bootstrap(server: &Server) -> Bootstrap {
    // What was encoded from a bootstrap decodes to one.
    let mut bootstrap = Bootstrap::decode(server.bootstrap.borrow().clone()).unwrap_or_default();
    let node = nuncio_config::node::node(bootstrap.node.take(), &server.options);
    bootstrap.node = Some(node);
    bootstrap
}

fn clusters(server: &Server, wanted: Wanted<'_>) -> ConfigSection {
    let mut dump = proto::ClustersConfigDump::default();
    if let Some(cds) = &server.dynamic.cds {
        dump.version_info = cds.version();
    }
    let is_wanted = |cluster: &Rc<Cluster>| wanted(&cluster.info().spec.name);
    for cluster in server.clusters.active().into_iter().filter(is_wanted) {
        match dynamic_cluster(&cluster) {
            Some(dynamic) => dump.dynamic_active_clusters.push(dynamic),
            None => dump.static_clusters.push(StaticCluster {
                cluster: Some(cluster.source().config.any()),
                last_updated: Some(timestamp(cluster.source().last_updated)),
            }),
        }
    }
    let warming = server.clusters.warming().into_iter().filter(is_wanted);
    let warming = warming.filter_map(|cluster| dynamic_cluster(&cluster));
    dump.dynamic_warming_clusters.extend(warming);
    section(&dump)
}

fn dynamic_cluster(cluster: &Cluster) -> Option<DynamicCluster> {
    let source = cluster.source();
    Some(DynamicCluster {
        version_info: source.version_info.clone()?,
        cluster: Some(source.config.any()),
        last_updated: Some(timestamp(source.last_updated)),
        ..DynamicCluster::default()
    })
}

fn listeners(server: &Server, wanted: Wanted<'_>) -> ConfigSection {
    let mut dump = proto::ListenersConfigDump::default();
    let mut dynamic: BTreeMap<String, DynamicListener> = BTreeMap::new();
    let all = server.listeners.listeners().into_iter();
    for listener in all.filter(|listener| wanted(&listener.name)) {
        match &listener.origin {
            Origin::Static if listener.state != ListenerState::Active => {}
            Origin::Static => dump.static_listeners.push(StaticListener {
                listener: Some(listener.config.any()),
                last_updated: Some(timestamp(listener.last_updated)),
            }),
            Origin::Dynamic { version } => {
                let version = version.clone();
                let entry = dynamic.entry(listener.name.clone()).or_default();
                put_state(entry, version, listener);
            }
        }
    }
    if let Some(lds) = &server.dynamic.lds {
        dump.version_info = lds.version();
        for refused in lds.refused() {
            if !wanted(&refused.name) {
                continue;
            }
            let entry = dynamic.entry(refused.name).or_default();
            entry.error_state = Some(proto::UpdateFailureState {
                failed_configuration: Some(refused.config),
                details: refused.reason,
                last_update_attempt: Some(timestamp(refused.at)),
                ..Default::default()
            });
        }
    }
    let named = dynamic
        .into_iter()
        .map(|(name, entry)| DynamicListener { name, ..entry });
    dump.dynamic_listeners = named.collect();
    section(&dump)
}

fn put_state(entry: &mut DynamicListener, version_info: String, listener: ListenerStatus) {
    let state = match listener.state {
        ListenerState::Active => &mut entry.active_state,
        ListenerState::Warming => &mut entry.warming_state,
        ListenerState::Draining => &mut entry.draining_state,
    };
    *state = Some(DynamicListenerState {
        version_info,
        listener: Some(listener.config.any()),
        last_updated: Some(timestamp(listener.last_updated)),
    });
}

fn secrets(server: &Server, wanted: Wanted<'_>) -> ConfigSection {
    use proto::secrets_config_dump::DynamicSecret;
    let all = SecretManager::of(&server.env).static_secrets().into_iter();
    let static_secrets = all
        .filter(|secret| wanted(&secret.name))
        .map(|secret| proto::secrets_config_dump::StaticSecret {
            name: secret.name.clone(),
            last_updated: None,
            secret: Some(nuncio_proto::any::pack(&secret)),
        })
        .collect();
    let mut dump = proto::SecretsConfigDump {
        static_secrets,
        ..Default::default()
    };
    let providers = SecretManager::of(&server.env).providers().into_iter();
    for provider in providers.filter(|provider| wanted(provider.name())) {
        let name = provider.name().to_owned();
        match provider.delivered() {
            Some(delivered) => dump.dynamic_active_secrets.push(DynamicSecret {
                name,
                version_info: delivered.version,
                last_updated: Some(timestamp(delivered.last_updated)),
                secret: Some(nuncio_proto::any::pack(&delivered.resolved)),
                ..Default::default()
            }),
            None => dump.dynamic_warming_secrets.push(DynamicSecret {
                name,
                version_info: "uninitialized".to_owned(),
                ..Default::default()
            }),
        }
    }
    section(&dump)
}

fn filters(server: &Server, wanted: Wanted<'_>) -> proto::EcdsConfigDump {
    let delivered = nuncio_config::ecds::delivered(&server.env).into_iter();
    let delivered = delivered.filter(|(name, _)| wanted(name));
    let ecds_filters = delivered.map(|(_, filter)| EcdsFilterConfig {
        version_info: filter.version,
        ecds_filter: Some(filter.resource),
        last_updated: Some(timestamp(filter.last_updated)),
        ..Default::default()
    });
    proto::EcdsConfigDump {
        ecds_filters: ecds_filters.collect(),
    }
}

fn scoped_routes(server: &Server, wanted: Wanted<'_>) -> ConfigSection {
    use proto::scoped_routes_config_dump::{DynamicScopedRouteConfigs, InlineScopedRouteConfigs};
    let all = server.env.scoped_routes().into_iter();
    let inline_scoped_route_configs = all
        .filter(|(name, _)| wanted(name))
        .map(|(name, scoped_route_configs)| InlineScopedRouteConfigs {
            name,
            scoped_route_configs,
            last_updated: Some(timestamp(server.loaded_at)),
        })
        .collect();
    let delivered = nuncio_config::srds::delivered(&server.env).into_iter();
    let delivered = delivered.filter(|scopes| wanted(&scopes.name));
    let delivered = delivered.map(|scopes| DynamicScopedRouteConfigs {
        name: scopes.name,
        version_info: scopes.version,
        scoped_route_configs: scopes.scopes,
        last_updated: Some(timestamp(scopes.last_updated)),
        ..Default::default()
    });
    section(&proto::ScopedRoutesConfigDump {
        inline_scoped_route_configs,
        dynamic_scoped_route_configs: delivered.collect(),
    })
}

fn routes(server: &Server, wanted: Wanted<'_>) -> ConfigSection {
    let fixed = server.env.route_configs().into_iter();
    let fixed = fixed.filter(|(name, _)| wanted(name));
    let fixed = fixed.map(|(_, config): (_, Any)| StaticRouteConfig {
        route_config: Some(config),
        last_updated: Some(timestamp(server.loaded_at)),
    });
    let delivered = nuncio_config::rds::delivered(&server.env).into_iter();
    let delivered = delivered.filter(|(name, _)| wanted(name));
    let delivered = delivered.map(|(_, routes)| DynamicRouteConfig {
        version_info: routes.version,
        route_config: Some(routes.config),
        last_updated: Some(timestamp(routes.last_updated)),
        ..Default::default()
    });
    section(&proto::RoutesConfigDump {
        static_route_configs: fixed.collect(),
        dynamic_route_configs: delivered.collect(),
    })
}

trait AdminMessage: Message {
    const NAME: &'static str;
}

macro_rules! admin_messages {
    ($($name:ident),* $(,)?) => {$(
        impl AdminMessage for proto::$name {
            const NAME: &'static str = concat!("envoy.admin.v3.", stringify!($name));
        }
    )*};
}

admin_messages!(
    BootstrapConfigDump,
    ClustersConfigDump,
    EcdsConfigDump,
    EndpointsConfigDump,
    ListenersConfigDump,
    RoutesConfigDump,
    ScopedRoutesConfigDump,
    SecretsConfigDump,
);

fn section<M: AdminMessage>(message: &M) -> ConfigSection {
    ConfigSection {
        message: M::NAME,
        bytes: message.encode_to_vec(),
    }
}

pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    let since = nuncio_base::time::since_epoch(time);
    Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        // Milliseconds are what Envoy shows.
        nanos: i32::try_from(since.subsec_millis()).unwrap_or_default() * 1_000_000,
    }
}
