//! libFuzzer's way into the target `capsule`.
#![no_main]

nuncio_fuzz::entry!("capsule");
