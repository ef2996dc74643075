//! Accepts connections, inspects them, chooses a filter chain, and runs them on their worker.
pub mod chain_match;
