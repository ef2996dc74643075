//! Tags drawn out of stat names: `cluster.foo.upstream_rq_200` is `cluster.upstream_rq` with
//! `envoy.cluster_name=foo` and `envoy.response_code=200` (Envoy's "Statistics / Tags" and
//! `stats_config.stats_tags`).
//!
//! Extraction happens when stats are read, never when they are counted.

mod defaults;
mod ecmascript;
mod tokens;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use fancy_regex::{Regex, RegexBuilder};

use defaults::DefaultRegex;
use tokens::TokenPattern;

/// How often one regex may step back over one name before it counts as not matching. A name has
/// a few hundred bytes; what needs more is a pattern that explodes.
const BACKTRACK_LIMIT: usize = 100_000;

/// One `stats_config.stats_tags` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagSpecifier {
    /// `tag_name`.
    pub name: String,
    /// `tag_value`.
    pub value: TagValue,
}

/// Where a tag's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagValue {
    /// Not said: from the default extractor of that name.
    Default,
    /// A regex in ECMAScript's dialect: group 1 goes from the name, group 2 (or 1) is the value.
    Regex(String),
    /// Always this.
    Fixed(String),
}

/// A tag specifier that cannot be used; Envoy's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagError(String);

impl fmt::Display for TagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TagError {}

/// A tag of one stat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// As in the config: `envoy.cluster_name`.
    pub name: &'a str,
    /// The value.
    pub value: Cow<'a, str>,
}

/// A stat's name without its tags, and the tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged<'a> {
    /// The tag-extracted name.
    pub name: String,
    /// In order of extraction.
    pub tags: Vec<Tag<'a>>,
}

struct Extractor {
    name: String,
    rule: Rule,
}

enum Rule {
    Fixed(String),
    Tokens(TokenPattern),
    Regex(Box<Regex>),
    /// Compiled when the first name asks for it: who reads no stats needs none of these.
    Default(&'static DefaultRegex, OnceLock<Box<Regex>>),
}

/// All extractors of a config.
pub struct TagExtractors {
    /// Tried on every name.
    any: Vec<Extractor>,
    /// Tried on names that begin with this token and a dot.
    by_first_token: HashMap<String, Vec<Extractor>>,
}

impl Default for TagExtractors {
    /// The default tags and no others.
    fn default() -> Self {
        Self::new(true, false, &[]).expect("only what a config adds can be wrong")
    }
}

impl TagExtractors {
    /// Compiles `stats_config`: `use_all_default_tags`, `allow_default_tag_overrides` and
    /// `stats_tags`. Extractors are tried in this order; of a tag's name only the first match
    /// counts.
    pub fn new(
        use_all_default_tags: bool,
        allow_default_tag_overrides: bool,
        specifiers: &[TagSpecifier],
    ) -> Result<Self, TagError> {
        let mut extractors = Self {
            any: Vec::new(),
            by_first_token: HashMap::new(),
        };
        if use_all_default_tags {
            extractors.add_defaults(|name| {
                !allow_default_tag_overrides || specifiers.iter().all(|tag| tag.name != name)
            });
        }
        for TagSpecifier { name, value } in specifiers {
            match value {
                TagValue::Fixed(value) => extractors.add(None, name, Rule::Fixed(value.clone())),
                TagValue::Regex(pattern) if !pattern.is_empty() => {
                    if name.is_empty() {
                        return Err(TagError("tag_name cannot be empty".to_owned()));
                    }
                    let rule = Rule::Regex(compile_ecmascript(pattern)?);
                    extractors.add(first_token_of_regex(pattern), name, rule);
                }
                TagValue::Default | TagValue::Regex(_) => {
                    if !extractors.add_defaults(|default| default == name) {
                        return Err(TagError(format!(
                            "No regex specified for tag specifier and no default regex for name: \
                             '{name}'"
                        )));
                    }
                }
            }
        }
        Ok(extractors)
    }

    /// Adds the defaults of the wanted names; false if there are none.
    fn add_defaults(&mut self, wanted: impl Fn(&str) -> bool) -> bool {
        let mut any = false;
        for default in defaults::REGEXES
            .iter()
            .filter(|default| wanted(default.name))
        {
            let rule = Rule::Default(default, OnceLock::new());
            self.add(first_token_of_regex(default.regex), default.name, rule);
            any = true;
        }
        for (name, pattern) in defaults::TOKENS.iter().filter(|(name, _)| wanted(name)) {
            let pattern = TokenPattern::new(pattern);
            let first = pattern.first_literal().map(str::to_owned);
            self.add(first, name, Rule::Tokens(pattern));
            any = true;
        }
        any
    }

