//! SRDS: scopes from a control plane or a file (`ScopedRoutes.scoped_rds`), whose route tables
//! stand beside them or come over RDS.
//!
//! Connection managers that ask for the same scopes share their provider, which lives on main for
//! as long as any of them has its routes.

use crate::config_source::config_source;
use crate::eds::refusal;
use crate::rds::keep;
use crate::srds_entry::{ScopeEntry, ScopeTable, scope_entry};
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_base::time::{millis, since_epoch, wall};
use nuncio_extension::{ParseCx, Parsed, ServerEnv};
use nuncio_http::route_source::{ScopedRoutes, Scopes};
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::envoy::config::route::v3::ScopedRouteConfiguration;
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3 as proto;
use nuncio_proto::google::protobuf::Any as ProtoAny;
use nuncio_route::scopes::ScopeKeyBuilder;
use nuncio_stats::{Scope, SharedCounter, SharedGauge};
use nuncio_worker::Published;
use nuncio_xds::{
    ConfigSource, InitialFetch, Rejection, ResourceType, SubscriptionCallbacks,
    SubscriptionRequest, Subscriptions, Update, UpdateFailure,
};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::SystemTime;

/// The scopes that a connection manager of this `stat_prefix` has over SRDS, under this `name`.
///
/// # Errors
/// Recorded in `cx`.
pub fn srds(
    cx: &mut ParseCx,
    proto: &proto::ScopedRds,
    rds: Option<&core::ConfigSource>,
    (name, stat_prefix): (&str, &str),
    builder: Parsed<Arc<ScopeKeyBuilder>>,
) -> Parsed<ScopedRoutes> {
    let rds = cx.optional("rds_config_source", rds, |cx, source| {
        config_source(cx, source, ResourceType::Route)
    })?;
    let source = cx.field("scoped_rds", |cx| {
        let locator = !proto.srds_resources_locator.is_empty();
        cx.refuse("srds_resources_locator", locator)?;
        let source = proto.scoped_rds_config_source.as_ref();
        cx.required("scoped_rds_config_source", source, |cx, source| {
            config_source(cx, source, ResourceType::ScopedRoute)
        })
    })?;
    let asked = Asked {
        source,
        rds,
        name: name.to_owned(),
        stat_prefix: stat_prefix.to_owned(),
    };
    let provider = shared_provider(cx, asked)?;
    cx.add_init_target(provider.fetch.target());
    Ok(ScopedRoutes {
        builder: builder?,
        scopes: provider.published.clone(),
        provider: keep(cx.env(), provider),
    })
}

/// Which scopes: who asks for the same ones shares them.
#[derive(PartialEq)]
struct Asked {
    source: ConfigSource,
    rds: Option<ConfigSource>,
    name: String,
    stat_prefix: String,
}

/// Scopes that were delivered, for `config_dump`.
#[derive(Clone, Debug)]
pub struct DeliveredScopes {
    /// The name that the connection manager has for them.
    pub name: String,
    /// Each a `ScopedRouteConfiguration`, by name.
    pub scopes: Vec<ProtoAny>,
    /// The version of the last update that changed anything.
    pub version: String,
    /// When something came last, if only the same again.
    pub last_updated: SystemTime,
}

#[derive(Default)]
struct Providers(RefCell<Vec<Weak<ScopesProvider>>>);

/// The scopes that were delivered.
pub fn delivered(env: &ServerEnv) -> Vec<DeliveredScopes> {
    let providers = env.shared(Providers::default);
    let providers = providers.0.borrow();
    let live = providers.iter().filter_map(Weak::upgrade);
    live.filter_map(|provider| provider.delivered()).collect()
}

fn shared_provider(cx: &mut ParseCx, asked: Asked) -> Parsed<Rc<ScopesProvider>> {
    let providers = cx.env().shared(Providers::default);
    let mut providers = providers.0.borrow_mut();
    providers.retain(|known| known.strong_count() > 0);
    let known = providers.iter().filter_map(Weak::upgrade);
    if let Some(known) = known.into_iter().find(|known| known.asked == asked) {
        return Ok(known);
    }
    let made = ScopesProvider::new(cx.env(), asked).map_err(|error| cx.error(error))?;
    providers.push(Rc::downgrade(&made));
    Ok(made)
}

struct ScopeStats {
    active_scopes: SharedGauge,
    all_scopes: SharedGauge,
    config_reload: SharedCounter,
    config_reload_time_ms: SharedGauge,
    on_demand_scopes: SharedGauge,
    /// What Envoy has and never counts.
    _update_empty: SharedCounter,
}

impl ScopeStats {
    fn new(scope: &Scope) -> Self {
        let gauge = |name| {
            let gauge = scope.gauge(name);
            gauge.set(0);
            gauge
        };
        Self {
            active_scopes: gauge("active_scopes"),
            all_scopes: gauge("all_scopes"),
            config_reload: scope.counter("config_reload"),
            config_reload_time_ms: gauge("config_reload_time_ms"),
            on_demand_scopes: gauge("on_demand_scopes"),
            _update_empty: scope.counter("update_empty"),
        }
    }
}

type Entries = BTreeMap<String, Rc<ScopeEntry>>;

/// The version, and when something came.
#[derive(Clone)]
struct Delivery {
    version: String,
    last_updated: SystemTime,
}

struct ScopesProvider {
    asked: Asked,
    env: Weak<ServerEnv>,
    published: Published<Scopes>,
    entries: RefCell<Entries>,
    delivery: RefCell<Option<Delivery>>,
    stats: ScopeStats,
    fetch: InitialFetch,
}

