//! Runs a chain of HTTP filters as a stream does, between a scripted client and a scripted peer.

mod fixture;

pub(crate) use fixture::{Outcome, Script, errors, route_errors};
