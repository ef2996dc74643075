//! Which known names a header map has.

use crate::header_name::Known;

/// A bit for each known name.
#[derive(Clone, Copy, Default)]
pub(super) struct Present([u64; 2]);

impl Present {
    pub fn has(self, known: Known) -> bool {
        self.0[usize::from(known.index() >> 6 & 1)] >> (known.index() & 63) & 1 != 0
    }

    pub fn add(&mut self, known: Known) {
        self.0[usize::from(known.index() >> 6 & 1)] |= 1 << (known.index() & 63);
    }

    pub fn remove(&mut self, known: Known) {
        self.0[usize::from(known.index() >> 6 & 1)] &= !(1 << (known.index() & 63));
    }
}
