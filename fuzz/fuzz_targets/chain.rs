//! libFuzzer's way into the target `chain`.
#![no_main]

nuncio_fuzz::entry!("chain");
