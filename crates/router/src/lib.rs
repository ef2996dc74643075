//! From a route to a response: attempts, timeouts, retries.
