//! The router: the HTTP filter that ends a chain. From a route to a response: attempts upstream,
//! timeouts, retries.

pub mod async_client;
mod attempt;
mod client_stats;
mod counts;
mod headers;
mod host_request;
mod internal_redirect;
mod local;
mod mirror;
mod override_host;
mod reply;
mod response;
mod retry;
mod retry_priority;
mod retrying;
mod router;
mod start;
mod timeouts;
mod timing_out;
mod tracked;
mod upstream_filters;
mod upstream_log;
mod upstream_stream;
mod watch;
mod websocket;

pub use async_client::{AsyncClient, AsyncFailure, AsyncRequest, AsyncResponse};
pub use local::{RouterLocal, RouterSpec};
pub use retry::RetryState;
pub use router::Router;
pub use timeouts::Timeouts;
pub use upstream_filters::UpstreamCodecSpec;
pub use upstream_log::UpstreamLogSettings;
