//! What a connection manager's configuration may not say: what isn't built, and contradictions.

pub mod config;
