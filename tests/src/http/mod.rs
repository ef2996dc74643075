//! HTTP/1 through the connection manager and the router.

mod access_log;
mod allocations;
mod connections;
mod framing;
mod limits;
mod routing;
mod upstream_failures;