impl ScopesProvider {
    fn new(env: &Rc<ServerEnv>, asked: Asked) -> Result<Rc<Self>, String> {
        let scope = env
            .store
            .scope(&format!("http.{}.scoped_rds", asked.stat_prefix));
        let scope = scope.scope(&asked.name);
        let fetch = InitialFetch::new(format!("ScopedRdsConfigSubscription {}", asked.name));
        let provider = Rc::new(Self {
            asked,
            env: Rc::downgrade(env),
            published: Published::new(Arc::default(), env.workers.clone()),
            entries: RefCell::default(),
            delivery: RefCell::default(),
            stats: ScopeStats::new(&scope),
            fetch,
        });
        let callbacks: Rc<dyn SubscriptionCallbacks> = provider.clone();
        let request = SubscriptionRequest {
            source: &provider.asked.source,
            kind: ResourceType::ScopedRoute,
            name: None,
            scope: &scope,
        };
        let subscriptions = Subscriptions::of(env);
        let subscription = subscriptions.subscribe(&request, Rc::downgrade(&callbacks))?;
        provider.fetch.hold(subscription);
        Ok(provider)
    }

    fn delivered(&self) -> Option<DeliveredScopes> {
        let Delivery {
            version,
            last_updated,
        } = self.delivery.borrow().clone()?;
        let entries = self.entries.borrow();
        Some(DeliveredScopes {
            name: self.asked.name.clone(),
            scopes: entries.values().map(|entry| entry.config.clone()).collect(),
            version,
            last_updated,
        })
    }

    /// The scopes as they would be with an update.
    fn updated(&self, cx: &mut ParseCx, update: &Update<'_>) -> Result<Entries, String> {
        let known = self.entries.borrow();
        let mut entries = match update.removed {
            None => Entries::new(),
            Some(removed) => {
                let mut kept = known.clone();
                removed.iter().for_each(|name| drop(kept.remove(name)));
                kept
            }
        };
        let rds = (self.asked.rds.as_ref(), &*self.asked.stat_prefix);
        let mut names = HashSet::new();
        for resource in update.resources {
            let name = &resource.name;
            if !names.insert(name) {
                return Err(rejected(format!(
                    "duplicate scoped route configuration '{name}' found"
                )));
            }
            let same = known
                .get(name)
                .filter(|entry| entry.config == resource.body);
            let entry = match same {
                Some(entry) => Rc::clone(entry),
                None => Rc::new(scope_entry(cx, resource, rds)?),
            };
            entries.insert(name.clone(), entry);
        }
        let mut keys = HashMap::new();
        for (name, entry) in &entries {
            if let Some(first) = keys.insert(&entry.key, name) {
                return Err(rejected(format!(
                    "scope key conflict found, first scope is '{first}', second scope is '{name}'"
                )));
            }
        }
        Ok(entries)
    }

    fn publish(&self, entries: Entries) {
        let count = |wanted: &dyn Fn(&ScopeTable) -> bool| {
            let found = entries.values().filter(|entry| wanted(&entry.table));
            found.count() as u64
        };
        let is_rds = |table: &ScopeTable| matches!(table, ScopeTable::Rds(_));
        let is_on_demand = |table: &ScopeTable| matches!(table, ScopeTable::OnDemand);
        self.stats.all_scopes.set(entries.len() as u64);
        self.stats.active_scopes.set(count(&is_rds));
        self.stats.on_demand_scopes.set(count(&is_on_demand));
        let tables = entries.values().filter_map(|entry| {
            let table = entry.table.table()?;
            Some((entry.key.clone(), table.clone()))
        });
        self.published.publish(Arc::new(Scopes(tables.collect())));
        *self.entries.borrow_mut() = entries;
        self.stats.config_reload.inc();
        let now = millis(since_epoch(wall()));
        self.stats.config_reload_time_ms.set(now);
    }

    fn is_same(&self, entries: &Entries) -> bool {
        let known = self.entries.borrow();
        known.len() == entries.len()
            && known.iter().all(|(name, entry)| {
                entries
                    .get(name)
                    .is_some_and(|other| Rc::ptr_eq(entry, other))
            })
    }

    fn note(&self, version: Option<&str>) {
        let mut delivery = self.delivery.borrow_mut();
        let delivery = delivery.get_or_insert_with(|| Delivery {
            version: String::new(),
            last_updated: SystemTime::UNIX_EPOCH,
        });
        delivery.last_updated = wall();
        if let Some(version) = version {
            version.clone_into(&mut delivery.version);
        }
    }
}

fn rejected(reason: String) -> String {
    format!("Error adding/updating scoped route(s): {reason}")
}

impl SubscriptionCallbacks for ScopesProvider {
    fn on_update(&self, update: &Update<'_>) -> Result<(), Rejection> {
        let Some(env) = self.env.upgrade() else {
            return Ok(());
        };
        let mut cx = ParseCx::new(Rc::clone(&env));
        let entries = match self.updated(&mut cx, update) {
            Ok(entries) => entries,
            Err(reason) => {
                self.note(None);
                let reason = match cx.is_clean() {
                    true => reason,
                    false => refusal::<ScopedRouteConfiguration>(cx),
                };
                let name = &self.asked.name;
                log!(
                    logger::CONFIG,
                    Level::Warning,
                    "srds: scoped route config '{name}' rejected: {reason}"
                );
                return Err(reason.into());
            }
        };
        let changed = !self.is_same(&entries);
        self.note(changed.then_some(update.version));
        if changed {
            self.publish(entries);
        }
        self.fetch.ready_after(&env, cx.take_init_targets());
        Ok(())
    }

    fn on_failure(&self, _: &UpdateFailure) {
        self.fetch.ready();
    }
}
