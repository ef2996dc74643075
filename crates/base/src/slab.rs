//! A slab whose keys die with their values: a stale key finds nothing, never a newer value.

/// A key of a [`Slab`]: slot and generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct SlabKey {
    slot: u32,
    generation: u32,
}

enum Slot<T> {
    Full { generation: u32, value: T },
    Free { generation: u32, next: Option<u32> },
}

/// Values in slots that are reused; O(1) insert and remove.
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Option<u32>,
    len: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: None,
            len: 0,
        }
    }
}

impl<T> Slab<T> {
    /// The number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a value in.
    pub fn insert(&mut self, value: T) -> SlabKey {
        self.len += 1;
        if let Some(slot) = self.free
            && let Some(Slot::Free { generation, next }) = self.slots.get(slot as usize)
        {
            let generation = *generation;
            self.free = *next;
            self.slots[slot as usize] = Slot::Full { generation, value };
            return SlabKey { slot, generation };
        }
        let slot = self.slots.len() as u32;
        self.slots.push(Slot::Full {
            generation: 0,
            value,
        });
        SlabKey {
            slot,
            generation: 0,
        }
    }

    /// The value under `key`, if it still is there.
    pub fn get_mut(&mut self, key: SlabKey) -> Option<&mut T> {
        match self.slots.get_mut(key.slot as usize) {
            Some(Slot::Full { generation, value }) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// Takes the value under `key` out, if it still is there.
    pub fn remove(&mut self, key: SlabKey) -> Option<T> {
        self.get_mut(key)?;
        let slot = &mut self.slots[key.slot as usize];
        let freed = Slot::Free {
            generation: key.generation.wrapping_add(1),
            next: self.free,
        };
        let Slot::Full { value, .. } = std::mem::replace(slot, freed) else {
            return None;
        };
        self.free = Some(key.slot);
        self.len -= 1;
        Some(value)
    }

    /// All values with their keys.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (SlabKey, &mut T)> {
        self.slots
            .iter_mut()
            .enumerate()
            .filter_map(|(slot, entry)| match entry {
                Slot::Full { generation, value } => Some((
                    SlabKey {
                        slot: slot as u32,
                        generation: *generation,
                    },
                    value,
                )),
                Slot::Free { .. } => None,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_keys_find_nothing() {
        let mut slab = Slab::default();
        let a = slab.insert("a");
        let b = slab.insert("b");
        assert_eq!(slab.remove(a), Some("a"));
        let c = slab.insert("c");
        assert_eq!((slab.remove(a), slab.get_mut(a)), (None, None));
        assert_eq!(slab.get_mut(b), Some(&mut "b"));
        assert_eq!(slab.get_mut(c), Some(&mut "c"));
        assert_eq!(slab.len(), 2);
        assert_eq!(
            slab.iter_mut().map(|(_, v)| *v).collect::<Vec<_>>(),
            ["c", "b"]
        );
    }
}
