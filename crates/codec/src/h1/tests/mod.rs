//! Codec tests: scripts of bytes and the frames expected, and what must hold for any bytes.

mod client;
mod corpus;
mod encode;
mod properties;
mod server;
