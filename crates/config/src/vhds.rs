//! VHDS: virtual hosts that come one by one, besides those of their route table
//! (`RouteConfiguration.vhds`).

use crate::config_source::config_source;
use nuncio_extension::{InitTarget, ParseCx, Parsed, ServerEnv};
use nuncio_proto::Message;
use nuncio_proto::envoy::config::route::v3::{Vhds, VirtualHost};
use nuncio_stats::{Scope, SharedCounter};
use nuncio_xds::{
    ConfigSource, InitialFetch, Rejection, ResourceType, SubscriptionCallbacks,
    SubscriptionRequest, Subscriptions, Update, UpdateFailure,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak as RcWeak};
use std::sync::{Arc, Weak};

/// Who wants virtual hosts to be asked for when requests need them, and whether there are tables
/// with hosts that come one by one: together they are refused, as long as hosts come with their
/// tables here. Each counts for as long as somebody has its claim.
#[derive(Default)]
pub struct HostsOnDemand {
    filters: RefCell<Weak<HostsClaim>>,
    tables: RefCell<Weak<HostsClaim>>,
}

/// Held by what is configured.
#[derive(Debug)]
pub struct HostsClaim(());

impl HostsOnDemand {
    /// A filter would ask for hosts, as long as it holds the claim.
    ///
    /// # Errors
    /// Where there are tables of which it would; recorded in `cx`.
    pub fn want(cx: &mut ParseCx) -> Parsed<Arc<HostsClaim>> {
        let known = cx.env().shared(Self::default);
        refuse_beside(&known.tables, cx)?;
        Ok(claim(&known.filters))
    }

    fn refuse_table(cx: &mut ParseCx) -> Parsed<()> {
        let known = cx.env().shared(Self::default);
        refuse_beside(&known.filters, cx)
    }

    fn table(env: &ServerEnv) -> Arc<HostsClaim> {
        claim(&env.shared(Self::default).tables)
    }
}

fn claim(held: &RefCell<Weak<HostsClaim>>) -> Arc<HostsClaim> {
    let mut held = held.borrow_mut();
    held.upgrade().unwrap_or_else(|| {
        let first = Arc::new(HostsClaim(()));
        *held = Arc::downgrade(&first);
        first
    })
}

fn refuse_beside(others: &RefCell<Weak<HostsClaim>>, cx: &mut ParseCx) -> Parsed<()> {
    if others.borrow().strong_count() == 0 {
        return Ok(());
    }
    Err(cx.error(
        "route tables with vhds beside the filter envoy.filters.http.on_demand are not supported \
         by this build",
    ))
}

/// Where virtual hosts come from: from where resources come one by one.
///
/// # Errors
/// Recorded in `cx`.
pub fn vhds_source(cx: &mut ParseCx, proto: &Vhds) -> Parsed<ConfigSource> {
    HostsOnDemand::refuse_table(cx)?;
    let source = proto.config_source.as_ref();
    let source = cx.required("config_source", source, |cx, source| {
        config_source(cx, source, ResourceType::VirtualHost)
    })?;
    let refused = match &source {
        ConfigSource::Api(api, _) if api.delta => return Ok(source),
        ConfigSource::Ads(_) => match Subscriptions::of(cx.env()).ads_is_delta() {
            Some(true) => return Ok(source),
            Some(false) => {
                "vhds: ADS must use DELTA_GRPC api_type when used as VHDS config source."
            }
            None => "vhds: ADS config source specified but no ADS configured in bootstrap.",
        },
        ConfigSource::Api(..) | ConfigSource::Path(_) | ConfigSource::Rest(..) => {
            "vhds: only 'DELTA_GRPC' or 'ADS' (which uses Delta xDS) is supported as a config \
             source."
        }
    };
    Err(cx.error_at("config_source", refused))
}

/// Whose virtual hosts they are.
pub trait VirtualHostsOwner {
    /// Takes the hosts over with everything else, at this version.
    ///
    /// # Errors
    /// Why they are refused; what was there before goes on.
    fn on_virtual_hosts(&self, version: &str) -> Result<(), String>;
}