    fn add(&mut self, first_token: Option<String>, name: &str, rule: Rule) {
        let list = match first_token {
            None => &mut self.any,
            Some(token) => self.by_first_token.entry(token).or_default(),
        };
        list.push(Extractor {
            name: name.to_owned(),
            rule,
        });
    }

    /// Draws the tags out of a stat's full name.
    pub fn extract<'a>(&'a self, name: &'a str) -> Tagged<'a> {
        let first_token = name.split_once('.').map(|(token, _)| token);
        let prefixed = first_token.and_then(|token| self.by_first_token.get(token));
        let tokens = tokens::split(name);
        let mut tags: Vec<Tag<'a>> = Vec::new();
        let mut removed: Vec<Range<usize>> = Vec::new();
        for extractor in self.any.iter().chain(prefixed.into_iter().flatten()) {
            if tags.iter().any(|tag| tag.name == extractor.name) {
                continue;
            }
            if let Some((value, cut)) = extractor.rule.apply(name, &tokens) {
                tags.push(Tag {
                    name: &extractor.name,
                    value,
                });
                removed.push(cut);
            }
        }
        Tagged {
            name: without(name, removed),
            tags,
        }
    }
}

impl Rule {
    /// The tag's value and the part of the name that it takes away.
    fn apply<'a>(
        &'a self,
        name: &'a str,
        tokens: &[Range<usize>],
    ) -> Option<(Cow<'a, str>, Range<usize>)> {
        match self {
            Rule::Fixed(value) => Some((value.into(), 0..0)),
            Rule::Tokens(pattern) => {
                let (value, cut) = pattern.find(name, tokens)?;
                Some((name[value].into(), cut))
            }
            Rule::Regex(regex) => {
                let (value, cut) = captured(regex, name)?;
                Some((value.into(), cut))
            }
            Rule::Default(default, compiled) => {
                if !name.contains(default.needle) {
                    return None;
                }
                let compile =
                    || build(default.regex).expect("the default extractors are tested to compile");
                let (value, cut) = captured(compiled.get_or_init(compile), name)?;
                (default.not.is_empty() || value != default.not).then(|| (value.into(), cut))
            }
        }
    }
}

/// The tag's value and the part of the name that goes, where a regex matches.
fn captured<'a>(regex: &Regex, name: &'a str) -> Option<(&'a str, Range<usize>)> {
    // An error is a pattern that gave up: no match.
    let captures = regex.captures(name).ok().flatten()?;
    if captures.len() < 2 {
        return None;
    }
    let cut = captures.get(1);
    let value = if captures.len() > 2 {
        captures.get(2)
    } else {
        cut
    };
    let value = value.map_or("", |value| value.as_str());
    Some((value, cut.map_or(0..0, |cut| cut.start()..cut.end())))
}

/// The name without these parts, which may overlap.
fn without(name: &str, mut removed: Vec<Range<usize>>) -> String {
    removed.sort_by_key(|cut| cut.start);
    let mut rest = String::with_capacity(name.len());
    let mut from = 0;
    for cut in removed {
        if cut.start > from {
            rest.push_str(&name[from..cut.start]);
        }
        from = from.max(cut.end);
    }
    rest.push_str(&name[from..]);
    rest
}

/// The token that a regex fixes as the name's first, if one can tell: `^token\.` or
/// `^token(?=\.)`.
fn first_token_of_regex(pattern: &str) -> Option<String> {
    let rest = pattern.strip_prefix('^')?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let (token, rest) = rest.split_at(end);
    let ends = rest.starts_with("\\.") || rest.starts_with("(?=\\.)") || rest == "$";
    (ends && !token.is_empty()).then(|| token.to_owned())
}

fn compile_ecmascript(pattern: &str) -> Result<Box<Regex>, TagError> {
    let invalid = |why: &dyn fmt::Display| TagError(format!("Invalid regex '{pattern}': {why}"));
    let translated = ecmascript::translate(pattern).map_err(|error| invalid(&error))?;
    build(&translated).map_err(|error| invalid(&error))
}

fn build(pattern: &str) -> Result<Box<Regex>, fancy_regex::Error> {
    RegexBuilder::new(pattern)
        .backtrack_limit(BACKTRACK_LIMIT)
        .build()
        .map(Box::new)
}

#[cfg(test)]
mod tests;
