//! Which cluster a route sends to.

use crate::cluster_tree::ClusterTree;
use crate::error::InvalidRoute;
use crate::filter_config::FilterConfigs;
use crate::hash_policy::HashPolicy;
use crate::mutation::HeaderMutations;
use crate::request::RequestView;
use crate::request_hash::request_hash;
use nuncio_base::header_map::HeaderMap;
use nuncio_base::header_name::HeaderName;
use nuncio_base::metadata::Fields;
use std::sync::Arc;

/// Where a route's cluster comes from.
#[derive(Clone, Debug)]
pub enum ClusterTarget {
    /// This cluster.
    Name(Arc<str>),
    /// The cluster that the first header of this name names; none where there is no such header.
    Header(HeaderName),
    /// One of several, by weight.
    Weighted(WeightedClusters),
    /// One that a tree finds.
    Tree(ClusterTree),
}

impl ClusterTarget {
    /// The name of the cluster, where it needs no drawing. A header's value may name nothing.
    pub fn name<'a>(&'a self, headers: &'a HeaderMap) -> Option<&'a [u8]> {
        match self {
            Self::Name(name) => Some(name.as_bytes()),
            Self::Header(header) => headers.get(header),
            Self::Weighted(_) | Self::Tree(_) => None,
        }
    }
}

/// One cluster of several.
#[derive(Clone, Debug)]
pub struct WeightedCluster {
    /// The cluster: a name or a header.
    pub target: ClusterTarget,
    /// Its weight.
    pub weight: u32,
    /// The runtime key that may give another weight, empty for none.
    pub runtime_key: String,
    /// What the cluster's hosts must have in their metadata under `envoy.lb`: the route's, with
    /// these on top.
    pub metadata_match: Option<Arc<Fields>>,
    /// Changes to request headers, made before the route's.
    pub request_headers: HeaderMutations,
    /// Changes to response headers, made before the route's.
    pub response_headers: HeaderMutations,
    /// Settings of filters.
    pub filters: FilterConfigs,
    /// What the host header becomes, before the route's own rewrite.
    pub host_rewrite_literal: Option<Box<[u8]>>,
}

impl WeightedCluster {
    /// A cluster with a weight and nothing else.
    pub fn new(target: ClusterTarget, weight: u32) -> Self {
        Self {
            target,
            weight,
            runtime_key: String::new(),
            metadata_match: None,
            request_headers: HeaderMutations::default(),
            response_headers: HeaderMutations::default(),
            filters: FilterConfigs::default(),
            host_rewrite_literal: None,
        }
    }
}

/// What the draw among weighted clusters is made with.
#[derive(Clone, Debug, Default)]
pub enum WeightedDraw {
    /// The stream's random number.
    #[default]
    Random,
    /// The number in this header, if there is exactly one and it is a number; else the stream's.
    Header(HeaderName),
    /// The hash of the route's hash policies, if they give one; else the stream's.
    Hash,
}

/// Clusters of which one is drawn for each request.
#[derive(Clone, Debug)]
pub struct WeightedClusters {
    clusters: Box<[WeightedCluster]>,
    /// The sums of the weights up to and with each cluster.
    sums: Box<[u64]>,
    draw: WeightedDraw,
    by_runtime: bool,
}

impl WeightedClusters {
    /// Clusters with weights. `by_runtime`: the clusters' runtime keys are to be asked.
    ///
    /// # Errors
    /// Weights that are all zero, or whose sum is beyond 32 bits.
    pub fn new(
        route_name: &str,
        clusters: Vec<WeightedCluster>,
        draw: WeightedDraw,
        by_runtime: bool,
    ) -> Result<Self, InvalidRoute> {
        let mut sum = 0;
        let sums: Box<[u64]> = clusters
            .iter()
            .map(|cluster| {
                sum += u64::from(cluster.weight);
                sum
            })
            .collect();
        if sum > u64::from(u32::MAX) {
            return Err(InvalidRoute::new(format!(
                "The sum of weights of all weighted clusters of route {route_name} exceeds {}",
                u32::MAX
            )));
        }
        if sum == 0 {
            return Err(InvalidRoute::new(
                "Sum of weights in the weighted_cluster must be greater than 0.",
            ));
        }
        Ok(Self {
            clusters: clusters.into(),
            sums,
            draw,
            by_runtime,
        })
    }

    /// The clusters, in order.
    pub fn clusters(&self) -> &[WeightedCluster] {
        &self.clusters
    }

    pub(crate) fn clusters_mut(&mut self) -> &mut [WeightedCluster] {
        &mut self.clusters
    }

    /// Draws a cluster: its place. `hash_policies` are the route's.
    pub fn draw(&self, request: &RequestView<'_>, hash_policies: &[HashPolicy]) -> usize {
        let random = match &self.draw {
            WeightedDraw::Random => request.random,
            WeightedDraw::Header(name) => {
                number_in_header(request.headers, name).unwrap_or(request.random)
            }
            // No cookie is made for this: the balancer will, if it hashes.
            WeightedDraw::Hash => {
                request_hash(hash_policies, request.headers, request.info, &mut |_| {})
                    .unwrap_or(request.random)
            }
        };
        if self.by_runtime && !request.flags.is_empty() {
            return self.draw_by_runtime(request, random);
        }
        let total = self.sums.last().copied().unwrap_or(1);
        let drawn = random % total.max(1);
        self.sums.partition_point(|sum| *sum <= drawn)
    }

    /// The draw where runtime may have changed the weights.
    fn draw_by_runtime(&self, request: &RequestView<'_>, random: u64) -> usize {
        let weight = |cluster: &WeightedCluster| {
            let default = u64::from(cluster.weight);
            request.flags.integer(&cluster.runtime_key, default)
        };
        let total = self
            .clusters
            .iter()
            .fold(0_u64, |sum, cluster| sum.saturating_add(weight(cluster)));
        let mut left = random % total.max(1);
        for (at, cluster) in self.clusters.iter().enumerate() {
            let weight = weight(cluster);
            if left < weight {
                return at;
            }
            left -= weight;
        }
        // All weights are zero by runtime: Envoy takes the first.
        0
    }
}

fn number_in_header(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let mut values = headers.get_all(name);
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    std::str::from_utf8(value.trim_ascii()).ok()?.parse().ok()
}
