//! How much memory the process holds, as the system sees it (`/proc/self/statm`), and how it gives
//! some back.

/// How memory is given back that is not needed: the binary's, which has chosen the allocator.
#[derive(Clone, Copy)]
pub struct GiveBack {
    /// What the calling thread has freed.
    pub heap: fn(),
    /// What only the start needed: it reads all configuration, and runs more of the program than
    /// will ever run again.
    pub after_start: fn(),
}

impl GiveBack {
    /// Nothing is given back.
    pub const NOTHING: Self = Self {
        heap: || {},
        after_start: || {},
    };
}

/// Bytes of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident and private: the heap in use, stacks, and nothing shared.
    pub resident: u64,
    /// Mapped for data and stacks.
    pub mapped: u64,
}

/// Reads the figures; zeros where the system does not tell.
pub fn read() -> Memory {
    std::fs::read_to_string("/proc/self/statm").map_or_else(|_| Memory::default(), |t| parse(&t))
}

fn parse(text: &str) -> Memory {
    // Sizes in pages: total, resident, shared, text, library, data.
    let pages: Vec<u64> = text
        .split_whitespace()
        .map(|n| n.parse().unwrap_or(0))
        .collect();
    let page = rustix::param::page_size() as u64;
    match pages.as_slice() {
        [_, resident, shared, _, _, data, ..] => Memory {
            resident: resident.saturating_sub(*shared) * page,
            mapped: data * page,
        },
        _ => Memory::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statm_is_read_in_pages() {
        let page = rustix::param::page_size() as u64;
        let expected = Memory {
            resident: 20 * page,
            mapped: 50 * page,
        };
        assert_eq!(parse("100 30 10 5 0 50 0\n"), expected);
        assert_eq!(parse("nonsense"), Memory::default());
        assert!(read().resident > 0);
    }
}
