//! A chain of byte slices: what flows through filters and codecs without being copied.

use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;
use std::fmt;

/// A slice shorter than this is copied when it must outlive the read that brought it
/// ([`Buffer::compact`]): else a few bytes would pin a whole read block.
const SMALL: usize = 4096;
/// How often a buffer looks for slices that are small, in slices.
const RUN: usize = 64;

/// A chain of `Bytes`. One slice, the common case, needs no allocation of its own.
#[derive(Default)]
pub struct Buffer {
    first: Bytes,
    rest: VecDeque<Bytes>,
    len: usize,
}

impl Buffer {
    /// An empty buffer that holds no memory.
    pub const fn new() -> Self {
        Self {
            first: Bytes::new(),
            rest: VecDeque::new(),
            len: 0,
        }
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a slice at the end.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.len += bytes.len();
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = bytes;
        } else {
            self.rest.push_back(bytes);
            if self.rest.len().is_multiple_of(RUN) {
                self.join_small();
            }
        }
    }

    /// Joins the small slices at the end: a peer that sends byte by byte would make us hold
    /// much more than it sends (CVE-2020-12603).
    #[cold]
    fn join_small(&mut self) {
        let small = self
            .rest
            .iter()
            .rev()
            .take_while(|slice| slice.len() < SMALL);
        let (count, bytes) = small.fold((0, 0), |(n, bytes), slice| (n + 1, bytes + slice.len()));
        if count >= RUN / 2 {
            let mut joined = BytesMut::with_capacity(bytes);
            let run = self.rest.drain(self.rest.len() - count..);
            run.for_each(|slice| joined.extend_from_slice(&slice));
            self.rest.push_back(joined.freeze());
        }
    }

    /// Adds a copy of `bytes` at the end.
    pub fn push_copy(&mut self, bytes: &[u8]) {
        self.push(Bytes::copy_from_slice(bytes));
    }

    /// Adds a slice at the front.
    pub fn push_front(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.len += bytes.len();
        let second = std::mem::replace(&mut self.first, bytes);
        if !second.is_empty() {
            self.rest.push_front(second);
        }
    }

    /// Moves everything of `other` to the end of this one.
    pub fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        while let Some(bytes) = other.pop() {
            self.push(bytes);
        }
    }

    /// Takes the first slice.
    pub fn pop(&mut self) -> Option<Bytes> {
        if self.is_empty() {
            return None;
        }
        let next = self.rest.pop_front().unwrap_or_default();
        let bytes = std::mem::replace(&mut self.first, next);
        self.len -= bytes.len();
        Some(bytes)
    }

    /// The first slice, empty only where the buffer is.
    pub fn front(&self) -> &[u8] {
        &self.first
    }

    /// All slices in order.
    pub fn slices(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.first)
            .filter(|first| !first.is_empty())
            .chain(&self.rest)
    }

    /// Drops the first `n` bytes; `n` is at most `len()`.
    pub fn advance(&mut self, mut n: usize) {
        assert!(
            n <= self.len,
            "advancing by {n} in a buffer of {} bytes",
            self.len
        );
        self.len -= n;
        while n >= self.first.len() && n > 0 {
            n -= self.first.len();
            // No empty slice stays, which would keep its block from being used again.
            self.first = self.rest.pop_front().unwrap_or_default();
        }
        self.first.advance(n);
    }

    /// Takes the first `n` bytes as a buffer; `n` is at most `len()`.
    pub fn split_to(&mut self, mut n: usize) -> Self {
        assert!(
            n <= self.len,
            "splitting {n} off a buffer of {} bytes",
            self.len
        );
        let mut taken = Self::new();
        self.len -= n;
        while n >= self.first.len() && n > 0 {
            n -= self.first.len();
            let next = self.rest.pop_front().unwrap_or_default();
            taken.push(std::mem::replace(&mut self.first, next));
        }
        if n > 0 {
            taken.push(self.first.split_to(n));
        }
        taken
    }

    /// All bytes in one slice: a clone where there is one slice, else a copy.
    pub fn to_bytes(&self) -> Bytes {
        if self.rest.is_empty() {
            return self.first.clone();
        }
        let mut all = BytesMut::with_capacity(self.len);
        for slice in self.slices() {
            all.extend_from_slice(slice);
        }
        all.freeze()
    }

    /// Copies out slices that are small beside the read block they are cut from, for a buffer that
    /// is kept beyond this turn of the loop.
    pub fn compact(&mut self) {
        if self.rest.is_empty() {
            if self.first.len() < SMALL {
                self.first = Bytes::copy_from_slice(&self.first);
            }
        } else if self.len < SMALL {
            let all = self.to_bytes();
            self.clear();
            self.push(all);
        } else {
            for slice in std::iter::once(&mut self.first).chain(&mut self.rest) {
                if slice.len() < SMALL {
                    *slice = Bytes::copy_from_slice(slice);
                }
            }
        }
    }

    /// Drops all bytes.
    pub fn clear(&mut self) {
        self.first = Bytes::new();
        self.rest.clear();
        self.len = 0;
    }

    /// Fills `slices` with the first slices, for a vectored write; how many it set.
    pub fn io_slices<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slot, bytes) in slices.iter_mut().zip(self.slices()) {
            *slot = std::io::IoSlice::new(bytes);
            count += 1;
        }
        count
    }
}

