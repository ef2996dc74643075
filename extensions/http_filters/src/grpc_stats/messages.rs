//! How many messages begin in a body.

use nuncio_base::Buffer;

/// Where in a body we are: within the five bytes before a message, or how much of it follows.
#[derive(Debug, Default)]
pub(super) struct MessageCounter {
    prefix: usize,
    length: u32,
    left: usize,
    /// So far.
    pub count: u64,
}

impl MessageCounter {
    /// Looks at a piece; how many messages begin in it.
    pub fn inspect(&mut self, data: &Buffer) -> u64 {
        let before = self.count;
        for slice in data.slices() {
            let mut rest = &slice[..];
            while let Some(&byte) = rest.first() {
                if self.left > 0 {
                    let step = self.left.min(rest.len());
                    self.left -= step;
                    rest = &rest[step..];
                    continue;
                }
                match self.prefix {
                    0 => {
                        self.count += 1;
                        self.length = 0;
                    }
                    _ => self.length = self.length << 8 | u32::from(byte),
                }
                self.prefix += 1;
                rest = &rest[1..];
                if self.prefix == 5 {
                    self.prefix = 0;
                    self.left = self.length as usize;
                }
            }
        }
        self.count - before
    }
}
