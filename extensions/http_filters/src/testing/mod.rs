//! Runs a chain of HTTP filters as a stream does, between a scripted client and a scripted peer.

mod fixture;

pub(crate) use fixture::{Outcome, Script, any, errors, parse_cx, route_errors};
