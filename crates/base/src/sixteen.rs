//! Sixteen bytes looked at together: where something is among them, as a mask with one bit a byte.
//! Most of these are one instruction of any processor's.

use wide::u8x16;

/// Sixteen bytes. Masks have the first byte's bit lowest.
#[derive(Clone, Copy)]
pub struct Sixteen(u8x16);

impl Sixteen {
    /// These bytes.
    #[inline]
    pub fn new(bytes: &[u8; 16]) -> Self {
        Self(u8x16::new(*bytes))
    }

    /// The bytes that `bytes` begins with; zeros stand for what is missing.
    #[inline]
    pub fn beginning(bytes: &[u8]) -> Self {
        match bytes.first_chunk() {
            Some(whole) => Self::new(whole),
            None => Self::short(bytes),
        }
    }

    #[cold]
    #[inline(never)]
    fn short(bytes: &[u8]) -> Self {
        let mut padded = [0; 16];
        padded[..bytes.len()].copy_from_slice(bytes);
        Self::new(&padded)
    }

    /// The bytes that are `byte`.
    #[inline]
    pub fn equal(self, byte: u8) -> u16 {
        self.0.simd_eq(u8x16::splat(byte)).to_bitmask() as u16
    }

    /// The bytes that are those of `other`.
    #[inline]
    pub fn same(self, other: Self) -> u16 {
        self.0.simd_eq(other.0).to_bitmask() as u16
    }

    /// The bytes below `limit`.
    #[inline]
    pub fn below(self, limit: u8) -> u16 {
        !self.0.max(u8x16::splat(limit)).simd_eq(self.0).to_bitmask() as u16
    }

    /// All with these bits set as well.
    #[inline]
    pub fn with_bits(self, bits: u8) -> Self {
        Self(self.0 | u8x16::splat(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_say_what_one_by_one_would() {
        let mut bytes = [0; 16];
        for start in 0..=255_u8 {
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = start.wrapping_mul(7).wrapping_add((at * 37) as u8);
            }
            let wide = Sixteen::new(&bytes);
            let mask = |is_it: &dyn Fn(u8) -> bool| {
                let bit = |at: usize| u16::from(is_it(bytes[at])) << at;
                (0..16).map(bit).sum::<u16>()
            };
            for other in [start, 0, 0x1f, 0x20, b':', 0x7f, 0x80, 0xff] {
                assert_eq!(wide.equal(other), mask(&|byte| byte == other));
                assert_eq!(wide.below(other), mask(&|byte| byte < other));
                let set = wide.with_bits(other);
                assert_eq!(set.same(wide), mask(&|byte| byte | other == byte));
            }
        }
    }

    #[test]
    fn what_is_missing_is_zero() {
        for len in 0..=17 {
            let wide = Sixteen::beginning(&b"aaaaaaaaaaaaaaaaa"[..len]);
            assert_eq!(wide.equal(b'a').count_ones() as usize, len.min(16));
            assert_eq!(wide.equal(0).count_ones() as usize, 16 - len.min(16));
        }
    }
}
