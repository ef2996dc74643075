//! Which known names a header map has.

use crate::header_name::Known;

/// A set of known names: a bit for each.
#[derive(Clone, Copy, Default)]
pub struct KnownNames([u64; 2]);

impl KnownNames {
    /// The set of these names.
    pub const fn of(names: &[Known]) -> Self {
        let (mut set, mut at) = (Self([0; 2]), 0);
        while at < names.len() {
            set.add(names[at]);
            at += 1;
        }
        set
    }

    /// Whether a name is in it.
    pub fn has(self, known: Known) -> bool {
        self.0[(known.index() >> 6 & 1) as usize] >> (known.index() & 63) & 1 != 0
    }

    pub(super) fn has_any(self, others: Self) -> bool {
        self.0[0] & others.0[0] | self.0[1] & others.0[1] != 0
    }

    pub(super) const fn add(&mut self, known: Known) {
        self.0[(known.index() >> 6 & 1) as usize] |= 1 << (known.index() & 63);
    }

    pub(super) fn remove(&mut self, known: Known) {
        self.0[(known.index() >> 6 & 1) as usize] &= !(1 << (known.index() & 63));
    }
}
