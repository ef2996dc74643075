//! The network filters, a folder each, named as Envoy names them.
