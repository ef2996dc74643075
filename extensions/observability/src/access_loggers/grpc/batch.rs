//! Entries that wait to be sent together. No I/O.

use super::service::EntryKind;
use super::wire;
use std::time::{Duration, Instant};

/// How much may wait beyond the configured size, in bytes, while the service takes nothing.
const ROOM: usize = 1 << 20;

/// When a batch is sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BatchSettings {
    /// As soon as it has so many bytes; zero: at once.
    pub size: usize,
    /// So long after its first entry.
    pub interval: Duration,
}

/// The entries.
#[derive(Debug)]
pub struct Batch {
    settings: BatchSettings,
    /// The encoded list.
    entries: Vec<u8>,
    due: Option<Instant>,
}

impl Batch {
    /// No entries.
    pub fn new(settings: BatchSettings) -> Self {
        Self {
            settings,
            entries: Vec::new(),
            due: None,
        }
    }

    /// Whether there is room for another entry.
    pub fn has_room(&self) -> bool {
        self.entries.len() < self.settings.size.saturating_add(ROOM)
    }

    /// Adds an encoded entry; whether the batch has to be looked at: it has just become full, or
    /// has its first entry.
    pub fn push(&mut self, entry: &[u8], now: Instant) -> bool {
        let first = self.due.is_none();
        let was_full = self.is_full();
        wire::put_entry(&mut self.entries, entry);
        if first {
            self.due = Some(now + self.settings.interval);
        }
        first || (self.is_full() && !was_full)
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= self.settings.size
    }

    /// When it is sent at the latest; none while there is nothing.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether it is to be sent now.
    pub fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now || self.is_full())
    }

    /// The message with all entries.
    pub fn take(&mut self, kind: EntryKind, identifier: Option<&[u8]>) -> Vec<u8> {
        self.due = None;
        let message = wire::message(kind, &self.entries, identifier);
        self.entries.clear();
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_due_when_full_or_old() {
        let start = nuncio_base::time::monotonic();
        let interval = Duration::from_secs(1);
        let mut batch = Batch::new(BatchSettings { size: 10, interval });
        assert!(batch.due().is_none() && !batch.is_due(start));
        assert!(batch.push(b"1234", start));
        assert!(!batch.is_due(start));
        assert!(batch.is_due(start + interval));
        assert!(batch.push(b"1234", start + interval / 2));
        assert!(batch.is_due(start));
        assert!(!batch.push(b"1234", start));
        let message = batch.take(EntryKind::Http, Some(b"me"));
        assert_eq!(&message[..6], b"\x0a\x02me\x12\x12");
        assert!(batch.due().is_none());
        let full = vec![0; ROOM + 10];
        batch.push(&full, start);
        assert!(!batch.has_room());
    }
}
