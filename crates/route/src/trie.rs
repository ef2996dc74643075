//! A compressed trie over byte strings: which of many keys begin a text, in one walk over it.
//!
//! Built once, read by all workers. A node's children lie side by side, their first bytes too, so
//! that a step is one short search in a few neighbouring bytes.

/// Finds the keys that are prefixes of a text.
#[derive(Debug, Default)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
    /// The first byte of each node's label, by node.
    firsts: Vec<u8>,
    labels: Vec<u8>,
}

#[derive(Debug)]
struct Node {
    label: (u32, u32),
    children: (u32, u32),
    /// The number of the key that ends here, or `NONE`.
    key: u32,
}

const NONE: u32 = u32::MAX;

impl Trie {
    /// Builds a trie of distinct keys, which are known by their number in the sorted list.
    pub(crate) fn new(keys: &[&[u8]]) -> Self {
        debug_assert!(keys.is_sorted(), "keys are sorted");
        let mut trie = Self::default();
        if keys.is_empty() {
            return trie;
        }
        trie.add_node(b"");
        // Nodes whose children are yet to be made: the node, its keys, how much of them is read.
        let mut open = vec![(0, 0..keys.len(), 0)];
        while let Some((node, mut range, depth)) = open.pop() {
            if let Some(first) = keys.get(range.start)
                && !range.is_empty()
                && first.len() == depth
            {
                trie.nodes[node].key = range.start as u32;
                range.start += 1;
            }
            let start = trie.nodes.len();
            while !range.is_empty() {
                let first = keys[range.start];
                let byte = first[depth];
                let count = keys[range.clone()].partition_point(|key| key[depth] <= byte);
                let last = keys[range.start + count - 1];
                let shared = common_prefix(&first[depth..], &last[depth..]);
                let child = trie.add_node(&first[depth..depth + shared]);
                open.push((child, range.start..range.start + count, depth + shared));
                range.start += count;
            }
            trie.nodes[node].children = (start as u32, trie.nodes.len() as u32);
        }
        trie
    }

    fn add_node(&mut self, label: &[u8]) -> usize {
        let start = self.labels.len() as u32;
        self.labels.extend_from_slice(label);
        self.firsts.push(label.first().copied().unwrap_or(0));
        self.nodes.push(Node {
            label: (start, self.labels.len() as u32),
            children: (0, 0),
            key: NONE,
        });
        self.nodes.len() - 1
    }

    /// The keys that `text` begins with, the shortest first: their numbers and lengths.
    pub(crate) fn prefixes<'a>(
        &'a self,
        text: impl Iterator<Item = u8> + Clone + 'a,
    ) -> impl Iterator<Item = (usize, usize)> + 'a {
        let mut state = Some((0_usize, 0_usize));
        let mut text = text;
        std::iter::from_fn(move || {
            while let Some((node, depth)) = state {
                let here = self.nodes.get(node)?;
                state = self
                    .step(here, &mut text)
                    .map(|(child, length)| (child, depth + length));
                if here.key != NONE {
                    return Some((here.key as usize, depth));
                }
            }
            None
        })
    }

    /// The child whose label goes on the text, and how long that label is.
    fn step(
        &self,
        node: &Node,
        text: &mut (impl Iterator<Item = u8> + Clone),
    ) -> Option<(usize, usize)> {
        let (start, end) = (node.children.0 as usize, node.children.1 as usize);
        if start == end {
            return None;
        }
        let byte = text.next()?;
        let at = self.firsts[start..end]
            .iter()
            .position(|first| *first == byte)?;
        let child = &self.nodes[start + at];
        let label = &self.labels[child.label.0 as usize + 1..child.label.1 as usize];
        for expected in label {
            if text.next()? != *expected {
                return None;
            }
        }
        Some((start + at, label.len() + 1))
    }
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(keys: &[&str], text: &str) -> Vec<String> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        let bytes: Vec<_> = keys.iter().map(|key| key.as_bytes()).collect();
        Trie::new(&bytes)
            .prefixes(text.bytes())
            .map(|(key, length)| {
                assert_eq!(keys[key].len(), length);
                keys[key].to_owned()
            })
            .collect()
    }

    #[test]
    fn all_prefixes_the_shortest_first() {
        let keys = ["", "/", "/api", "/api/v1", "/api/v2", "/apple", "/b", "x"];
        for (text, expected) in [
            ("/api/v1/x", "|/|/api|/api/v1"),
            ("/api/v", "|/|/api"),
            ("/appl", "|/"),
            ("/apple", "|/|/apple"),
            ("/", "|/"),
            ("", ""),
            ("x", "|x"),
            ("y", ""),
        ] {
            assert_eq!(found(&keys, text).join("|"), expected, "{text}");
        }
        assert!(found(&[], "a").is_empty());
    }

    #[test]
    fn deep_chains_do_not_recurse() {
        let long = "a".repeat(20_000);
        let keys: Vec<_> = (1..=long.len()).map(|end| &long[..end]).collect();
        assert_eq!(found(&keys, &long).len(), keys.len());
    }
}
