//! `VirtualHost.matcher`: a tree instead of a list of routes, whose leaves are routes.

use crate::request::RequestView;
use nuncio_base::header_name::HeaderName;
use nuncio_matching::MatchTree;
use std::borrow::Cow;
use std::ops::Range;

/// What a virtual host's tree may look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteInput {
    /// A request header; several of the name are one, joined by commas.
    Header(HeaderName),
    /// A filter state object, as text.
    FilterState(Box<str>),
}

/// A virtual host's tree. An action is a range of the virtual host's routes, of which the first
/// that matches is taken.
pub type RouteTree = MatchTree<RouteInput, Range<u32>>;

impl RouteInput {
    /// What the input gives for a request.
    pub fn ask<'a>(&self, request: &RequestView<'a>) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Header(name) => {
                let mut values = request.headers.get_all(name);
                let first = values.next()?;
                Some(values.fold(Cow::Borrowed(first), |joined, value| {
                    let mut joined = joined.into_owned();
                    joined.push(b',');
                    joined.extend_from_slice(value);
                    Cow::Owned(joined)
                }))
            }
            Self::FilterState(key) => {
                let text = request.filter_state(key)?.as_text()?;
                Some(Cow::Owned(text.into_bytes()))
            }
        }
    }
}
