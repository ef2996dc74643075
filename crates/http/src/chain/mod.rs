//! The HTTP filter manager: one stream's filters, and the loop that runs them.
//!
//! `pass` carries headers, data and trailers from filter to filter and stops where one says so;
//! `settle` carries out what filters ordered; neither is ever entered from within a callback.

pub mod orders;
mod pass;
pub mod pool;
mod settle;
pub mod state;
pub mod stream;

#[cfg(test)]
mod tests;

pub use pool::LocalChain;
pub use state::{Out, Side, StreamState};
pub use stream::FilterStream;
