//! What goes wrong around a proxy: it may not fail more requests than Envoy does.

mod crowd;
mod exhaustion;
mod garbage;
mod overload;
mod shutdown;
mod upstreams;
