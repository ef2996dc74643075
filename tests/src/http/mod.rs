//! HTTP/1 and HTTP/2 through the connection manager and the router.

mod access_log;
mod allocations;
mod backpressure;
mod bulk;
mod client_facts;
mod compression;
mod connect;
mod connect_udp;
mod connections;
mod filter_chains;
mod filters;
mod flow_control;
mod framing;
mod grpc_access_log;
mod health_check;
mod http2;
mod internal_redirects;
mod limits;
mod local_replies;
mod proxy_protocol;
mod rbac;
mod retry_priority;
mod route_matcher;
mod routing;
mod scoped_routes;
mod upstream_failures;
