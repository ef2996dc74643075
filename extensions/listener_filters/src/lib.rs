//! Listener filters: what looks at a connection before its filter chain is chosen.

pub mod http_inspector;
pub mod local_ratelimit;
pub mod original_dst;
pub mod proxy_protocol;
pub mod tls_inspector;

pub use http_inspector::HttpInspector;
pub use local_ratelimit::LocalRateLimit;
pub use original_dst::OriginalDst;
pub use proxy_protocol::ProxyProtocol;
pub use tls_inspector::TlsInspector;
