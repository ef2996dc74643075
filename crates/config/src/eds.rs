//! EDS: a cluster's hosts from a control plane or a file (`Cluster.eds_cluster_config`).

use crate::config_source::config_source;
use crate::endpoint::{self, load_assignment};
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_extension::{ParseCx, Parsed, ServerEnv};
use nuncio_proto::envoy::config::cluster::v3 as proto;
use nuncio_proto::envoy::config::endpoint::v3::ClusterLoadAssignment;
use nuncio_proto::{ConfigErrors, Message, Name};
use nuncio_upstream::discovery::{Discovery, Endpoint, LoadAssignment, Members};
use nuncio_upstream::health::{EDS_HEALTHY, EDS_TIMEOUT};
use nuncio_upstream::{HealthFlag, Host};
use nuncio_xds::{
    ConfigSource, NO_ADS, Rejection, ResourceType, Subscription, SubscriptionCallbacks,
    SubscriptionRequest, Subscriptions, Update, UpdateFailure,
};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// Health as the control plane sees it; what health checks found stays as it is.
const FLAGS: u32 = HealthFlag::FailedEdsHealth as u32
    | HealthFlag::EdsStatusDraining as u32
    | HealthFlag::DegradedEdsHealth as u32
    | EDS_HEALTHY
    | EDS_TIMEOUT;

/// A cluster's hosts over EDS.
pub struct EdsHosts {
    /// The name to ask for.
    service: Arc<str>,
    /// Whether it is not only the cluster's.
    is_named: bool,
    source: ConfigSource,
}

/// Converts `eds_cluster_config`.
///
/// # Errors
/// Recorded in `cx`.
pub fn eds_hosts(cx: &mut ParseCx, proto: &proto::Cluster) -> Parsed<Arc<dyn Discovery>> {
    let Some(config) = &proto.eds_cluster_config else {
        return Err(cx.error("cannot create an EDS cluster without an EDS config"));
    };
    cx.field("eds_cluster_config", |cx| {
        let source = config.eds_config.as_ref();
        let source = cx.required("eds_config", source, |cx, source| {
            let source = config_source(cx, source, ResourceType::Endpoint)?;
            match source {
                ConfigSource::Ads(_) if Subscriptions::of(cx.env()).lacks_ads() => {
                    Err(cx.error_at("ads", NO_ADS))
                }
                _ => Ok(source),
            }
        })?;
        let service = if config.service_name.is_empty() {
            &proto.name
        } else {
            &config.service_name
        };
        let hosts: Arc<dyn Discovery> = Arc::new(EdsHosts {
            service: service.as_str().into(),
            is_named: !config.service_name.is_empty(),
            source,
        });
        Ok(hosts)
    })
}

impl Discovery for EdsHosts {
    fn name(&self) -> &'static str {
        "EDS"
    }

    fn service_name(&self) -> Option<&str> {
        self.is_named.then_some(&self.service)
    }

    fn start(&self, members: &Rc<Members>) {
        let Some(env) = members.worker().services().get::<ServerEnv>() else {
            members.ready();
            return;
        };
        let cluster = Rc::new(EdsCluster {
            service: Arc::clone(&self.service),
            env: Rc::downgrade(&env),
            members: Rc::downgrade(members),
            last: RefCell::default(),
            hosts: RefCell::default(),
            subscription: OnceCell::new(),
        });
        let callbacks: Rc<dyn SubscriptionCallbacks> = cluster.clone();
        let request = SubscriptionRequest {
            source: &self.source,
            kind: ResourceType::Endpoint,
            name: Some(&self.service),
            scope: &members.info().scope,
        };
        let subscriptions = Subscriptions::of(&env);
        members.keep(cluster.clone());
        match subscriptions.subscribe(&request, Rc::downgrade(&callbacks)) {
            // It was empty until here.
            Ok(subscription) => cluster.subscription.get_or_init(|| subscription).start(),
            Err(error) => {
                let name = &members.info().spec.name;
                log!(
                    logger::UPSTREAM,
                    Level::Warning,
                    "EDS of cluster '{name}': {error}"
                );
                members.ready();
            }
        }
    }
}

struct EdsCluster {
    service: Arc<str>,
    env: Weak<ServerEnv>,
    members: Weak<Members>,
    /// The assignment as it came last, encoded.
    last: RefCell<Option<Vec<u8>>>,
    hosts: RefCell<Vec<Arc<Host>>>,
    subscription: OnceCell<Subscription>,
}

