//! The Mersenne Twister (MT19937: Matsumoto and Nishimura, 1998), so that a hash gives the order of
//! hosts that it gives in Envoy.

const SIZE: usize = 624;
const MIDDLE: usize = 397;

/// A sequence of numbers that its seed determines.
pub(super) struct MersenneTwister {
    state: [u32; SIZE],
    next: usize,
}

impl MersenneTwister {
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; SIZE];
        for at in 1..SIZE {
            let last = state[at - 1];
            let mixed = (last ^ (last >> 30)).wrapping_mul(1_812_433_253);
            state[at] = mixed.wrapping_add(at as u32);
        }
        Self { state, next: SIZE }
    }

    fn twist(&mut self) {
        for at in 0..SIZE {
            let (this, following) = (self.state[at], self.state[(at + 1) % SIZE]);
            let joined = (this & 0x8000_0000) | (following & 0x7fff_ffff);
            let odd = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[at] = self.state[(at + MIDDLE) % SIZE] ^ (joined >> 1) ^ odd;
        }
        self.next = 0;
    }

    pub fn bits(&mut self) -> u32 {
        if self.next == SIZE {
            self.twist();
        }
        let mut bits = self.state[self.next];
        self.next += 1;
        bits ^= bits >> 11;
        bits ^= (bits << 7) & 0x9d2c_5680;
        bits ^= (bits << 15) & 0xefc6_0000;
        bits ^ (bits >> 18)
    }

    /// A number below `bound`, which is not 0, each as likely as the other.
    pub fn below(&mut self, bound: u32) -> u32 {
        let share = (1_u64 << 32) / u64::from(bound);
        loop {
            let number = u64::from(self.bits()) / share;
            if number < u64::from(bound) {
                return number as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The value that the C++ standard requires of `std::mt19937` ([rand.predef]).
    #[test]
    fn the_ten_thousandth_number_is_known() {
        let mut random = MersenneTwister::new(5489);
        let last = (0..10_000).map(|_| random.bits()).last();
        assert_eq!(last, Some(4_123_659_995));
    }
}
