//! libFuzzer's way into the target `client_hello`.
#![no_main]

nuncio_fuzz::entry!("client_hello");
