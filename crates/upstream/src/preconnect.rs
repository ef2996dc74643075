//! Connections that are made before anybody asks for them (`preconnect_policy`).

use crate::health::Health;
use crate::host::Host;
use crate::local_cluster::ClusterCore;
use nuncio_base::metadata::Metadata;
use nuncio_matching::MetadataMatcher;

/// How many connections a single stream may cause, to its host and to those of streams to come.
pub(crate) const AT_ONCE: usize = 3;

/// For how many streams a cluster has connections made.
#[derive(Clone, Debug)]
pub struct PreconnectPolicy {
    /// For each stream to a host: connections for so many; from 1 to 3.
    pub per_upstream: f32,
    /// For each stream to the cluster: connections for so many, to the hosts that are likely
    /// chosen next; from 1 to 3.
    pub predictive: f32,
    /// What a host's metadata must be like; of other hosts there are as many connections as
    /// streams need.
    pub hosts: Option<MetadataMatcher>,
}

impl PreconnectPolicy {
    fn allows(&self, host: &Host) -> bool {
        let Some(matcher) = &self.hosts else {
            return true;
        };
        match host.metadata() {
            Some(metadata) => matcher.matches(metadata),
            None => matcher.matches(&Metadata::default()),
        }
    }
}

/// Streams, and the connections for them: of one pool, or of a cluster on one worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Streams that wait for a connection.
    pub pending: usize,
    /// Streams on connections.
    pub active: usize,
    /// How many streams more the connections take, those on their way included.
    pub capacity: usize,
}

impl Load {
    /// Whether the connections are too few for `ratio` times the streams, and `anticipated` ones
    /// besides. For a ratio of 1 this says that more streams wait than connections will take.
    pub fn exceeds(self, ratio: f32, anticipated: usize) -> bool {
        let streams = self.pending.saturating_add(self.active + anticipated);
        streams as f32 * ratio > self.capacity.saturating_add(self.active) as f32
    }
}

/// What the policy says of one host: for its pools.
pub(crate) struct HostPreconnect {
    per_upstream: f32,
    is_allowed: bool,
}

impl HostPreconnect {
    /// `None`: the cluster has no policy.
    pub fn of(core: &ClusterCore, host: &Host) -> Option<Self> {
        let policy = core.spec().preconnect.as_ref()?;
        Some(Self {
            per_upstream: policy.per_upstream,
            is_allowed: policy.allows(host),
        })
    }

    /// How many streams connections are made for, for each stream.
    pub fn per_upstream(&self) -> f32 {
        self.per_upstream
    }

    /// Whether a pool under this load is to make another connection. `predicted`: the ratio for a
    /// stream that others let expect, where that is why it is asked.
    pub fn wants(
        &self,
        (core, host): (&ClusterCore, &Host),
        load: Load,
        predicted: Option<f32>,
    ) -> bool {
        // A host that fails is not to be given more work than it must have.
        if load.exceeds(1.0, 0) || host.health() != Health::Healthy {
            return load.exceeds(1.0, 0);
        }
        let wants = predicted.is_some_and(|ratio| load.exceeds(ratio, 1))
            || load.exceeds(self.per_upstream, 0);
        if wants && !self.is_allowed {
            core.stats.upstream_cx_preconnect_skipped().inc();
        }
        wants && self.is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_too_few_for_a_multiple_of_the_streams() {
        // What is there, the ratio, what is anticipated, how many connections are made then.
        for (pending, active, capacity, ratio, anticipated, made) in [
            (1, 0, 0, 1.0, 0, 1),
            (2, 0, 1, 1.0, 0, 1),
            (0, 5, 0, 1.0, 0, 0),
            (1, 0, 0, 1.05, 0, 2),
            (0, 2, 0, 1.05, 0, 1),
            (0, 20, 1, 1.05, 0, 0),
            (0, 21, 1, 1.05, 0, 1),
            (1, 0, 0, 1.5, 0, 2),
            (0, 2, 0, 1.5, 0, 1),
            (0, 3, 0, 1.5, 0, 2),
            (1, 0, 0, 3.0, 0, 3),
            (0, 4, 8, 3.0, 0, 0),
            (0, 0, 0, 2.0, 1, 2),
            (0, 1, 2, 2.0, 1, 1),
            (0, 1, 100, 3.0, 0, 0),
        ] {
            let mut load = Load {
                pending,
                active,
                capacity,
            };
            while load.exceeds(ratio, anticipated) {
                load.capacity += 1;
            }
            assert_eq!(load.capacity - capacity, made, "{load:?} {ratio}");
        }
    }
}
