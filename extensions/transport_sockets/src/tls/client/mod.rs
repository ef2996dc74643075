//! The client's side: what connections to hosts are made with (`UpstreamTlsContext`).

pub mod config;
mod context;

pub use context::{ClientContext, ClientSocketFactory, ClientSpec};
