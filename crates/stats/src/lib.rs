//! Counts things, and names them as Envoy does.
