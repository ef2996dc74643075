//! A worker's pool of empty header maps, so that a message needs no allocation for its headers.

use nuncio_base::HeaderMap;

/// At most this many maps are kept: two for each request of a few connections over HTTP/2.
const KEPT: usize = 1024;
/// A map that grew beyond this many bytes is not kept.
const LARGE: usize = 16 * 1024;

/// Empty header maps that keep their memory.
#[derive(Default)]
pub struct HeaderPool(Vec<HeaderMap>);

impl HeaderPool {
    /// An empty map.
    pub fn take(&mut self) -> HeaderMap {
        self.0.pop().unwrap_or_default()
    }

    /// Takes a map back that is no longer needed.
    pub fn give(&mut self, mut map: HeaderMap) {
        if map.capacity() > 0 && map.capacity() <= LARGE && self.0.len() < KEPT {
            map.clear();
            self.0.push(map);
        }
    }
}
