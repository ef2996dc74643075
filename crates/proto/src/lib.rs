//! Envoy's API: types, reflection tables, loading, validation.
