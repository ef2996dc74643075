//! When bytes of one direction are bulk, so that the kernel should move them.

use super::Splice;

/// A read of at least this many bytes filled (almost) all there was room for.
const FULL_READ: u64 = 32 * 1024;

/// So many full reads in a row are bulk.
const BULK_AFTER: u8 = 2;

/// A turn of splicing that moved less is no bulk.
const SMALL_TURN: u64 = 16 * 1024;

/// So many small turns in a row end splicing: for small messages a pipe is no gain.
const SMALL_ENDS_AFTER: u8 = 8;

/// One direction of a proxied connection.
#[derive(Debug, Default)]
pub struct Direction {
    full_reads: u8,
    small_turns: u8,
    splice: Option<Box<Splice>>,
}

impl Direction {
    /// An ordinary read brought so many bytes.
    pub fn on_read(&mut self, bytes: u64) {
        self.full_reads = if bytes >= FULL_READ {
            self.full_reads.saturating_add(1)
        } else {
            0
        };
    }

    /// Bulk was announced: it is, unless the next read says otherwise.
    pub fn expect(&mut self) {
        self.full_reads = BULK_AFTER;
    }

    /// Whether the last reads were bulk.
    pub fn is_bulk(&self) -> bool {
        self.full_reads >= BULK_AFTER
    }

    /// Begins to splice.
    pub fn start(&mut self) {
        self.small_turns = 0;
        self.splice.get_or_insert_default();
    }

    /// The splice, if bytes are spliced.
    pub fn splice(&mut self) -> Option<&mut Splice> {
        self.splice.as_deref_mut()
    }

    /// Whether bytes wait in the pipe.
    pub fn holds_bytes(&self) -> bool {
        self.splice
            .as_ref()
            .is_some_and(|splice| splice.holds_bytes())
    }

    /// Whether bytes are spliced.
    pub fn is_splicing(&self) -> bool {
        self.splice.is_some()
    }

    /// A turn of splicing found no more after so many bytes; whether splicing should end.
    pub fn on_drained(&mut self, bytes: u64) -> bool {
        match bytes {
            0 => {}
            _ if bytes < SMALL_TURN => self.small_turns += 1,
            _ => self.small_turns = 0,
        }
        self.small_turns >= SMALL_ENDS_AFTER
    }

    /// Goes back to ordinary reads; the pipe, if it still holds bytes.
    pub fn stop(&mut self) -> Option<Box<Splice>> {
        self.full_reads = 0;
        self.splice.take().filter(|splice| splice.holds_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bulk_is_what_fills_reads_in_a_row() {
        for (reads, expected) in [
            (&[][..], false),
            (&[60_000], false),
            (&[60_000, 60_000], true),
            (&[60_000, 100, 60_000], false),
            (&[100, 60_000, 60_000, 60_000], true),
            (&[60_000, 60_000, 100], false),
        ] {
            let mut direction = Direction::default();
            reads.iter().for_each(|bytes| direction.on_read(*bytes));
            assert_eq!(direction.is_bulk(), expected, "{reads:?}");
        }
    }

    #[test]
    fn what_was_announced_is_bulk_while_reads_are_full() {
        let mut direction = Direction::default();
        direction.expect();
        assert!(direction.is_bulk());
        direction.on_read(60_000);
        assert!(direction.is_bulk());
        direction.on_read(1000);
        assert!(!direction.is_bulk());
    }

    #[test]
    fn small_turns_end_splicing() {
        let mut direction = Direction::default();
        direction.start();
        assert!(direction.is_splicing());
        let mut turns = [5, 0, 5, 1_000_000, 5, 5, 5, 5, 0, 5, 5, 5].iter();
        assert!(!turns.any(|bytes| direction.on_drained(*bytes)));
        assert!(direction.on_drained(5));
        assert!(direction.stop().is_none() && !direction.is_splicing());
    }
}
