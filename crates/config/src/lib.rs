//! Core protos to specs: bootstrap, listener, route, cluster, and what extensions share.
//!
//! Every field of a message is converted or refused by its name: nothing is silently ignored.

// Envoy still reads its deprecated fields, and warns; so does this.
#![allow(deprecated)]

pub mod access_log;
pub mod cluster_target;
pub mod common;
pub mod cors;
pub mod duration;
pub mod filter_config;
pub mod format;
pub mod hash_policy;
pub mod header_mutation;
pub mod http_filters;
pub mod internal_redirect;
pub mod matching;
pub mod redirect;
pub mod retry;
pub mod route;
pub mod route_action;
pub mod route_match;
#[cfg(test)]
mod testing;
pub mod unknown_extension;
pub mod virtual_host;
