//! The unified matcher (`xds.type.matcher.v3.Matcher`): questions about inputs in order, or values
//! of one input as a map, down to actions.
//!
//! What an input is, and what it gives for a request, is the business of who uses the tree: it is
//! asked through a closure.

use crate::cidr::CidrRange;
use crate::string::StringMatcher;
use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

/// A tree over inputs `I`, with actions `A`.
#[derive(Clone, Debug)]
pub struct MatchTree<I, A> {
    node: Node<I, A>,
    on_no_match: Option<Box<OnMatch<I, A>>>,
}

/// What follows where something matched.
#[derive(Clone, Debug)]
pub enum OnMatch<I, A> {
    /// More questions.
    Tree(Box<MatchTree<I, A>>),
    /// This.
    Action(A),
}

#[derive(Clone, Debug)]
enum Node<I, A> {
    List(Vec<(Predicate<I>, OnMatch<I, A>)>),
    Map {
        input: I,
        map: HashMap<Box<[u8]>, OnMatch<I, A>>,
        /// For a map of prefixes: their lengths, the longest first. `None`: whole values.
        lengths: Option<Box<[usize]>>,
    },
    Ranges {
        input: I,
        /// Each with the place of what follows; the longest prefixes first, then by place.
        ranges: Vec<AddressRange>,
        then: Vec<OnMatch<I, A>>,
    },
}

/// A range of a map of addresses.
#[derive(Clone, Debug)]
pub struct AddressRange {
    /// The addresses.
    pub range: CidrRange,
    /// Whether it counts only where no longer prefix has the address.
    pub exclusive: bool,
    /// The place of what follows.
    pub then: usize,
}

/// A question with yes and no.
#[derive(Clone, Debug)]
pub enum Predicate<I> {
    /// Whether what an input gives matches; an input that gives nothing does not.
    Value(I, StringMatcher),
    /// Whether one says yes.
    Or(Vec<Predicate<I>>),
    /// Whether all say yes.
    And(Vec<Predicate<I>>),
    /// Whether it says no.
    Not(Box<Predicate<I>>),
}

impl<I> Predicate<I> {
    fn holds<'d>(&self, ask: &impl Fn(&I) -> Option<Cow<'d, [u8]>>) -> bool {
        match self {
            Self::Value(input, matcher) => ask(input).is_some_and(|value| matcher.matches(&value)),
            Self::Or(all) => all.iter().any(|one| one.holds(ask)),
            Self::And(all) => all.iter().all(|one| one.holds(ask)),
            Self::Not(one) => !one.holds(ask),
        }
    }
}

impl<I, A> MatchTree<I, A> {
    /// The first of `matchers` that says yes, and leads to an action, counts.
    pub fn list(matchers: Vec<(Predicate<I>, OnMatch<I, A>)>) -> Self {
        Self::of(Node::List(matchers))
    }

    /// The value of `input` counts.
    pub fn exact(input: I, values: Vec<(String, OnMatch<I, A>)>) -> Self {
        Self::of(Node::Map {
            input,
            map: bytes_map(values),
            lengths: None,
        })
    }

    /// The longest prefix of `input`'s value that leads to an action counts.
    pub fn prefixes(input: I, values: Vec<(String, OnMatch<I, A>)>) -> Self {
        let mut lengths: Vec<usize> = values.iter().map(|(prefix, _)| prefix.len()).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        Self::of(Node::Map {
            input,
            map: bytes_map(values),
            lengths: Some(lengths.into()),
        })
    }

    /// The range with the longest prefix that has `input`'s value, an IP address, and leads to an
    /// action, counts.
    pub fn ranges(input: I, mut ranges: Vec<AddressRange>, then: Vec<OnMatch<I, A>>) -> Self {
        ranges.sort_by_key(|one| (std::cmp::Reverse(one.range.length()), one.then));
        Self::of(Node::Ranges {
            input,
            ranges,
            then,
        })
    }

    fn of(node: Node<I, A>) -> Self {
        Self {
            node,
            on_no_match: None,
        }
    }

    /// What counts where nothing else leads to an action.
    #[must_use]
    pub fn or_else(mut self, on_no_match: Option<OnMatch<I, A>>) -> Self {
        self.on_no_match = on_no_match.map(Box::new);
        self
    }

    /// The action that the tree leads to. `ask` says what an input gives.
    pub fn find<'d>(&self, ask: &impl Fn(&I) -> Option<Cow<'d, [u8]>>) -> Option<&A> {
        let found = match &self.node {
            Node::List(matchers) => {
                let mut yes = matchers
                    .iter()
                    .filter(|(predicate, _)| predicate.holds(ask));
                yes.find_map(|(_, on_match)| on_match.find(ask))
            }
            Node::Map {
                input,
                map,
                lengths,
            } => ask(input).and_then(|value| match lengths {
                None => map.get(&*value)?.find(ask),
                Some(lengths) => {
                    let mut prefixes = lengths.iter().filter_map(|length| value.get(..*length));
                    prefixes.find_map(|prefix| map.get(prefix)?.find(ask))
                }
            }),
            Node::Ranges {
                input,
                ranges,
                then,
            } => ask(input).and_then(|value| {
                let address: IpAddr = std::str::from_utf8(&value).ok()?.parse().ok()?;
                let having = ranges.iter().filter(|one| one.range.contains(address));
                let counting = having.enumerate();
                let mut counting = counting.filter(|(place, one)| *place == 0 || !one.exclusive);
                counting.find_map(|(_, one)| then.get(one.then)?.find(ask))
            }),
        };
        found.or_else(|| self.on_no_match.as_ref()?.find(ask))
    }
}

