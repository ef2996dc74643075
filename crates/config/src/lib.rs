//! Core protos to specs: bootstrap, listener, route, cluster, and what extensions share.
//!
//! Every field of a message is converted or refused by its name: nothing is silently ignored.

// Envoy still reads its deprecated fields, and warns; so does this.
#![allow(deprecated)]

pub mod access_log;
pub mod address;
mod aggregate_cluster;
pub mod authorization;
pub mod bind_config;
pub mod bootstrap;
pub mod certificates;
pub mod circuit_breakers;
pub mod client_address;
pub mod cluster;
pub mod cluster_discovery;
pub mod cluster_target;
pub mod cluster_transport;
pub mod cluster_tree;
pub mod common;
pub mod config_source;
pub mod cors;
pub mod dns_resolver;
pub mod duration;
pub mod dynamic_resources;
pub mod early_header_mutation;
pub mod ecds;
pub mod eds;
pub mod endpoint;
pub mod filter_chain;
mod filter_chains;
pub mod filter_config;
pub mod filter_state_value;
pub mod format;
mod google_grpc;
mod google_grpc_target;
pub mod grpc_service;
pub mod h1;
pub mod h2;
pub mod hash_policy;
pub mod header_case;
pub mod header_mutation;
pub mod health_check;
mod health_check_http;
pub mod http_filters;
pub mod http_protocol_options;
pub mod internal_clusters;
pub mod internal_listener;
pub mod internal_redirect;
pub mod lb_policy;
mod lb_subset;
pub mod listener;
mod listener_filters;
pub mod local_reply;
pub mod match_input;
pub mod match_tree;
pub mod matching;
pub mod node;
pub mod outlier_detection;
pub mod overload;
mod preconnect;
pub mod proxy_protocol;
pub mod rate_limit;
pub mod rbac;
pub mod rds;
pub mod redirect;
pub mod repeated;
pub mod retry;
pub mod route;
pub mod route_action;
pub mod route_match;
pub mod route_source;
pub mod route_tree;
pub mod scoped_routes;
pub mod sds;
pub mod secret;
pub mod shown;
pub mod socket_option;
pub mod srds;
mod srds_entry;
pub mod stats;
mod table_cx;
mod tcp_protocol_options;
pub mod token_bucket;
pub mod unknown_extension;
pub mod uri_template;
pub mod vhds;
pub mod virtual_host;

#[cfg(test)]
mod testing;
