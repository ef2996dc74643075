//! Takes a file over. All of it is checked first, against what there is, and changes nothing where
//! anything is wrong. What is right and can't be had all the same, an address that somebody else
//! listens at, is left as it was, for the next reload to try.

use super::changes::{Changes, Resources, listener_name};
use crate::bootstrap_loader;
use crate::cluster_manager::ClusterSource;
use crate::environment;
use crate::listener_manager::{Converted, ListenerManager, Origin};
use crate::server::Server;
use crate::static_resources::{self, StaticResources};
use bytes::Bytes;
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_config::eds::refusal;
use nuncio_extension::{InitTarget, InitTargets, ParseCx};
use nuncio_proto::envoy::config::cluster::v3::Cluster;
use nuncio_proto::envoy::config::listener::v3::Listener;
use nuncio_proto::{Message, Packed};
use nuncio_upstream::discovery::ClusterConfig;
use nuncio_worker::timer::sleep_until;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// How long listeners wait for clusters, which may not come at all. As long as Envoy waits for a
/// control plane's first answer (`ConfigSource.initial_fetch_timeout`).
const PATIENCE: Duration = Duration::from_secs(15);

/// What came of a file.
pub(super) enum Outcome {
    /// All of it is taken over.
    Done,
    /// All but these.
    Partly(Vec<String>),
    /// Nothing is, and why.
    Refused(String),
}

/// What is converted and changes nothing yet.
#[derive(Default)]
struct Plan {
    clusters: Vec<(ClusterConfig, ClusterSource, InitTargets)>,
    /// By name; none for what is as it was after all.
    listeners: Vec<(String, Option<Converted>)>,
}

impl Server {
    /// Reads the file and takes over what changed.
    pub(super) fn reload_static(self: &Rc<Self>) -> Outcome {
        match self.read_again().and_then(|file| self.take_over(&file)) {
            Ok(failures) if failures.is_empty() => Outcome::Done,
            Ok(failures) => Outcome::Partly(failures),
            Err(errors) => Outcome::Refused(errors),
        }
    }

    /// The file as it is now, checked as a whole.
    fn read_again(&self) -> Result<Bytes, String> {
        let loaded = bootstrap_loader::load(&self.options)?;
        let registry = self.env.registry;
        let preliminary = environment::preliminary(registry);
        let (mut parsed, _) = bootstrap_loader::take_apart(&loaded, &self.options, preliminary)?;
        let env = environment::validating(registry, &mut parsed);
        environment::access_logs(&env, &self.options);
        let context = environment::listener_context(&env, &self.options, &parsed);
        let manager = ListenerManager::new(&self.worker, context);
        let bytes = Bytes::from(loaded.bytes.clone());
        static_resources::convert((&loaded, &bytes), &env, &manager, &parsed)?;
        Ok(bytes)
    }

    /// Takes a file over; what of it could not be had.
    fn take_over(self: &Rc<Self>, file: &Bytes) -> Result<Vec<String>, String> {
        let malformed = |error: nuncio_proto::wire::Malformed| error.to_string();
        let before = self.bootstrap.borrow().clone();
        let old = StaticResources::of(&before).map_err(malformed)?;
        let new = StaticResources::of(file).map_err(malformed)?;
        let known = (
            self.clusters.static_configs(),
            self.listeners.static_configs(),
        );
        let changes = Changes::between(&Resources::in_use(&known), &Resources::of(&new)?);
        let plan = self.plan(&changes, file, [&old, &new])?;
        changes.log(&bootstrap_loader::name(&self.options), &old.rest, &new.rest);
        let failed = self.carry_out(plan, &changes);
        // What is not changed is what it was, for the admin too.
        let mut shown = StaticResources::default();
        let in_use = |bytes| {
            let name = listener_name(bytes);
            match failed.contains_key(&name) {
                true => known.1.get(&name).map(Packed::body),
                false => Some(bytes),
            }
        };
        shown.listeners = new.listeners.iter().copied().filter_map(in_use).collect();
        shown.clusters.clone_from(&new.clusters);
        if !failed.is_empty() {
            let kept = changes.clusters.gone.iter();
            let kept = kept.filter_map(|name| known.0.get(name).map(Packed::body));
            shown.clusters.extend(kept);
        }
        *self.bootstrap.borrow_mut() = shown.with_rest(&old.rest).into();
        Ok(failed.into_values().collect())
    }