fn bytes_map<I, A>(values: Vec<(String, OnMatch<I, A>)>) -> HashMap<Box<[u8]>, OnMatch<I, A>> {
    let values = values.into_iter();
    values
        .map(|(value, on_match)| (value.into_bytes().into(), on_match))
        .collect()
}

impl<I, A> OnMatch<I, A> {
    fn find<'d>(&self, ask: &impl Fn(&I) -> Option<Cow<'d, [u8]>>) -> Option<&A> {
        match self {
            Self::Tree(tree) => tree.find(ask),
            Self::Action(action) => Some(action),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tree = MatchTree<usize, &'static str>;

    fn action(name: &'static str) -> OnMatch<usize, &'static str> {
        OnMatch::Action(name)
    }

    fn is(input: usize, text: &str) -> Predicate<usize> {
        Predicate::Value(input, StringMatcher::exact(text, false))
    }

    /// Inputs are the places in `values`.
    fn find(tree: &Tree, values: &[Option<&'static str>]) -> Option<&'static str> {
        let ask = |input: &usize| Some(Cow::Borrowed(values.get(*input).copied()??.as_bytes()));
        tree.find(&ask).copied()
    }

    #[test]
    fn lists_go_on_where_a_tree_below_finds_nothing() {
        let below = Tree::list(vec![(is(1, "x"), action("both"))]);
        let tree = Tree::list(vec![
            (is(0, "a"), OnMatch::Tree(Box::new(below))),
            (Predicate::And(vec![is(0, "a"), is(1, "y")]), action("and")),
            (Predicate::Or(vec![is(0, "b"), is(1, "z")]), action("or")),
            (Predicate::Not(Box::new(is(2, "q"))), action("not")),
        ])
        .or_else(Some(action("none")));
        let cases: [(&[Option<&str>], _); 6] = [
            (&[Some("a"), Some("x")], "both"),
            (&[Some("a"), Some("y")], "and"),
            (&[Some("b"), None], "or"),
            (&[None, Some("z")], "or"),
            (&[Some("a"), None], "not"),
            (&[None, None, Some("q")], "none"),
        ];
        for (values, expected) in cases {
            assert_eq!(find(&tree, values), Some(expected), "{values:?}");
        }
    }

    #[test]
    fn ranges_go_by_the_longest_prefix_that_leads_somewhere() {
        let range = |text: &str, length, exclusive, then| AddressRange {
            range: CidrRange::parse(text, length).unwrap(),
            exclusive,
            then,
        };
        let below = Tree::exact(1, vec![("x".into(), action("deep"))]);
        let tree = Tree::ranges(
            0,
            vec![
                range("0.0.0.0", 0, false, 0),
                range("10.0.0.0", 8, true, 1),
                range("10.1.0.0", 16, false, 2),
                range("::1", 128, false, 1),
            ],
            vec![action("all"), action("ten"), OnMatch::Tree(Box::new(below))],
        );
        let cases: [(&[Option<&str>], _); 6] = [
            (&[Some("1.2.3.4")], Some("all")),
            (&[Some("10.2.0.1")], Some("ten")),
            (&[Some("10.1.0.1"), Some("x")], Some("deep")),
            (&[Some("10.1.0.1"), None], Some("all")),
            (&[Some("::1")], Some("ten")),
            (&[Some("nowhere")], None),
        ];
        for (values, expected) in cases {
            assert_eq!(find(&tree, values), expected, "{values:?}");
        }
    }

    #[test]
    fn maps_go_by_the_whole_value_or_the_longest_prefix_that_leads_somewhere() {
        let exact = Tree::exact(0, vec![("/a".into(), action("a"))]);
        assert_eq!(find(&exact, &[Some("/a")]), Some("a"));
        assert_eq!(find(&exact, &[Some("/ab")]), None);
        assert_eq!(find(&exact, &[None]), None);
        let below = Tree::exact(1, vec![("1".into(), action("deep"))]);
        let prefixes = vec![
            ("/a".into(), action("short")),
            ("/ab".into(), OnMatch::Tree(Box::new(below))),
        ];
        let tree = Tree::prefixes(0, prefixes).or_else(Some(action("none")));
        assert_eq!(find(&tree, &[Some("/abc"), Some("1")]), Some("deep"));
        assert_eq!(find(&tree, &[Some("/abc"), Some("2")]), Some("short"));
        assert_eq!(find(&tree, &[Some("/"), Some("1")]), Some("none"));
        assert_eq!(find(&tree, &[None]), Some("none"));
    }
}
