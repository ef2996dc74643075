//! Accepts connections, inspects them, chooses a filter chain.
