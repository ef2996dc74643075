//! The streams that are open, and which of those before were reset by us.

use super::stream::Stream;
use std::collections::VecDeque;

/// The places of so many streams are kept for the next.
const FEW: usize = 4;

/// The open streams by their numbers.
#[derive(Default)]
pub(super) struct Streams {
    /// Streams, and places for others.
    slots: Vec<Slot>,
    free: Vec<u32>,
    places: Places,
    /// Those that may send, in turn.
    pub ready: VecDeque<u32>,
    reset: ResetByUs,
}

struct Slot {
    /// 0: there is none here.
    id: u32,
    stream: Stream,
}

impl Streams {
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn get(&self, id: u32) -> Option<&Stream> {
        let at = self.places.find(id)?;
        Some(&self.slots[at].stream)
    }

    pub fn get_mut(&mut self, id: u32) -> Option<&mut Stream> {
        let at = self.places.find(id)?;
        Some(&mut self.slots[at].stream)
    }

    /// Adds a stream; there is none of this number.
    pub fn insert(&mut self, id: u32, stream: Stream) -> &mut Stream {
        let slot = Slot { id, stream };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at as usize
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        };
        self.places.insert(id, at, self.slots.len());
        &mut self.slots[at].stream
    }

    /// Forgets a stream, of which is told what it had.
    pub fn remove(&mut self, id: u32) -> Option<Removed> {
        let at = self.places.remove(id)?;
        self.free.push(at as u32);
        let slot = &mut self.slots[at];
        slot.id = 0;
        let removed = Removed {
            receives: slot.stream.receives,
            unreleased: slot.stream.unreleased,
            waiting: slot.stream.waiting.len(),
        };
        slot.stream.let_go();
        Some(removed)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Stream)> {
        let open = self.slots.iter_mut().filter(|slot| slot.id != 0);
        open.map(|slot| (slot.id, &mut slot.stream))
    }

    /// Lets a stream send when its turn comes.
    pub fn queue(&mut self, id: u32) {
        if let Some(stream) = self.get_mut(id)
            && !stream.queued
            && stream.can_send()
        {
            stream.queued = true;
            self.ready.push_back(id);
        }
    }

    /// Gives memory back where there is no stream.
    pub fn rest(&mut self) {
        if self.len() == 0 && self.slots.len() > FEW {
            self.slots = Vec::new();
            self.free = Vec::new();
            self.places = Places::default();
        }
    }

    /// We have reset it: what the peer sent before it knows is no error.
    pub fn note_reset(&mut self, id: u32) {
        self.reset.add(id);
    }

    /// The peer has reset it too: what comes after that can't be of before.
    pub fn forget_reset(&mut self, id: u32) {
        self.reset.last.retain(|other| *other != id);
    }

    /// Whether frames on a closed stream may be of the time before our reset.
    pub fn may_be_late(&self, id: u32) -> bool {
        self.reset.has(id)
    }
}

/// What is to be known of a stream that was removed.
pub(super) struct Removed {
    /// Its peer has not ended it.
    pub receives: bool,
    /// What was received of it and not taken on.
    pub unreleased: u32,
    /// How much of it was not sent.
    pub waiting: usize,
}

/// Where streams are by their numbers: a table in which each stands where its number says, or as
/// close behind that as there was room. Consecutive numbers stand well apart.
#[derive(Default)]
struct Places(Vec<Place>);

#[derive(Clone, Copy, Default)]
struct Place {
    /// 0: there is none here.
    id: u32,
    slot: u32,
}

impl Places {
    /// Where the number says.
    fn home(&self, id: u32) -> usize {
        (u64::from(id >> 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & self.last()
    }

    fn last(&self) -> usize {
        self.0.len().wrapping_sub(1)
    }

    fn find(&self, id: u32) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        let place = self.0[self.position(id)];
        (place.id == id && id != 0).then_some(place.slot as usize)
    }

    /// Where a number stands, or would.
    fn position(&self, id: u32) -> usize {
        let mut at = self.home(id);
        while self.0[at].id != id && self.0[at].id != 0 {
            at = (at + 1) & self.last();
        }
        at
    }

    /// Adds a number that is not there; all in all there are no more than `count`.
    fn insert(&mut self, id: u32, slot: usize, count: usize) {
        if self.0.len() < 2 * count {
            let old = std::mem::take(&mut self.0);
            self.0 = vec![Place::default(); (4 * count).next_power_of_two()];
            for place in old.into_iter().filter(|place| place.id != 0) {
                let at = self.position(place.id);
                self.0[at] = place;
            }
        }
        let at = self.position(id);
        let slot = slot as u32;
        self.0[at] = Place { id, slot };
    }

    fn remove(&mut self, id: u32) -> Option<usize> {
        let slot = self.find(id)?;
        let mut hole = self.position(id);
        let mut at = hole;
        // Those behind it move up, but for those that would stand in front of their home.
        loop {
            at = (at + 1) & self.last();
            let place = self.0[at];
            if place.id == 0 {
                break;
            }
            let from_home = at.wrapping_sub(self.home(place.id)) & self.last();
            if from_home >= at.wrapping_sub(hole) & self.last() {
                self.0[hole] = place;
                hole = at;
            }
        }
        self.0[hole] = Place::default();
        Some(slot)
    }
}

/// The streams that were reset by us last. Of older ones nobody knows any more, so that all of
/// them count as reset.
#[derive(Default)]
struct ResetByUs {
    last: VecDeque<u32>,
    forgotten: u32,
}

impl ResetByUs {
    const KEPT: usize = 64;

    fn add(&mut self, id: u32) {
        if self.last.len() == Self::KEPT
            && let Some(oldest) = self.last.pop_front()
        {
            self.forgotten = self.forgotten.max(oldest);
        }
        self.last.push_back(id);
    }

    fn has(&self, id: u32) -> bool {
        id <= self.forgotten || self.last.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_found_by_their_numbers() {
        let mut streams = Streams::default();
        let mut open: Vec<u32> = Vec::new();
        let mut seed = 1_u32;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % below
        };
        let mut next = 1;
        for round in 0..20_000 {
            // Some that stay long, some that stand in one another's way.
            let is_full = open.len() > [3, 40, 200][round / 7000];
            if open.is_empty() || (!is_full && random(2) == 0) {
                next += [2, 2, 2, 64, 512][random(5)];
                let mut stream = Stream::new(next, 0);
                stream.unreleased = next;
                streams.insert(next, stream);
                open.push(next);
            } else {
                let id = open.swap_remove(random(open.len()));
                assert_eq!(streams.remove(id).map(|stream| stream.unreleased), Some(id));
                assert!(streams.remove(id).is_none() && streams.get(id).is_none());
            }
            assert_eq!(streams.len(), open.len());
            for &id in &open {
                assert_eq!(streams.get(id).map(|stream| stream.unreleased), Some(id));
            }
            assert!(streams.get(next + 2).is_none() && streams.get(0).is_none());
        }
        let mut all: Vec<u32> = streams.iter_mut().map(|(id, _)| id).collect();
        all.sort_unstable();
        open.sort_unstable();
        assert_eq!(all, open);
        assert!(open.iter().all(|id| streams.remove(*id).is_some()));
        streams.rest();
        assert!(streams.get(1).is_none() && streams.len() == 0);
    }
}
