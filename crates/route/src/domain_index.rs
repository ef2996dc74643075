//! Finds the virtual host of a host name: an exact domain, else the longest `*suffix`, else the
//! longest `prefix*`, else `*`. Case does not matter.

use crate::error::InvalidRoute;
use crate::trie::Trie;
use std::collections::BTreeMap;

/// The index over all domains of a table; virtual hosts are known by their place.
#[derive(Debug, Default)]
pub(crate) struct DomainIndex {
    /// Whole domains and what stands before a `*`.
    forward: Trie,
    at_forward: Vec<AtText>,
    /// What stands behind a `*`, from its end.
    backward: Trie,
    at_backward: Vec<u32>,
    any: Option<u32>,
}

#[derive(Debug, Default)]
struct AtText {
    exact: Option<u32>,
    prefix: Option<u32>,
}

impl DomainIndex {
    /// Indexes the domains of the virtual hosts, given in order, of the table `table`.
    ///
    /// # Errors
    /// A domain that occurs twice, by case or not.
    pub(crate) fn new<'a>(
        table: &str,
        domains: impl Iterator<Item = &'a [String]>,
    ) -> Result<Self, InvalidRoute> {
        let mut forward = BTreeMap::<Vec<u8>, AtText>::new();
        let mut backward = BTreeMap::<Vec<u8>, Option<u32>>::new();
        let mut any = None;
        for (host, domains) in (0..).zip(domains) {
            for domain in domains {
                let domain = domain.to_ascii_lowercase();
                if domain == "*" {
                    if any.replace(host).is_some() {
                        return Err(InvalidRoute::new(format!(
                            "Only a single wildcard domain is permitted in route {table}"
                        )));
                    }
                    continue;
                }
                let slot = if let Some(suffix) = domain.strip_prefix('*') {
                    backward.entry(suffix.bytes().rev().collect()).or_default()
                } else if let Some(prefix) = domain.strip_suffix('*') {
                    &mut forward.entry(prefix.into()).or_default().prefix
                } else {
                    &mut forward.entry(domain.clone().into()).or_default().exact
                };
                if slot.replace(host).is_some() {
                    return Err(InvalidRoute::new(format!(
                        "Only unique values for domains are permitted. Duplicate entry of \
                         domain {domain} in route {table}"
                    )));
                }
            }
        }
        let keys = |map: Vec<&Vec<u8>>| {
            let keys: Vec<&[u8]> = map.into_iter().map(Vec::as_slice).collect();
            Trie::new(&keys)
        };
        Ok(Self {
            forward: keys(forward.keys().collect()),
            at_forward: forward.into_values().collect(),
            backward: keys(backward.keys().collect()),
            at_backward: backward.into_values().flatten().collect(),
            any,
        })
    }

    /// The virtual host for everything, where there is no other: then no host name is needed.
    pub(crate) fn only_any(&self) -> Option<u32> {
        let has_others = !self.at_forward.is_empty() || !self.at_backward.is_empty();
        self.any.filter(|_| !has_others)
    }

    /// The virtual host of a host name.
    pub(crate) fn find(&self, host: &[u8]) -> Option<u32> {
        let lower = host.iter().map(u8::to_ascii_lowercase);
        let mut longest_prefix = None;
        for (key, length) in self.forward.prefixes(lower.clone()) {
            let at = &self.at_forward[key];
            // A wildcard stands for at least one byte.
            if length < host.len() {
                longest_prefix = at.prefix.or(longest_prefix);
            } else if at.exact.is_some() {
                return at.exact;
            }
        }
        let longest_suffix = self
            .backward
            .prefixes(lower.rev())
            .take_while(|(_, length)| *length < host.len())
            .last()
            .map(|(key, _)| self.at_backward[key]);
        longest_suffix.or(longest_prefix).or(self.any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(hosts: &[&[&str]]) -> Result<DomainIndex, String> {
        let hosts: Vec<Vec<String>> = hosts
            .iter()
            .map(|domains| domains.iter().map(|domain| (*domain).to_owned()).collect())
            .collect();
        DomainIndex::new("rc", hosts.iter().map(Vec::as_slice))
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn exact_then_suffix_then_prefix_then_any() {
        let hosts: &[&[&str]] = &[
            &["*"],
            &["www.*"],
            &["www.foo.*"],
            &["*.foo.com"],
            &["*-bar.foo.com"],
            &["api.foo.com", "api.foo.com:8080"],
            &["Upper.Test"],
            &["a.*.test"],
        ];
        let index = index(hosts).unwrap();
        for (host, expected) in [
            ("api.foo.com", 5),
            ("API.foo.COM:8080", 5),
            ("api.foo.com:81", 0),
            ("a.foo.com", 3),
            ("a-bar.foo.com", 4),
            ("-bar.foo.com", 3),
            (".foo.com", 0),
            ("www.foo.com", 3),
            ("www.foo.net", 2),
            ("www.bar.net", 1),
            ("www.", 0),
            ("foo.com", 0),
            ("upper.test", 6),
            ("a.*.test", 7),
            ("a.b.test", 0),
        ] {
            assert_eq!(index.find(host.as_bytes()), Some(expected), "{host}");
        }
        assert_eq!(index.only_any(), None);
    }

    #[test]
    fn a_lone_star_needs_no_host() {
        let index = index(&[&["*"]]).unwrap();
        assert_eq!((index.only_any(), index.find(b"")), (Some(0), Some(0)));
    }

    #[test]
    fn a_domain_occurs_once() {
        let unique = "Only unique values for domains are permitted. Duplicate entry of domain";
        let cases: [(&[&[&str]], String); 5] = [
            (
                &[&["x.test"], &["X.test"]],
                format!("{unique} x.test in route rc"),
            ),
            (&[&["a", "a"]], format!("{unique} a in route rc")),
            (&[&["*.a"], &["*.A"]], format!("{unique} *.a in route rc")),
            (&[&["a*"], &["A*"]], format!("{unique} a* in route rc")),
            (
                &[&["*"], &["*"]],
                "Only a single wildcard domain is permitted in route rc".to_owned(),
            ),
        ];
        for (hosts, error) in cases {
            assert_eq!(index(hosts).unwrap_err(), error);
        }
        assert!(index(&[&["a", "a*", "*a", "*"]]).is_ok());
    }
}
