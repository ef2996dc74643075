//! The binary: Nuncio on its allocator.

use std::process::ExitCode;

/// 5 to 17 % cheaper than the system's where requests allocate.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    nuncio::main(shrink_heap)
}

fn shrink_heap() {
    // SAFETY: it takes and returns no pointer, and may be called by any thread at any time; it is
    // of the allocator above.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
