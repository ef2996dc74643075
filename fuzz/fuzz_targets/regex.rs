//! libFuzzer's way into the target `regex`.
#![no_main]

nuncio_fuzz::entry!("regex");
