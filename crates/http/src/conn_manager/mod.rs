//! The HTTP connection manager: a network filter that ends a connection's bytes in HTTP streams.
//!
//! `manager` drives codec and stream, `request` and `response` hold what Envoy does to heads,
//! `stream` is one request's life.

mod counted;
mod forwarded;
mod local;
mod manager;
mod original_ip;
pub mod path;
mod proxy_status;
mod request;
mod response;
mod spec;
mod stats;
mod stream;

pub use local::HcmLocal;
pub use manager::HttpConnectionManager;
pub use original_ip::OriginalIpDetection;
pub use proxy_status::ProxyStatus;
pub use spec::{
    CodecType, EscapedSlashes, ForwardClientCert, ForwardProto, HcmSpec, InternalAddresses,
    RequestIds, ServerHeader, StripPort, Timeouts, UserAgent, XffSettings,
};
pub use stats::{HcmStats, ListenerHttpStats, RouterStats, TracingStats};
