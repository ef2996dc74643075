//! The subsets of one moment's hosts, found by the keys and values of a request in turn.

use super::criteria::{Criteria, ValueKey, has, values};
use super::{Fallback, SubsetSpec};
use nuncio_stats::SharedGauge;
use nuncio_upstream::lb::SharedCx;
use nuncio_upstream::{Host, PrioritySet};
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The hosts of a subset.
pub(super) struct OneSubset {
    /// The same for the same subset from moment to moment.
    pub id: u64,
    pub hosts: PrioritySet,
}

/// By a key's value, what follows.
type Branch = HashMap<ValueKey, Node>;

#[derive(Default)]
struct Node {
    subset: Option<OneSubset>,
    branches: HashMap<String, Branch>,
}

/// A node while hosts are gathered.
#[derive(Default)]
struct Gathered {
    /// By priority.
    hosts: BTreeMap<usize, Vec<Arc<Host>>>,
    single_host: bool,
    branches: BTreeMap<String, HashMap<ValueKey, Gathered>>,
}

/// All subsets.
pub(super) struct Subsets {
    root: Node,
    ids: HashSet<u64>,
    /// All hosts.
    pub any: Option<OneSubset>,
    pub default: Option<OneSubset>,
    /// How many hosts were left out of subsets of one host: only clusters with subsets show it.
    duplicates: SharedGauge,
}

/// What all subsets are made of.
struct Maker<'a> {
    spec: &'a SubsetSpec,
    all: &'a PrioritySet,
    cx: &'a SharedCx<'a>,
    ids: HashSet<u64>,
    duplicates: u64,
}

/// Of the subsets that are not found by keys.
const ANY: u64 = 1;
const DEFAULT: u64 = 2;

impl Subsets {
    pub fn new(spec: &SubsetSpec, all: &PrioritySet, cx: &SharedCx<'_>) -> Self {
        let mut gathered = Gathered::default();
        for (priority, set) in all.sets().iter().enumerate() {
            for host in set.hosts().iter() {
                // Without keys there is nothing to choose by.
                for selector in spec.selectors.iter().filter(|one| !one.keys.is_empty()) {
                    for path in values(host, &selector.keys, spec.list_as_any) {
                        let node = gathered.at(selector.keys.iter().zip(path));
                        node.single_host |= selector.single_host;
                        node.add(priority, host);
                    }
                }
            }
        }
        let mut maker = Maker {
            spec,
            all,
            // Within subsets there is nothing to compare with.
            cx: &SharedCx {
                before: None,
                ..*cx
            },
            ids: HashSet::new(),
            duplicates: 0,
        };
        let fallbacks = spec
            .selectors
            .iter()
            .filter_map(|one| one.fallback.as_ref());
        let fallbacks: Vec<&Fallback> = fallbacks.chain([&spec.fallback]).collect();
        let any = fallbacks.contains(&&Fallback::Any) || spec.panic_mode_any;
        let default = fallbacks.contains(&&Fallback::Default);
        let any = any.then(|| maker.filtered(ANY, &Criteria::new()));
        let default = default.then(|| maker.filtered(DEFAULT, &spec.default_subset));
        Self {
            any,
            default,
            root: maker.node(gathered, 0),
            ids: maker.ids,
            duplicates: {
                let gauge = cx
                    .scope
                    .gauge("lb_subsets_single_host_per_subset_duplicate");
                gauge.set(maker.duplicates);
                gauge
            },
        }
    }

    /// Whether there still is a subset.
    pub fn contains(&self, id: u64) -> bool {
        self.ids.contains(&id) || id == ANY || id == DEFAULT
    }

    /// The subset for these criteria: all of their keys, in order.
    pub fn find(&self, criteria: &Criteria, allow_redundant_keys: bool) -> Option<&OneSubset> {
        if criteria.is_empty() {
            return None;
        }
        let mut node = &self.root;
        for (name, value) in criteria {
            node = match node.branches.get(name) {
                Some(branch) => branch.get(&ValueKey(value.clone()))?,
                None if allow_redundant_keys => continue,
                None => return None,
            };
        }
        node.subset.as_ref()
    }

