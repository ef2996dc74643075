//! The HTTP connection manager: a network filter that ends a connection's bytes in HTTP streams.
//!
//! `manager` finds out the HTTP version, `http1` and `http2` drive codec and streams, `request` and
//! `response` hold what Envoy does to heads, `stream` is one request's life.

mod bulk;
mod client_cert;
mod client_cert_json;
mod connection;
mod counted;
mod forwarded;
mod http1;
mod http2;
mod http2_flushing;
mod http2_streams;
mod local;
mod manager;
mod original_ip;
pub mod path;
mod premature;
mod proxy_status;
mod recreate;
mod request;
mod response;
mod spec;
mod stats;
mod stream;
mod stream_end;
mod stream_logs;
mod stream_timeouts;
mod stream_waker;
mod summary;
mod tracing;
mod upgrade;

pub use local::HcmLocal;
pub use manager::HttpConnectionManager;
pub use original_ip::OriginalIpDetection;
pub use proxy_status::ProxyStatus;
pub use spec::{
    ClientCertDetails, CodecType, EscapedSlashes, ForwardClientCert, ForwardProto, HcmSpec,
    InternalAddresses, LogSettings, ManagerStats, RequestIds, ServerHeader, StripPort, Timeouts,
    UserAgent, XffSettings,
};
pub use stats::{HcmStats, ListenerHttpStats, RouterStats, TracingStats};
pub use tracing::TracingSettings;
pub use upgrade::Upgrade;
