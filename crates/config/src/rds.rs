//! RDS: route tables from a control plane or a file (`HttpConnectionManager.rds`).
//!
//! Connection managers that ask for one table from one place share its provider, which lives on
//! main for as long as any of them has its routes.

use crate::config_source::config_source;
use crate::eds::refusal;
use crate::route::{check_clusters, route_table};
use crate::vhds::{VirtualHosts, VirtualHostsOwner, vhds_source};
use nuncio_base::time::{millis, since_epoch, wall};
use nuncio_extension::{InitTargets, ParseCx, Parsed, ServerEnv};
use nuncio_http::route_source::{RouteSource, UpdatedTable};
use nuncio_proto::envoy::config::route::v3::RouteConfiguration;
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3 as proto;
use nuncio_proto::google::protobuf::Any as ProtoAny;
use nuncio_proto::{Message, any};
use nuncio_route::{RouteTable, RouteTableConfig};
use nuncio_stats::{Scope, SharedCounter, SharedGauge};
use nuncio_worker::{Published, retire};
use nuncio_xds::{
    ConfigSource, InitialFetch, Lease, Rejection, ResourceType, SubscriptionCallbacks,
    SubscriptionRequest, Subscriptions, Update, UpdateFailure,
};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::SystemTime;

/// The routes that a connection manager has over RDS.
///
/// # Errors
/// Recorded in `cx`.
pub fn rds(cx: &mut ParseCx, proto: &proto::Rds, stat_prefix: &str) -> Parsed<RouteSource> {
    let source = proto.config_source.as_ref();
    let source = cx.required("config_source", source, |cx, source| {
        config_source(cx, source, ResourceType::Route)
    })?;
    let provider = provider(cx, source, &proto.route_config_name, stat_prefix)?;
    Ok(RouteSource::Updated(UpdatedTable {
        table: provider.published.clone(),
        provider: keep(cx.env(), provider),
    }))
}

/// Has main keep a provider for as long as what is given back lives.
pub(crate) fn keep(env: &ServerEnv, provider: Rc<dyn Any>) -> Option<Arc<dyn Any + Send + Sync>> {
    let main = env.main()?;
    Some(Lease::new(main, provider))
}

/// A table that was delivered, for `config_dump`.
#[derive(Clone, Debug)]
pub struct DeliveredRoutes {
    /// The `RouteConfiguration` as it came.
    pub config: ProtoAny,
    /// Its version.
    pub version: String,
    /// When it came.
    pub last_updated: SystemTime,
}

/// What provides tables, by name and place.
#[derive(Default)]
struct Providers {
    by_name: RefCell<BTreeMap<String, Vec<(ConfigSource, Weak<RouteProvider>)>>>,
    /// With how many names those are looked for that are gone: not each time, as a thousand tables
    /// would look a million times.
    sweep_at: Cell<usize>,
}

/// The tables that were delivered, by name.
pub fn delivered(env: &ServerEnv) -> Vec<(String, DeliveredRoutes)> {
    let providers = env.shared(Providers::default);
    let mut all = Vec::new();
    for (name, providers) in &*providers.by_name.borrow() {
        let live = providers.iter().filter_map(|(_, known)| known.upgrade());
        let delivered = live.filter_map(|provider| provider.delivered.borrow().clone());
        all.extend(delivered.map(|table| (name.clone(), table)));
    }
    all
}

/// What provides the table of this name from there; its target is the context's.
pub(crate) fn provider(
    cx: &mut ParseCx,
    source: ConfigSource,
    name: &str,
    stat_prefix: &str,
) -> Parsed<Rc<RouteProvider>> {
    let rds = cx.env().store.scope(&format!("http.{stat_prefix}.rds"));
    let providers = cx.env().shared(Providers::default);
    let known = find(&providers, name, &source);
    let provider = match known {
        Some(provider) => provider,
        None => {
            let made = RouteProvider::new(cx.env(), name, &source, &rds);
            let made = made.map_err(|error| cx.error(error))?;
            providers.add(name, source, &made);
            made
        }
    };
    cx.add_init_target(provider.fetch.target());
    Ok(provider)
}

