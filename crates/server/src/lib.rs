//! Owns it all on the main thread: managers, admin, lifecycle.

pub mod cluster_manager;
pub mod listener_manager;
pub mod logging;
pub mod runtime_loader;
pub mod signals;
