//! Address ranges (`envoy.config.core.v3.CidrRange`): one, a list, and a trie that finds the
//! most specific of many.

use crate::error::InvalidMatcher;
use std::net::IpAddr;

/// The addresses that share a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CidrRange {
    v6: bool,
    /// The address's bits, left-aligned, those behind the prefix cleared.
    bits: u128,
    length: u8,
}

impl CidrRange {
    /// The addresses whose first `length` bits are those of `address`. A length that is too
    /// large for the address means all of its bits, as in Envoy.
    pub fn new(address: IpAddr, length: u32) -> Self {
        let (v6, bits) = bits_of(address);
        let length = length.min(if v6 { 128 } else { 32 }) as u8;
        Self {
            v6,
            bits: bits & mask(length),
            length,
        }
    }

    /// Reads an address as config has it.
    ///
    /// # Errors
    /// Where the text is no IP address, with Envoy's words.
    pub fn parse(address: &str, length: u32) -> Result<Self, InvalidMatcher> {
        let address = address
            .parse()
            .map_err(|_| InvalidMatcher::new(format!("malformed IP address: {address}")))?;
        Ok(Self::new(address, length))
    }

    /// Whether the address is in the range. Families are kept apart.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (v6, bits) = bits_of(address);
        v6 == self.v6 && bits & mask(self.length) == self.bits
    }

    /// The first address.
    pub fn address(&self) -> IpAddr {
        match self.v6 {
            true => IpAddr::V6(self.bits.into()),
            false => IpAddr::V4(((self.bits >> 96) as u32).into()),
        }
    }

    /// The prefix's length in bits.
    pub fn length(&self) -> u8 {
        self.length
    }
}

/// Any of some ranges.
#[derive(Clone, Debug, Default)]
pub struct CidrList(Box<[CidrRange]>);

impl CidrList {
    /// Matches the addresses of all `ranges`.
    pub fn new(ranges: Vec<CidrRange>) -> Self {
        Self(ranges.into())
    }

    /// Whether there is no range.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of the ranges has the address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|range| range.contains(address))
    }
}

/// `envoy.type.matcher.v3.AddressMatcher`.
#[derive(Clone, Debug)]
pub struct AddressMatcher {
    ranges: CidrList,
    invert: bool,
}

impl AddressMatcher {
    /// Matches addresses in `ranges`; `invert` turns the answer.
    pub fn new(ranges: CidrList, invert: bool) -> Self {
        Self { ranges, invert }
    }

    /// Whether the address matches.
    pub fn matches(&self, address: IpAddr) -> bool {
        self.ranges.contains(address) != self.invert
    }
}

/// Values by address range; the longest prefix that holds an address wins.
///
/// One sorted list for each prefix length in use: at most 33 or 129 binary searches, in practice
/// a handful, and no pointers to follow.
#[derive(Clone, Debug)]
pub struct CidrTrie<T> {
    v4: Vec<Level<T>>,
    v6: Vec<Level<T>>,
}

#[derive(Clone, Debug)]
struct Level<T> {
    length: u8,
    entries: Vec<(u128, T)>,
}

impl<T> CidrTrie<T> {
    /// Builds it; of entries with the same range the first stays.
    pub fn new(entries: impl IntoIterator<Item = (CidrRange, T)>) -> Self {
        let mut trie = Self {
            v4: Vec::new(),
            v6: Vec::new(),
        };
        for (range, value) in entries {
            let levels = if range.v6 { &mut trie.v6 } else { &mut trie.v4 };
            let at = match levels.iter().position(|level| level.length == range.length) {
                Some(at) => at,
                None => {
                    levels.push(Level {
                        length: range.length,
                        entries: Vec::new(),
                    });
                    levels.len() - 1
                }
            };
            levels[at].entries.push((range.bits, value));
        }
        for level in trie.v4.iter_mut().chain(&mut trie.v6) {
            level.entries.sort_by_key(|(bits, _)| *bits);
            level.entries.dedup_by_key(|(bits, _)| *bits);
        }
        trie.v4.sort_by_key(|level| u8::MAX - level.length);
        trie.v6.sort_by_key(|level| u8::MAX - level.length);
        trie
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// The value of the longest prefix that holds the address.
    pub fn find(&self, address: IpAddr) -> Option<&T> {
        self.all(address).next()
    }

    /// The values of all prefixes that hold the address, the longest first.
    pub fn all(&self, address: IpAddr) -> impl Iterator<Item = &T> {
        let (v6, bits) = bits_of(address);
        let levels = if v6 { &self.v6 } else { &self.v4 };
        levels.iter().filter_map(move |level| {
            let prefix = bits & mask(level.length);
            let at = level
                .entries
                .binary_search_by_key(&prefix, |(bits, _)| *bits)
                .ok()?;
            Some(&level.entries[at].1)
        })
    }
}

fn bits_of(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(v4) => (false, u128::from(v4.to_bits()) << 96),
        IpAddr::V6(v6) => (true, v6.to_bits()),
    }
}

fn mask(length: u8) -> u128 {
    match length {
        0 => 0,
        length => u128::MAX << (128 - u32::from(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn range(text: &str) -> CidrRange {
        let (address, length) = text.split_once('/').unwrap();
        CidrRange::parse(address, length.parse().unwrap()).unwrap()
    }

    #[test]
    fn ranges_hold_their_addresses() {
        for (cidr, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.1.2.3/8", "10.0.0.1", "9.255.255.255"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
            ("::/0", "::1", "1.2.3.4"),
            ("127.0.0.1/32", "127.0.0.1", "127.0.0.2"),
            ("127.0.0.1/99", "127.0.0.1", "127.0.0.2"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"),
        ] {
            assert!(range(cidr).contains(ip(inside)), "{cidr} {inside}");
            assert!(!range(cidr).contains(ip(outside)), "{cidr} {outside}");
        }
        assert!(CidrRange::parse("10.0.0", 8).is_err());
        let list = CidrList::new(vec![range("10.0.0.0/8"), range("::1/128")]);
        assert!(list.contains(ip("::1")) && !list.contains(ip("::2")));
        assert!(AddressMatcher::new(list, true).matches(ip("::2")));
    }

    #[test]
    fn the_longest_prefix_wins() {
        let trie = CidrTrie::new([
            (range("0.0.0.0/0"), "any"),
            (range("10.0.0.0/8"), "ten"),
            (range("10.1.0.0/16"), "ten one"),
            (range("10.1.0.0/16"), "again"),
            (range("::1/128"), "self"),
        ]);
        for (address, value) in [
            ("10.1.2.3", Some("ten one")),
            ("10.2.2.3", Some("ten")),
            ("9.9.9.9", Some("any")),
            ("::1", Some("self")),
            ("::2", None),
        ] {
            assert_eq!(trie.find(ip(address)).copied(), value, "{address}");
        }
        let all: Vec<_> = trie.all(ip("10.1.2.3")).copied().collect();
        assert_eq!(all, ["ten one", "ten", "any"]);
    }
}