impl Providers {
    fn add(&self, name: &str, source: ConfigSource, made: &Rc<RouteProvider>) {
        let mut by_name = self.by_name.borrow_mut();
        if by_name.len() >= self.sweep_at.get() {
            by_name.retain(|_, of_name| {
                of_name.retain(|(_, known)| known.strong_count() > 0);
                !of_name.is_empty()
            });
            self.sweep_at.set(2 * by_name.len() + 1);
        }
        let of_name = by_name.entry(name.to_owned()).or_default();
        of_name.retain(|(_, known)| known.strong_count() > 0);
        of_name.push((source, Rc::downgrade(made)));
    }
}

fn find(providers: &Providers, name: &str, source: &ConfigSource) -> Option<Rc<RouteProvider>> {
    let providers = providers.by_name.borrow();
    let mut of_name = providers.get(name)?.iter();
    of_name.find_map(|(known, provider)| provider.upgrade().filter(|_| known == source))
}

struct RouteStats {
    config_reload: SharedCounter,
    config_reload_time_ms: SharedGauge,
    update_empty: SharedCounter,
}

/// Provides a table that is delivered.
pub(crate) struct RouteProvider {
    name: Box<str>,
    env: Weak<ServerEnv>,
    published: Published<RouteTable>,
    stats: RouteStats,
    fetch: InitialFetch,
    /// What came last over RDS itself.
    config: RefCell<Option<ProtoAny>>,
    delivered: RefCell<Option<DeliveredRoutes>>,
    /// Virtual hosts that come by themselves, and where their stats are.
    virtual_hosts: RefCell<Option<Rc<VirtualHosts>>>,
    scope: Scope,
    own: Weak<Self>,
}

impl RouteProvider {
    /// The table, as it is delivered.
    pub(crate) fn table(&self) -> &Published<RouteTable> {
        &self.published
    }

    fn new(
        env: &Rc<ServerEnv>,
        name: &str,
        source: &ConfigSource,
        rds: &Scope,
    ) -> Result<Rc<Self>, String> {
        let scope = &rds.scope(name);
        let empty = RouteTable::new(RouteTableConfig {
            name: name.into(),
            ..RouteTableConfig::default()
        });
        let empty = empty.map_err(|error| error.message().to_owned())?;
        let provider = Rc::new_cyclic(|own| Self {
            name: name.into(),
            env: Rc::downgrade(env),
            published: Published::new(Arc::new(empty), env.workers.clone()),
            stats: RouteStats {
                config_reload: scope.counter("config_reload"),
                config_reload_time_ms: scope.gauge("config_reload_time_ms"),
                update_empty: scope.counter("update_empty"),
            },
            fetch: InitialFetch::new(format!("RdsRouteConfigSubscription RDS init {name}")),
            config: RefCell::default(),
            delivered: RefCell::default(),
            virtual_hosts: RefCell::default(),
            scope: rds.clone(),
            own: Weak::clone(own),
        });
        provider.stats.config_reload_time_ms.set(0);
        let callbacks: Rc<dyn SubscriptionCallbacks> = provider.clone();
        let request = SubscriptionRequest {
            source,
            kind: ResourceType::Route,
            name: Some(name),
            scope,
        };
        let subscriptions = Subscriptions::of(env);
        let subscription = subscriptions.subscribe(&request, Rc::downgrade(&callbacks))?;
        provider.fetch.hold(subscription);
        Ok(provider)
    }

    /// What brings virtual hosts by themselves for a config: what does so already, if it stays.
    fn virtual_hosts_of(
        &self,
        env: &Rc<ServerEnv>,
        proto: &RouteConfiguration,
    ) -> Result<Option<Rc<VirtualHosts>>, String> {
        let Some(vhds) = &proto.vhds else {
            return Ok(None);
        };
        let mut cx = ParseCx::new(Rc::clone(env));
        let Ok(source) = cx.field("vhds", |cx| vhds_source(cx, vhds)) else {
            return Err(refusal::<RouteConfiguration>(cx));
        };
        let known = self.virtual_hosts.borrow();
        if let Some(known) = known.as_ref().filter(|known| known.is_from(&source)) {
            return Ok(Some(Rc::clone(known)));
        }
        let owner: Weak<dyn VirtualHostsOwner> = self.own.clone();
        VirtualHosts::new(env, &self.name, source, &self.scope, owner).map(Some)
    }