    /// Counts what came and went.
    pub fn count(&self, cx: &SharedCx<'_>) {
        let none = HashSet::new();
        let before = cx.before.and_then(|before| before.downcast_ref::<Self>());
        let before = before.map_or(&none, |before| &before.ids);
        let came = self.ids.difference(before).count() as u64 * cx.threads;
        let went = before.difference(&self.ids).count() as u64 * cx.threads;
        cx.stats.lb_subsets_created().add(came);
        cx.stats.lb_subsets_removed().add(went);
        cx.stats.lb_subsets_active().add(came);
        cx.stats.lb_subsets_active().sub(went);
    }

    /// Counts that all of them go.
    pub fn count_gone(&self, cx: &SharedCx<'_>) {
        let all = self.ids.len() as u64 * cx.threads;
        cx.stats.lb_subsets_removed().add(all);
        cx.stats.lb_subsets_active().sub(all);
        self.duplicates.set(0);
    }
}

impl Gathered {
    /// The node at the end of a path.
    fn at<'a>(&mut self, path: impl Iterator<Item = (&'a String, ValueKey)>) -> &mut Self {
        path.fold(self, |node, (key, value)| {
            let branch = node.branches.entry(key.clone()).or_default();
            branch.entry(value).or_default()
        })
    }

    /// Adds a host, once; its additions follow one another.
    fn add(&mut self, priority: usize, host: &Arc<Host>) {
        let hosts = self.hosts.entry(priority).or_default();
        if hosts.last().is_none_or(|last| last.id() != host.id()) {
            hosts.push(Arc::clone(host));
        }
    }

    /// Leaves the first host alone; how many were left out.
    fn keep_first(&mut self) -> u64 {
        let all: usize = self.hosts.values().map(Vec::len).sum();
        let first = self.hosts.values().position(|hosts| !hosts.is_empty());
        for (at, hosts) in self.hosts.values_mut().enumerate() {
            hosts.truncate(usize::from(Some(at) == first));
        }
        all.saturating_sub(1) as u64
    }
}

impl Maker<'_> {
    fn node(&mut self, mut gathered: Gathered, id: u64) -> Node {
        let mut node = Node::default();
        if gathered.single_host {
            self.duplicates += gathered.keep_first();
        }
        if !gathered.hosts.is_empty() {
            self.ids.insert(id);
            node.subset = Some(self.subset(id, gathered.hosts));
        }
        for (key, branch) in gathered.branches {
            let mut made = Branch::with_capacity(branch.len());
            for (value, next) in branch {
                // Ids are those of paths, so that a subset keeps its balancers on all workers.
                let mut hasher = DefaultHasher::new();
                (id, &key, &value).hash(&mut hasher);
                made.insert(value, self.node(next, hasher.finish()));
            }
            node.branches.insert(key, made);
        }
        node
    }

    /// The hosts that have something in their metadata.
    fn filtered(&self, id: u64, criteria: &Criteria) -> OneSubset {
        let chosen = |(priority, hosts): (usize, &[Arc<Host>])| {
            let hosts = hosts.iter();
            let chosen = hosts.filter(|host| has(host, criteria, self.spec.list_as_any));
            (priority, chosen.cloned().collect())
        };
        let sets = self.all.sets().iter().map(|set| &set.hosts()[..]);
        self.subset(id, sets.enumerate().map(chosen).collect())
    }

    fn subset(&self, id: u64, mut hosts: BTreeMap<usize, Vec<Arc<Host>>>) -> OneSubset {
        let (aware, scale) = (
            self.spec.locality_weight_aware,
            self.spec.scale_locality_weight,
        );
        let weight = |weight: u32, chosen: usize, all: usize| match (aware, scale) {
            (false, _) => 0,
            (true, false) => weight,
            (true, true) => (f64::from(weight) * chosen as f64 / all as f64).round() as u32,
        };
        let sets = self.all.sets().iter().enumerate();
        let sets = sets.map(|(priority, set)| {
            let hosts = hosts.remove(&priority).unwrap_or_default();
            Arc::new(set.subset(hosts, weight))
        });
        let hosts = PrioritySet::new(sets.collect(), self.all.panic_threshold());
        let shared = self.spec.policy.shared(&hosts, self.cx);
        OneSubset {
            id,
            hosts: hosts.with_lb_shared(shared),
        }
    }
}