impl SubscriptionCallbacks for EdsCluster {
    fn on_update(&self, update: &Update<'_>) -> Result<(), Rejection> {
        let (Some(env), Some(members)) = (self.env.upgrade(), self.members.upgrade()) else {
            return Ok(());
        };
        let [resource] = update.resources else {
            let count = update.resources.len();
            if count > 0 {
                return Err(format!("Unexpected EDS resource length: {count}").into());
            }
            members.stats().update_empty().inc();
            members.ready();
            return Ok(());
        };
        let service = &*self.service;
        if resource.name != service {
            return Err(format!(
                "Unexpected EDS cluster (expecting {service}): {}",
                resource.name
            )
            .into());
        }
        let is_same = self.last.borrow().as_ref() == Some(&resource.body.value);
        let assignment = if is_same {
            None
        } else {
            let cluster = &members.info().spec.name;
            let found = assignment(&env, cluster, &resource.body.value)?;
            *self.last.borrow_mut() = Some(resource.body.value.clone());
            Some(found)
                .filter(|found| !(found.endpoints.is_empty() && self.hosts.borrow().is_empty()))
        };
        match assignment {
            Some(assignment) => self.apply(&members, &assignment),
            None => members.stats().update_no_rebuild().inc(),
        }
        members.ready();
        Ok(())
    }

    fn on_failure(&self, _: &UpdateFailure) {
        if let Some(members) = self.members.upgrade() {
            members.ready();
        }
    }
}

fn assignment(env: &Rc<ServerEnv>, cluster: &str, bytes: &[u8]) -> Result<LoadAssignment, String> {
    let proto = ClusterLoadAssignment::decode(bytes).map_err(|error| error.to_string())?;
    let mut cx = ParseCx::new(Rc::clone(env));
    let converted = load_assignment(&mut cx, proto.clone());
    let converted = converted.and_then(|found| endpoint::check_local(&mut cx, cluster, found));
    if let Ok(assignment) = &converted {
        let named = assignment.endpoints.iter().enumerate();
        let mut named = named.filter_map(|(at, endpoint)| Some((at, endpoint.name.as_ref()?)));
        if let Some((at, (host, _))) = named.next() {
            endpoint::error_at(&mut cx, Some(&proto), at, endpoint::malformed(host));
        }
    }
    match converted {
        Ok(assignment) if cx.is_clean() => Ok(assignment),
        _ => Err(refusal::<ClusterLoadAssignment>(cx)),
    }
}

/// Why a resource is refused: Envoy's text, and the places that are meant.
pub fn refusal<T: Name>(cx: ParseCx) -> String {
    let (errors, _) = cx.finish();
    let name = nuncio_proto::load::message_of::<T>().map_or("", |message| message.name());
    nuncio_xds::text_of(&ConfigErrors::new(name, errors))
}

impl EdsCluster {
    /// Takes an assignment over. A host that is still there stays the same one, with its
    /// connections and what health checks know of it.
    fn apply(&self, members: &Members, assignment: &LoadAssignment) {
        let mut known: HashMap<_, _> = self
            .hosts
            .borrow()
            .iter()
            .map(|host| (host.address(), Arc::clone(host)))
            .collect();
        let mut all: BTreeMap<u32, Vec<Arc<Host>>> = BTreeMap::new();
        let mut hosts = Vec::with_capacity(assignment.endpoints.len());
        let mut greatest = 0;
        let mut seen = HashSet::with_capacity(assignment.endpoints.len());
        // An address that stands there twice is one host, the first one.
        let endpoints = assignment.endpoints.iter();
        for endpoint in endpoints.filter(|endpoint| seen.insert(&endpoint.host.address)) {
            let kept = known.remove(&endpoint.host.address);
            let host = match kept.filter(|host| is_same(host, endpoint)) {
                Some(host) => renewed(host, endpoint),
                None => Host::new(endpoint.host.clone()),
            };
            members.count_socket_match(&host);
            greatest = greatest.max(host.weight());
            let of_priority = all.entry(endpoint.host.priority).or_default();
            of_priority.push(Arc::clone(&host));
            hosts.push(host);
        }
        members.stats().max_host_weight().set(greatest.into());
        members.configure(assignment);
        *self.hosts.borrow_mut() = hosts;
        members.set(all);
    }
}

/// Whether a host of this address can stay what it is.
fn is_same(host: &Host, endpoint: &Endpoint) -> bool {
    let spec = &endpoint.host;
    host.locality() == &spec.locality
        && host.hostname() == &spec.hostname
        && host.metadata() == spec.metadata.as_ref()
        && host.locality_metadata() == spec.locality_metadata.as_ref()
        && host.addresses().get(1..) == Some(&spec.additional_addresses[..])
}

fn renewed(host: Arc<Host>, endpoint: &Endpoint) -> Arc<Host> {
    host.set_weight(endpoint.host.weight);
    host.set_priority(endpoint.host.priority);
    host.renew_flags(FLAGS, endpoint.host.health_flags);
    host
}
