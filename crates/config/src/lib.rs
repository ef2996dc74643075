//! Core protos to specs: bootstrap, listener, route, cluster, and what extensions share.
//!
//! Every field of a message is converted or refused by its name: nothing is silently ignored.

pub mod duration;
pub mod http_filters;
