//! Does this value match? String, header, query, cookie, address, range and metadata matchers.
//!
//! All of it is plain data, built once from config by constructors that return errors; matching
//! takes bytes and allocates nothing.

pub mod cidr;
pub mod cookie;
pub mod error;
pub mod header;
pub mod match_tree;
pub mod path;
pub mod query;
pub mod range;
mod re2_class;
mod re2_syntax;
pub mod regex;
pub mod string;
pub mod uri_template;
pub mod value;

pub use cidr::{AddressMatcher, CidrList, CidrRange, CidrTrie};
pub use cookie::CookieMatcher;
pub use error::InvalidMatcher;
pub use header::{HeaderMatch, HeaderMatcher};
pub use match_tree::{AddressRange, MatchTree, OnMatch, Predicate};
pub use path::PathMatcher;
pub use query::QueryParameterMatcher;
pub use range::{DoubleMatcher, IntRange, PortRange};
pub use regex::{Regex, Substitution};
pub use string::{ListStringMatcher, StringMatcher};
pub use uri_template::UriTemplate;
pub use value::{MetadataMatcher, ValueMatcher};
