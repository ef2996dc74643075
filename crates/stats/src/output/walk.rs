//! Walks all stats of some kinds in the order of their names, without holding all names at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::query::{Kinds, StatsQuery};
use crate::source::{Kind, Reading, Source};
use crate::store::StoreCore;

/// The kinds that are shown together, one phase after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    TextReadouts,
    CountersAndGauges,
    Histograms,
}

impl Phase {
    pub(super) const ALL: [Phase; 3] = [
        Phase::TextReadouts,
        Phase::CountersAndGauges,
        Phase::Histograms,
    ];

    fn shows(self, kind: Kind, kinds: Kinds) -> bool {
        let wanted = match kind {
            Kind::Counter => Kinds::Counters,
            Kind::Gauge => Kinds::Gauges,
            Kind::TextReadout => Kinds::TextReadouts,
            Kind::Histogram(_) => Kinds::Histograms,
        };
        let phase = match kind {
            Kind::Counter | Kind::Gauge => Phase::CountersAndGauges,
            Kind::TextReadout => Phase::TextReadouts,
            Kind::Histogram(_) => Phase::Histograms,
        };
        phase == self && (kinds == Kinds::All || kinds == wanted)
    }
}

/// The stats of one phase, by name.
pub(super) struct Walk {
    phase: Phase,
    /// Sources whose stats are not in `stats` yet, the one with the least prefix last.
    sources: Vec<Arc<dyn Source>>,
    stats: BinaryHeap<Reverse<Entry>>,
    /// Sources that have stats in `stats`, and how many.
    open: Vec<(Option<Arc<dyn Source>>, usize)>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    name: String,
    kind: Kind,
    source: usize,
    index: u16,
}

impl Walk {
    pub(super) fn new(store: &StoreCore, phase: Phase) -> Self {
        let mut sources = store.sources();
        sources.sort_by(|a, b| b.prefix().cmp(a.prefix()));
        Self {
            phase,
            sources,
            stats: BinaryHeap::new(),
            open: Vec::new(),
        }
    }

    /// The next stat that the query wants.
    pub(super) fn next(
        &mut self,
        store: &StoreCore,
        query: &StatsQuery,
    ) -> Option<(String, Reading)> {
        loop {
            // A source's names are not less than its prefix.
            while let Some(source) = self.sources.pop_if(|source| {
                self.stats
                    .peek()
                    .is_none_or(|least| *source.prefix() <= *least.0.name)
            }) {
                self.expand(source, store, query);
            }
            let first = self.stats.pop()?.0;
            let mut reading = self.read(&first);
            while let Some(Reverse(next)) = self.stats.peek()
                && next.name == first.name
                && next.kind == first.kind
                && let Some(Reverse(next)) = self.stats.pop()
            {
                reading.add(self.read(&next));
            }
            if reading.used || !query.used_only {
                return Some((first.name, reading));
            }
        }
    }

    fn expand(&mut self, source: Arc<dyn Source>, store: &StoreCore, query: &StatsQuery) {
        let slot = self.open.iter().position(|(source, _)| source.is_none());
        let slot = slot.unwrap_or(self.open.len());
        let mut count = 0;
        source.each(&mut |index, kind, rest| {
            if !self.phase.shows(kind, query.kinds) {
                return;
            }
            let mut name = String::with_capacity(source.prefix().len() + rest.len());
            name.push_str(source.prefix());
            name.push_str(rest);
            if query.wants(&name) && store.config.matcher.accepts(&name) {
                count += 1;
                self.stats.push(Reverse(Entry {
                    name,
                    kind,
                    source: slot,
                    index,
                }));
            }
        });
        if count == 0 {
            return;
        }
        if slot == self.open.len() {
            self.open.push((Some(source), count));
        } else {
            self.open[slot] = (Some(source), count);
        }
    }

    fn read(&mut self, entry: &Entry) -> Reading {
        let (source, left) = &mut self.open[entry.source];
        let reading = source
            .as_ref()
            .expect("a source stays open while it has stats to show")
            .read(entry.index);
        *left -= 1;
        if *left == 0 {
            *source = None;
        }
        reading
    }
}
