//! Earliest deadline first: picks entries in proportion to their weights, as evenly spread as
//! weights allow (Envoy's `edf_scheduler.h`).

use std::cmp::Ordering;
use std::collections::BinaryHeap;

#[derive(PartialEq)]
struct Entry {
    deadline: f64,
    /// Entries with the same deadline go in the order in which they were added.
    order: u64,
    index: usize,
}

impl Eq for Entry {}

impl Ord for Entry {
    /// The heap gives its greatest first: that is the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .deadline
            .total_cmp(&self.deadline)
            .then(other.order.cmp(&self.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A schedule over the indices of a list.
#[derive(Default)]
pub struct EdfScheduler {
    queue: BinaryHeap<Entry>,
    now: f64,
    order: u64,
}

impl EdfScheduler {
    /// A schedule of `(index, weight)` entries as it stands after `picks` picks, so that workers
    /// don't all begin with the same entry. Indices ascend, weights are above 0.
    pub fn new(entries: &[(usize, f64)], picks: u32) -> Self {
        let mut scheduler = Self::default();
        let total: f64 = entries.iter().map(|(_, weight)| weight).sum();
        let mut done = 0;
        for (index, weight) in entries {
            // Each entry has been picked its whole share; what is left is picked one by one.
            let picked = (f64::from(picks) * weight / total).floor();
            done += picked as u32;
            scheduler.now = scheduler.now.max(picked / weight);
            scheduler.push(*index, (picked + 1.0) / weight);
        }
        for _ in done..picks {
            scheduler.pick(|picked| {
                let at = entries.binary_search_by_key(&picked, |(index, _)| *index);
                at.map_or(1.0, |at| entries[at].1)
            });
        }
        scheduler
    }

    fn push(&mut self, index: usize, deadline: f64) {
        self.queue.push(Entry {
            deadline,
            order: self.order,
            index,
        });
        self.order += 1;
    }

    /// The next index; it comes again after a time in inverse proportion to its `weight` now.
    pub fn pick(&mut self, weight: impl FnOnce(usize) -> f64) -> Option<usize> {
        let Entry {
            deadline, index, ..
        } = self.queue.pop()?;
        self.now = self.now.max(deadline);
        self.push(index, self.now + 1.0 / weight(index));
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(weights: &[f64], picks: u32, count: usize) -> Vec<usize> {
        let entries: Vec<_> = weights.iter().copied().enumerate().collect();
        let mut edf = EdfScheduler::new(&entries, picks);
        (0..count)
            .map(|_| edf.pick(|index| weights[index]).unwrap())
            .collect()
    }

    #[test]
    fn sequences() {
        assert_eq!(sequence(&[1.0, 1.0, 1.0], 0, 6), [0, 1, 2, 0, 1, 2]);
        assert_eq!(sequence(&[1.0, 3.0], 0, 8), [1, 1, 0, 1, 1, 1, 1, 0]);
        assert_eq!(sequence(&[2.0, 1.0, 1.0], 0, 8), [0, 1, 2, 0, 0, 1, 2, 0]);
        assert_eq!(EdfScheduler::new(&[], 7).pick(|_| 1.0), None);
    }

    #[test]
    fn weights_hold_from_any_start() {
        for picks in [0, 1, 5, 1000, u32::MAX] {
            let mut counts = [0; 3];
            for index in sequence(&[1.0, 2.0, 7.0], picks, 1000) {
                counts[index] += 1;
            }
            for (count, expected) in counts.iter().zip([100_i32, 200, 700]) {
                assert!((count - expected).abs() <= 2, "{picks}: {counts:?}");
            }
        }
    }

    #[test]
    fn earlier_picks_are_as_if_made() {
        let weights = [3.0, 5.0, 1.0];
        for picks in 0..40 {
            let all = sequence(&weights, 0, 60);
            let rest = sequence(&weights, picks, 60 - picks as usize);
            let count = |list: &[usize], of| list.iter().filter(|index| **index == of).count();
            for of in 0..3 {
                let difference = count(&all[picks as usize..], of).abs_diff(count(&rest, of));
                assert!(difference <= 1, "{picks} {of}");
            }
        }
    }

    #[test]
    fn a_changed_weight_counts_from_the_next_pick() {
        let mut edf = EdfScheduler::new(&[(0, 1.0), (1, 1.0)], 0);
        let mut counts = [0, 0];
        for _ in 0..100 {
            counts[edf.pick(|index| [4.0, 1.0][index]).unwrap()] += 1;
        }
        assert!(counts[0] >= 79, "{counts:?}");
    }
}
