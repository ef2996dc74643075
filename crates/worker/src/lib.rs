//! Runs code on N worker threads and hands values over to them.
//!
//! A worker is one OS thread with one event loop; a connection lives and dies on one worker. Main
//! is a worker too, without listeners. This is the only crate that builds tokio runtimes.

pub mod late;
pub mod local_slot;
pub mod mailbox;
pub mod published;
pub mod retired;
pub mod services;
pub mod spawn;
pub mod timer;
pub mod worker;

#[cfg(test)]
mod tests;

pub use late::Late;
pub use mailbox::WorkerHandle;
pub use published::{Current, Held, Published};
pub use retired::retire;
pub use spawn::{WorkerThread, run_main};
pub use timer::Timer;
pub use worker::{Worker, WorkerId};
