//! Stats that others keep and that are shown with those of the store: those of endpoints.

use crate::query::{Kinds, StatsQuery};
use crate::sanitize::stat_name;
use std::borrow::Cow;

/// What a [`PrimitiveStat`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrimitiveKind {
    /// A value that only grows.
    Counter,
    /// A value that goes up and down.
    Gauge,
}

/// A number that is shown with the store's stats. Neither the stats matcher nor `usedonly` asks
/// about it, as in Envoy.
#[derive(Clone, Debug, PartialEq)]
pub struct PrimitiveStat {
    pub(crate) name: String,
    pub(crate) tag_extracted_name: String,
    pub(crate) tags: Vec<(&'static str, String)>,
    pub(crate) kind: PrimitiveKind,
    pub(crate) value: u64,
}

/// An endpoint, as its stats are named and tagged.
pub struct EndpointNames {
    prefix: String,
    tags: Vec<(&'static str, String)>,
}

impl EndpointNames {
    /// The endpoint at `address` of the cluster that stats know by this name; `hostname` may be
    /// empty.
    pub fn new(cluster: &str, address: &str, hostname: &str) -> Self {
        let (cluster, endpoint) = (stat_name(cluster), stat_name(address));
        let mut tags = vec![
            ("envoy.cluster_name", cluster.clone().into_owned()),
            ("envoy.endpoint_address", address.to_owned()),
        ];
        if !hostname.is_empty() {
            tags.push(("envoy.endpoint_hostname", hostname.to_owned()));
        }
        Self {
            prefix: format!("cluster.{cluster}.endpoint.{endpoint}."),
            tags,
        }
    }

    /// One of its stats.
    pub fn stat(&self, name: &str, kind: PrimitiveKind, value: u64) -> PrimitiveStat {
        PrimitiveStat {
            name: format!("{}{name}", self.prefix),
            tag_extracted_name: format!("cluster.endpoint.{name}"),
            tags: self.tags.clone(),
            kind,
            value,
        }
    }
}

impl PrimitiveStat {
    /// Whether a query wants it; the Prometheus format pays no heed to the kind.
    pub(crate) fn is_wanted(&self, query: &StatsQuery, any_kind: bool) -> bool {
        let of_kind = match query.kinds {
            Kinds::All => true,
            Kinds::Counters => self.kind == PrimitiveKind::Counter,
            Kinds::Gauges => self.kind == PrimitiveKind::Gauge,
            Kinds::Histograms | Kinds::TextReadouts => false,
        };
        (any_kind || of_kind) && query.wants(&self.name)
    }

    /// Its own tags as [`Tag`](crate::Tag)s.
    pub(crate) fn tags(&self) -> impl Iterator<Item = crate::Tag<'_>> {
        self.tags.iter().map(|(name, value)| crate::Tag {
            name,
            value: Cow::Borrowed(value),
        })
    }
}
