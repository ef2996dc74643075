//! Decisions about requests and connections: the inputs of the unified matcher, and role-based
//! access control. Nothing here acts: filters do.

pub mod facts;
pub mod input;
pub mod rbac;

pub use facts::Facts;
pub use input::Input;
