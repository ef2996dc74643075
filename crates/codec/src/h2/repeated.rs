//! Heads that come again and again, byte for byte: clients ask for the same things in the same
//! words, and a block that leaves the dynamic table as it is means the same until something else
//! changes the table. It is read once.

use super::head::HeadKind;
use nuncio_base::HeaderMap;

/// How many blocks are kept.
const KEPT: usize = 4;
/// Longer blocks are not kept, nor heads with more bytes than this.
const LONGEST: usize = 1024;
const LARGEST: usize = 4096;
/// As many bytes may an idle connection keep.
const LARGEST_IDLE: usize = 1024;

/// The blocks that came last.
#[derive(Default)]
pub(super) struct Repeated {
    kept: Vec<Kept>,
    /// Which of them makes room for the next.
    next: usize,
}

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
        if kind == HeadKind::Trailers {
            return None;
        }
        let kept = self.kept.iter().find(|kept| kept.is(block, changes))?;
        kept.head.as_ref()
    }

    /// A block was read, and there is nothing else to be known of it than its head; the table had
    /// been changed so often before and behind it.
    pub fn note(&mut self, kind: HeadKind, block: &[u8], changes: (u64, u64), head: &HeaderMap) {
        let is_small = block.len() <= LONGEST && head.byte_size() <= LARGEST;
        if changes.0 != changes.1 || !is_small || kind == HeadKind::Trailers {
            return;
        }
        let mut kept = self.kept.iter_mut();
        if let Some(kept) = kept.find(|kept| kept.is(block, changes.0)) {
            kept.head = Some(head.clone());
        } else if let Some(kept) = self.kept.get_mut(self.next) {
            kept.block.clear();
            kept.block.extend_from_slice(block);
            (kept.changes, kept.head) = (changes.0, None);
            self.next = (self.next + 1) % KEPT;
        } else {
            self.kept.reserve_exact(1);
            self.kept.push(Kept {
                block: block.to_vec(),
                changes: changes.0,
                head: None,
            });
            self.next = self.kept.len() % KEPT;
        }
    }

    /// Gives memory back that an idle connection need not hold. One that asks now and then, for the
    /// same thing, is told from one that asked for much.
    pub fn rest(&mut self) {
        let bytes = |kept: &Kept| {
            let head = kept.head.as_ref();
            kept.block.len() + head.map_or(0, HeaderMap::byte_size)
        };
        if self.kept.len() > 1 || self.kept.iter().map(bytes).sum::<usize>() > LARGEST_IDLE {
            *self = Self::default();
        }
    }
}

impl Kept {
    fn is(&self, block: &[u8], changes: u64) -> bool {
        self.changes == changes && self.block == block
    }
}
