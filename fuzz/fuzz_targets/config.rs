//! libFuzzer's way into the target `config`.
#![no_main]

nuncio_fuzz::entry!("config");
