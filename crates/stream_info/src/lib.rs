//! The facts of one stream or connection: what access logs and filters read.