/// A route table's virtual hosts that come one by one.
pub struct VirtualHosts {
    source: ConfigSource,
    owner: RcWeak<dyn VirtualHostsOwner>,
    hosts: RefCell<BTreeMap<String, VirtualHost>>,
    fetch: InitialFetch,
    config_reload: SharedCounter,
    /// What Envoy has and never counts.
    _update_empty: SharedCounter,
    _claim: Arc<HostsClaim>,
}

impl VirtualHosts {
    /// The hosts of a table of this name, whose stats are below `scope`. Nothing begins before its
    /// target.
    ///
    /// # Errors
    /// As for subscriptions.
    pub fn new(
        env: &Rc<ServerEnv>,
        name: &str,
        source: ConfigSource,
        scope: &Scope,
        owner: RcWeak<dyn VirtualHostsOwner>,
    ) -> Result<Rc<Self>, String> {
        let scope = scope.scope("vhds").scope(name);
        let hosts = Rc::new(Self {
            source,
            owner,
            hosts: RefCell::default(),
            fetch: InitialFetch::new(format!("VhdsConfigSubscription {name}")),
            config_reload: scope.counter("config_reload"),
            _update_empty: scope.counter("update_empty"),
            _claim: HostsOnDemand::table(env),
        });
        let callbacks: Rc<dyn SubscriptionCallbacks> = hosts.clone();
        let request = SubscriptionRequest {
            source: &hosts.source,
            kind: ResourceType::VirtualHost,
            name: Some(name),
            scope: &scope,
        };
        let subscriptions = Subscriptions::of(env);
        let subscription = subscriptions.subscribe(&request, Rc::downgrade(&callbacks))?;
        hosts.fetch.hold(subscription);
        Ok(hosts)
    }

    /// Whether they come from there.
    pub fn is_from(&self, source: &ConfigSource) -> bool {
        self.source == *source
    }

    /// What is ready with the first update.
    pub fn target(&self) -> &Rc<InitTarget> {
        self.fetch.target()
    }

    /// The hosts, by name.
    pub fn hosts(&self) -> Vec<VirtualHost> {
        self.hosts.borrow().values().cloned().collect()
    }

    fn updated(&self, update: &Update<'_>) -> Result<BTreeMap<String, VirtualHost>, String> {
        let mut hosts = self.hosts.borrow().clone();
        for name in update.removed.unwrap_or_default() {
            hosts.remove(name);
        }
        for resource in update.resources {
            let host = VirtualHost::decode(resource.body.value.as_slice());
            let host = host.map_err(|error| error.to_string())?;
            hosts.insert(resource.name.clone(), host);
        }
        Ok(hosts)
    }
}

impl SubscriptionCallbacks for VirtualHosts {
    fn on_update(&self, update: &Update<'_>) -> Result<(), Rejection> {
        let Some(owner) = self.owner.upgrade() else {
            return Ok(());
        };
        let hosts = self.updated(update)?;
        if *self.hosts.borrow() != hosts {
            let before = self.hosts.replace(hosts);
            if let Err(reason) = owner.on_virtual_hosts(update.version) {
                *self.hosts.borrow_mut() = before;
                return Err(reason.into());
            }
            self.config_reload.inc();
        }
        self.fetch.ready();
        Ok(())
    }

    fn on_failure(&self, _: &UpdateFailure) {
        self.fetch.ready();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::convert;
    use nuncio_proto::envoy::config::cluster::v3::Cluster;

    #[test]
    fn what_is_refused_does_not_count() {
        let outcome = convert::<Cluster, _>("name: a", |cx, _| {
            let env = Rc::clone(cx.env());
            let cx = || ParseCx::new(Rc::clone(&env));
            let filter = HostsOnDemand::want(&mut cx());
            let is_refused = |outcome: &Parsed<()>| outcome.is_err();
            let mut seen = vec![is_refused(&HostsOnDemand::refuse_table(&mut cx()))];
            // What was refused holds nothing, and the filter goes.
            drop(filter);
            seen.push(is_refused(&HostsOnDemand::refuse_table(&mut cx())));
            let table = HostsOnDemand::table(&env);
            seen.push(HostsOnDemand::want(&mut cx()).is_err());
            drop(table);
            seen.push(HostsOnDemand::want(&mut cx()).is_err());
            Ok(seen)
        });
        assert_eq!(outcome, Ok(vec![true, false, true, false]));
    }
}
