//! Clusters by a tree of the unified matcher
//! (`envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier`).

use crate::cluster::{ClusterTarget, WeightedCluster};
use crate::request::RequestView;
use nuncio_matching::MatchTree;
use nuncio_policy::{Facts, Input};
use std::sync::Arc;

/// A tree whose actions are clusters.
#[derive(Clone, Debug)]
pub struct ClusterTree {
    tree: Arc<MatchTree<Input, u32>>,
    /// The clusters; the last, which has no name, stands for none.
    clusters: Arc<[WeightedCluster]>,
}

impl ClusterTree {
    /// A tree whose actions are places among the names of `clusters`.
    pub fn new(tree: MatchTree<Input, u32>, clusters: Vec<String>) -> Self {
        let none = std::iter::once(String::new());
        let named = clusters.into_iter().chain(none);
        let named = named.map(|name| WeightedCluster::new(ClusterTarget::Name(name.into()), 1));
        Self {
            tree: Arc::new(tree),
            clusters: named.collect(),
        }
    }

    /// The cluster of a request: its place.
    pub fn find(&self, request: &RequestView<'_>) -> usize {
        let facts = Facts::of_request(request.headers, request.info);
        let found = self.tree.find(&|input: &Input| input.ask(&facts));
        found.map_or(self.clusters.len() - 1, |place| *place as usize)
    }

    /// The cluster at a place.
    pub fn get(&self, place: usize) -> Option<&WeightedCluster> {
        self.clusters.get(place)
    }
}