    /// Converts all that is new, with the clusters that there will be; nothing has changed where
    /// any of it is refused.
    fn plan(
        &self,
        changes: &Changes<'_>,
        file: &Bytes,
        [old, new]: [&StaticResources<'_>; 2],
    ) -> Result<Plan, String> {
        let unknown = changes.clusters.set.iter().map(|(name, _)| name.as_str());
        let unknown: Vec<_> = unknown.filter(|it| !self.env.has_cluster(it)).collect();
        unknown.iter().for_each(|it| self.env.set_cluster(it, true));
        self.env.set_primary_clusters(new.primary_clusters());
        let (mut plan, mut errors) = (Plan::default(), Vec::new());
        for (name, bytes) in &changes.clusters.set {
            match self.convert_cluster(name, file.slice_ref(bytes)) {
                Ok(cluster) => plan.clusters.push(cluster),
                Err(error) => errors.push(error),
            }
        }
        for (name, bytes) in &changes.listeners.set {
            match self.convert_listener(name, file.slice_ref(bytes)) {
                Ok(listener) => plan.listeners.push((name.clone(), listener)),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            return Ok(plan);
        }
        unknown
            .iter()
            .for_each(|it| self.env.set_cluster(it, false));
        self.env.set_primary_clusters(old.primary_clusters());
        Err(errors.join("; "))
    }

    fn convert_cluster(
        &self,
        name: &str,
        bytes: Bytes,
    ) -> Result<(ClusterConfig, ClusterSource, InitTargets), String> {
        let mut cx = ParseCx::new(Rc::clone(&self.env));
        let proto = Cluster::decode(bytes.clone()).map_err(|error| error.to_string())?;
        let converted = nuncio_config::cluster::cluster(&mut cx, proto);
        let targets = cx.take_init_targets();
        match converted {
            Ok(config) if cx.is_clean() => {
                let source = ClusterSource {
                    config: Packed::new::<Cluster>(bytes),
                    version_info: None,
                    last_updated: self.worker.wall(),
                };
                Ok((config, source, targets))
            }
            _ => Err(format!("cluster '{name}': {}", refusal::<Cluster>(cx))),
        }
    }

    fn convert_listener(&self, name: &str, bytes: Bytes) -> Result<Option<Converted>, String> {
        let mut cx = ParseCx::new(Rc::clone(&self.env));
        let proto = Listener::decode(bytes.clone()).map_err(|error| error.to_string())?;
        let packed = Packed::new::<Listener>(bytes);
        let converted = self
            .listeners
            .convert(&mut cx, proto, packed, Origin::Static);
        match converted {
            Ok(converted) if cx.is_clean() => Ok(converted),
            _ => Err(format!("listener '{name}': {}", refusal::<Listener>(cx))),
        }
    }

    /// Brings what is new, then lets go what is gone. Listeners get their sockets at once, and
    /// begin when there are clusters to lead to; those they replace serve until then, and so do
    /// clusters that are gone. What could not be had is given back, by the listener's name.
    fn carry_out(self: &Rc<Self>, plan: Plan, changes: &Changes<'_>) -> BTreeMap<String, String> {
        if let Some(reload) = &self.reload {
            reload.number.set(reload.number.get() + 1);
        }
        for (config, source, targets) in plan.clusters {
            self.clusters.set_static(config, source, targets);
        }
        let clusters = self.clusters_warm();
        let gone = &changes.listeners.gone;
        let (mut ready, mut failed) = (Vec::new(), BTreeMap::new());
        // All get their sockets before any lets go of those it had: they may change places.
        for (name, converted) in plan.listeners {
            match converted.map(|it| self.listeners.prepare(it, gone)) {
                None => self.listeners.keep(&name),
                Some(Ok(prepared)) => ready.push(prepared),
                Some(Err(error)) => {
                    let failure = format!("listener '{name}': {error}");
                    failed.insert(name, failure);
                }
            }
        }
        let replaced: Vec<_> = ready.iter().flat_map(|it| it.replaced()).cloned().collect();
        for prepared in ready {
            self.listeners.place(prepared, clusters.as_ref());
        }
        for name in gone.iter().filter(|name| !replaced.contains(name)) {
            self.listeners.remove_static(name);
        }
        // Who could not be replaced may lead to them.
        if failed.is_empty() {
            self.let_clusters_go(changes.clusters.gone.clone());
        }
        failed
    }

    /// What is ready once all clusters of the file have warmed, or have taken too long; none where
    /// they have.
    fn clusters_warm(self: &Rc<Self>) -> Option<Rc<InitTarget>> {
        if self.clusters.static_warming().is_empty() {
            return None;
        }
        let target = InitTarget::new("static clusters", || {});
        let (this, ready) = (Rc::clone(self), Rc::clone(&target));
        self.worker.spawn(async move {
            // To convert all there is may have taken long.
            this.worker.tick();
            let until = this.worker.now() + PATIENCE;
            tokio::select! {
                () = this.clusters.static_warmed() => {}
                () = sleep_until(&this.worker, until) => {
                    let names = this.clusters.static_warming().join("', '");
                    log!(
                        logger::CONFIG,
                        Level::Warning,
                        "listeners wait no longer for the clusters '{names}', which are warming"
                    );
                }
            }
            ready.ready();
        });
        Some(target)
    }

    /// Removes clusters once no listener that leads to them waits to be replaced. A later reload
    /// knows better what is gone.
    fn let_clusters_go(self: &Rc<Self>, gone: Vec<String>) {
        if self.listeners.are_static_warmed() {
            return self.remove_clusters(&gone);
        }
        let this = Rc::clone(self);
        let number = self.reloads();
        self.worker.spawn(async move {
            this.listeners.static_warmed().await;
            if this.reloads() == number {
                this.remove_clusters(&gone);
            }
        });
    }

    fn remove_clusters(&self, gone: &[String]) {
        for name in gone {
            if self.clusters.remove_static(name) {
                self.env.set_cluster(name, false);
            }
        }
    }

    fn reloads(&self) -> u64 {
        self.reload.as_ref().map_or(0, |reload| reload.number.get())
    }
}
