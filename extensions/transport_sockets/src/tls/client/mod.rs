//! The client's side: what connections to hosts are made with (`UpstreamTlsContext`).

pub mod config;
mod context;
mod local;

pub use context::{ClientContext, ClientSocketFactory, ClientSpec};
