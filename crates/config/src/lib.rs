//! Core protos to specs: bootstrap, listener, connection manager, route, cluster.