    /// Serves a config with the virtual hosts that came by themselves.
    fn apply(
        &self,
        env: &Rc<ServerEnv>,
        mut proto: RouteConfiguration,
        hosts: Option<&VirtualHosts>,
        version: &str,
    ) -> Result<(), String> {
        proto
            .virtual_hosts
            .extend(hosts.map(VirtualHosts::hosts).into_iter().flatten());
        let config = any::pack(&proto);
        proto.vhds = None;
        let table = delivered_table(env, proto)?;
        let old = self.published.publish(Arc::new(table));
        if let Some(main) = env.main() {
            retire(main, old);
        }
        self.stats.config_reload.inc();
        let now = wall();
        let since = millis(since_epoch(now));
        self.stats.config_reload_time_ms.set(since);
        *self.delivered.borrow_mut() = Some(DeliveredRoutes {
            config,
            version: version.to_owned(),
            last_updated: now,
        });
        Ok(())
    }
}

impl SubscriptionCallbacks for RouteProvider {
    fn on_update(&self, update: &Update<'_>) -> Result<(), Rejection> {
        let Some(env) = self.env.upgrade() else {
            return Ok(());
        };
        let [resource] = update.resources else {
            let count = update.resources.len();
            if count > 0 {
                return Err(format!("Unexpected RDS resource length: {count}").into());
            }
            self.stats.update_empty.inc();
            self.fetch.ready();
            return Ok(());
        };
        let name = &*self.name;
        if resource.name != name {
            return Err(format!(
                "Unexpected RDS configuration (expecting {name}): {}",
                resource.name
            )
            .into());
        }
        if self.config.borrow().as_ref() == Some(&resource.body) {
            self.fetch.ready();
            return Ok(());
        }
        let proto = RouteConfiguration::decode(resource.body.value.as_slice());
        let proto = proto.map_err(|error| error.to_string())?;
        let hosts = self.virtual_hosts_of(&env, &proto)?;
        self.apply(&env, proto, hosts.as_deref(), update.version)?;
        *self.config.borrow_mut() = Some(resource.body.clone());
        let mut needed = InitTargets::default();
        hosts.iter().for_each(|hosts| needed.add(hosts.target()));
        let before = self.virtual_hosts.replace(hosts);
        drop(before);
        self.fetch.ready_after(&env, needed);
        Ok(())
    }

    fn on_failure(&self, _: &UpdateFailure) {
        self.fetch.ready();
    }
}

impl VirtualHostsOwner for RouteProvider {
    fn on_virtual_hosts(&self, version: &str) -> Result<(), String> {
        let (Some(env), Some(config)) = (self.env.upgrade(), self.config.borrow().clone()) else {
            return Ok(());
        };
        let proto = RouteConfiguration::decode(config.value.as_slice());
        let proto = proto.map_err(|error| error.to_string())?;
        let hosts = self.virtual_hosts.borrow().clone();
        self.apply(&env, proto, hosts.as_deref(), version)
    }
}

/// Converts a table that was delivered.
fn delivered_table(env: &Rc<ServerEnv>, proto: RouteConfiguration) -> Result<RouteTable, String> {
    let mut cx = ParseCx::new(Rc::clone(env));
    let checks = proto.validate_clusters.is_some_and(|value| value.value);
    let table = route_table(&mut cx, proto);
    if let (true, Ok(table)) = (checks, &table) {
        // What is missing is recorded.
        let _ = check_clusters(&mut cx, table);
    }
    match table {
        Ok(table) if cx.is_clean() => Ok(table),
        _ => Err(refusal::<RouteConfiguration>(cx)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::convert;
    use nuncio_proto::envoy::config::cluster::v3::Cluster;
    use std::time::Duration;

    #[test]
    fn tables_that_went_leave_nothing() {
        let left = convert::<Cluster, _>("name: a", |cx, _| {
            let ads = || ConfigSource::Ads(Duration::ZERO);
            let _stays = [
                provider(cx, ads(), "one", "http")?,
                provider(cx, ads(), "two", "http")?,
            ];
            for _ in 0..10 {
                drop(provider(cx, ads(), "goes", "http")?);
            }
            let providers = cx.env().shared(Providers::default);
            let by_name = providers.by_name.borrow();
            Ok(by_name.values().map(Vec::len).sum::<usize>())
        });
        assert_eq!(left, Ok(3));
    }
}
