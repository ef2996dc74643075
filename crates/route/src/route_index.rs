//! Finds the first of a virtual host's routes that matches, without looking at the others.
//!
//! Prefixes and whole paths lie in a trie (two: with case and without), each with the numbers of
//! its routes in order. What can't be found by path (regexes, CONNECT) is a list, looked through
//! only as far as it comes before the best route found otherwise. The answer is that of a scan
//! over all routes; a test holds the two against each other.

use crate::route_match::{PathMatch, RouteMatch};
use crate::trie::Trie;
use std::collections::BTreeMap;

/// The index over one virtual host's routes, which are known by their place.
#[derive(Debug)]
pub(crate) struct RouteIndex {
    with_case: Paths,
    /// Paths in lower case.
    without_case: Paths,
    by_scan: Box<[u32]>,
}

#[derive(Debug, Default)]
struct Paths {
    trie: Trie,
    /// By the key's number in the trie.
    routes: Vec<AtPath>,
}

/// The routes at one path, each list in order.
#[derive(Debug, Default)]
struct AtPath {
    prefix: Vec<u32>,
    separated: Vec<u32>,
    exact: Vec<u32>,
}

impl RouteIndex {
    /// Indexes routes by what they ask of the path.
    pub(crate) fn new<'a>(matches: impl Iterator<Item = &'a RouteMatch>) -> Self {
        let mut maps = [BTreeMap::new(), BTreeMap::new()];
        let mut by_scan = Vec::new();
        for (route, wanted) in (0..).zip(matches) {
            let (text, list): (&[u8], fn(&mut AtPath) -> &mut Vec<u32>) = match &wanted.path {
                PathMatch::Prefix(text) => (text, |at| &mut at.prefix),
                PathMatch::SeparatedPrefix(text) => (text, |at| &mut at.separated),
                PathMatch::Exact(text) => (text, |at| &mut at.exact),
                PathMatch::Regex(_) | PathMatch::Connect => {
                    by_scan.push(route);
                    continue;
                }
            };
            let (map, key) = match wanted.case_sensitive {
                true => (&mut maps[0], text.to_vec()),
                false => (&mut maps[1], text.to_ascii_lowercase()),
            };
            list(map.entry(key).or_insert_with(AtPath::default)).push(route);
        }
        let [with_case, without_case] = maps.map(Paths::new);
        Self {
            with_case,
            without_case,
            by_scan: by_scan.into(),
        }
    }

    /// The first route whose path matches and to which `rest` says yes. `scan` must answer for
    /// the routes that can't be found by path, path and rest.
    pub(crate) fn find(
        &self,
        path: Option<&[u8]>,
        rest: impl Fn(u32) -> bool,
        scan: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let mut best = u32::MAX;
        if let Some(path) = path {
            let plain = path.iter().copied();
            self.with_case.improve(&mut best, plain, path, &rest);
            if !self.without_case.routes.is_empty() {
                let lower = path.iter().map(u8::to_ascii_lowercase);
                self.without_case.improve(&mut best, lower, path, &rest);
            }
        }
        improve(&mut best, &self.by_scan, &scan);
        (best != u32::MAX).then_some(best)
    }
}

impl Paths {
    fn new(map: BTreeMap<Vec<u8>, AtPath>) -> Self {
        let keys: Vec<&[u8]> = map.keys().map(Vec::as_slice).collect();
        Self {
            trie: Trie::new(&keys),
            routes: map.into_values().collect(),
        }
    }

    fn improve(
        &self,
        best: &mut u32,
        text: impl Iterator<Item = u8> + Clone,
        path: &[u8],
        rest: &impl Fn(u32) -> bool,
    ) {
        for (key, length) in self.trie.prefixes(text) {
            let at = &self.routes[key];
            improve(best, &at.prefix, rest);
            match path.get(length) {
                None => {
                    improve(best, &at.separated, rest);
                    improve(best, &at.exact, rest);
                }
                Some(b'/') => improve(best, &at.separated, rest),
                Some(_) => {}
            }
        }
    }
}

/// The first route of a list that comes before the best one and to which `matches` says yes.
fn improve(best: &mut u32, routes: &[u32], matches: &impl Fn(u32) -> bool) {
    let before = routes.iter().take_while(|route| **route < *best);
    if let Some(route) = before.copied().find(|route| matches(*route)) {
        *best = route;
    }
}
