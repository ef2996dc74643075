//! One HTTP stream through its filters, and the connection manager that makes streams of a
//! connection's bytes.

pub mod bulk;
pub mod chain;
pub mod cluster_directory;
pub mod config;
pub mod conn_manager;
pub mod cx;
pub mod dynamic_filter;
pub mod factory;
pub mod filter;
pub mod format_cx;
pub mod grpc_timeout;
pub mod local_reply;
pub mod local_reply_config;
pub mod opaque;
pub mod route_cache;
pub mod route_headers;
pub mod route_source;

pub use cx::Cx;
pub use filter::{
    DataStatus, Direction, HeadersStatus, Hooks, HttpFilter, LocalReplyStatus, TrailersStatus,
};
pub use local_reply::LocalReply;
