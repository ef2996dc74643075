//! Heads that come again and again, byte for byte: clients ask for the same things in the same
//! words, and a block that leaves the dynamic table as it is means the same until something else
//! changes the table. It is read once.

use super::head::HeadKind;
use super::hpack::hash;
use nuncio_base::HeaderMap;

/// How many blocks are kept.
const KEPT: usize = 4;
/// Longer blocks are not kept, nor heads with more bytes than this.
const LONGEST: usize = 1024;
const LARGEST: usize = 4096;

/// Blocks that came last, each in the place that its hash says.
#[derive(Default)]
pub(super) struct Repeated(Vec<Kept>);

#[derive(Default)]
struct Kept {
    block: Vec<u8>,
    /// How often the table had been changed.
    changes: u64,
    /// What it means, once it has come twice.
    head: Option<HeaderMap>,
}

impl Repeated {
    /// What the block of a head means, where that is known.
    pub fn find(&self, kind: HeadKind, block: &[u8], changes: u64) -> Option<&HeaderMap> {
        if kind == HeadKind::Trailers || self.0.is_empty() {
            return None;
        }
        let kept = &self.0[place(block)];
        kept.is(block, changes).then_some(kept.head.as_ref())?
    }

    /// A block was read, and there is nothing else to be known of it than its head; the table had
    /// been changed so often before and behind it.
    pub fn note(&mut self, kind: HeadKind, block: &[u8], changes: (u64, u64), head: &HeaderMap) {
        let is_small = block.len() <= LONGEST && head.byte_size() <= LARGEST;
        if changes.0 != changes.1 || !is_small || kind == HeadKind::Trailers {
            return;
        }
        if self.0.is_empty() {
            self.0.resize_with(KEPT, Kept::default);
        }
        let kept = &mut self.0[place(block)];
        if kept.is(block, changes.0) {
            kept.head = Some(head.clone());
        } else {
            kept.block.clear();
            kept.block.extend_from_slice(block);
            (kept.changes, kept.head) = (changes.0, None);
        }
    }

    /// Gives the memory back.
    pub fn forget(&mut self) {
        self.0 = Vec::new();
    }
}

impl Kept {
    fn is(&self, block: &[u8], changes: u64) -> bool {
        self.changes == changes && self.block == block
    }
}

fn place(block: &[u8]) -> usize {
    hash(block, b"") as usize % KEPT
}
