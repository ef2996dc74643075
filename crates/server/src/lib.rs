//! Owns it all on the main thread: managers, admin, lifecycle.

pub mod admin_listener;
pub mod admin_server;
pub mod bootstrap_loader;
mod cds;
pub mod cluster_manager;
mod config_dump;
mod config_warnings;
pub mod demo;
mod descriptors;
mod dynamic_resources;
mod endpoints_dump;
mod guard_dog;
mod lds;
pub mod listener_manager;
mod load_reporter;
pub mod logging;
pub mod memory;
mod outlier_log;
pub mod overload_manager;
mod rtds;
pub mod runtime_loader;
pub mod server;
pub mod server_stats;
pub mod signals;
pub mod state;
mod static_resources;
