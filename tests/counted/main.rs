//! Nuncio with its allocations counted: the binary that the integration tests run.
//!
//! With `NUNCIO_TEST_ALLOCATIONS=FILE` the number of allocations since the start stands in the
//! first eight bytes of FILE, in the machine's order, at any time.

use std::alloc::{GlobalAlloc, Layout};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// The allocator of the real binary, and a counter.
struct Counted(mimalloc::MiMalloc);

/// Where to count while no file was asked for.
static UNSEEN: AtomicU64 = AtomicU64::new(0);

/// Where to count.
static COUNT: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::from_ref(&UNSEEN).cast_mut());

fn count() {
    // SAFETY: the pointer is to `UNSEEN` or to a mapping that is never removed.
    unsafe { &*COUNT.load(Ordering::Relaxed) }.fetch_add(1, Ordering::Relaxed);
}

// SAFETY: everything is passed on to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { self.0.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract.
        unsafe { self.0.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted(mimalloc::MiMalloc);

/// Counts into a file from now on.
fn count_into(path: &std::ffi::OsStr) -> io::Result<()> {
    const SIZE: usize = size_of::<AtomicU64>();
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    file.set_len(SIZE as u64)?;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping of a file that is as long; it is aligned to a page.
    let counter = unsafe {
        libc::mmap(
            ptr::null_mut(),
            SIZE,
            access,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    if counter == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    COUNT.store(counter.cast(), Ordering::Relaxed);
    Ok(())
}

fn main() -> ExitCode {
    if let Some(path) = std::env::var_os("NUNCIO_TEST_ALLOCATIONS")
        && let Err(error) = count_into(&path)
    {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    nuncio::main(nuncio::GiveBack::NOTHING)
}
