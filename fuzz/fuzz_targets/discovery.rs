//! libFuzzer's way into the target `discovery`.
#![no_main]

nuncio_fuzz::entry!("discovery");
