//! One connection: sockets, buffers, network filters.