impl Clone for Buffer {
    /// Shares the slices: nothing is copied.
    fn clone(&self) -> Self {
        Self {
            first: self.first.clone(),
            rest: self.rest.clone(),
            len: self.len,
        }
    }
}

impl From<Bytes> for Buffer {
    fn from(bytes: Bytes) -> Self {
        let len = bytes.len();
        Self {
            first: bytes,
            rest: VecDeque::new(),
            len,
        }
    }
}

impl From<&'static str> for Buffer {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<String> for Buffer {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_bytes())
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.to_bytes() == other.to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(parts: &[&'static str]) -> Buffer {
        let mut buffer = Buffer::new();
        for part in parts {
            buffer.push(Bytes::from_static(part.as_bytes()));
        }
        buffer
    }

    #[test]
    fn splits_and_advances_across_slices() {
        let all = "abcdefgh";
        for parts in [
            &["abcdefgh"][..],
            &["a", "bcd", "efgh"],
            &["abcd", "", "efg", "h"],
        ] {
            for at in 0..=all.len() {
                let mut tail = buffer(parts);
                let head = tail.split_to(at);
                assert_eq!(
                    (head.to_bytes(), tail.to_bytes()),
                    (all[..at].into(), all[at..].into())
                );
                let mut rest = buffer(parts);
                rest.advance(at);
                assert_eq!(
                    (rest.to_bytes(), rest.len()),
                    (Bytes::from(&all[at..]), all.len() - at)
                );
            }
        }
    }

    #[test]
    fn nothing_is_held_by_what_was_taken() {
        let block = Bytes::from(vec![b'x'; 8]);
        let mut buffer = Buffer::from(block.clone());
        buffer.push(block.slice(..4));
        assert_eq!(buffer.split_to(3).len(), 3);
        buffer.advance(7);
        assert_eq!(buffer.split_to(2).len(), 2);
        assert!(buffer.is_empty() && block.is_unique());
    }

    #[test]
    fn joins_and_takes() {
        let mut a = buffer(&["ab", "c"]);
        let mut b = buffer(&["d", "ef"]);
        a.append(&mut b);
        a.push_front(Bytes::from_static(b"_"));
        assert!(b.is_empty());
        assert_eq!(a.to_bytes(), "_abcdef");
        a.compact();
        assert_eq!(a.slices().count(), 1);
        assert_eq!(a.pop(), Some("_abcdef".into()));
        assert_eq!((a.pop(), a.len()), (None, 0));
    }
}
