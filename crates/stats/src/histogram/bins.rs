//! The bucket scheme: which bin a value falls into, and what a bin spans.
//!
//! Bin 0 holds zeros. From 1 on there are 90 bins a decade: 1.0, 1.1 … 9.9, 10, 11 … 99, 100,
//! 110 … Recorded values are whole numbers, so no bin lies below 1.

/// Decades that a u64 can reach.
pub(super) const DECADES: usize = 20;
/// Bins of one decade.
pub(super) const PER_DECADE: usize = 90;

/// A bin's number: 0 for zeros, then `1 + decade * 90 + (leading two digits - 10)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bin(u16);

impl Bin {
    pub(super) const ZERO: Bin = Bin(0);

    pub(super) fn new(decade: usize, step: usize) -> Bin {
        debug_assert!(decade < DECADES && step < PER_DECADE);
        Bin((1 + decade * PER_DECADE + step) as u16)
    }

    /// The least value of the bin.
    pub(super) fn left(self) -> f64 {
        match self.0.checked_sub(1) {
            None => 0.0,
            Some(index) => {
                let (decade, step) = (index as usize / PER_DECADE, index as usize % PER_DECADE);
                (step + 10) as f64 / 10.0 * power_of_ten(decade)
            }
        }
    }

    /// How much the bin spans: values from `left` to below `left + width`; 0 for the zeros.
    pub(super) fn width(self) -> f64 {
        match self.0.checked_sub(1) {
            None => 0.0,
            Some(index) => power_of_ten(index as usize / PER_DECADE) / 10.0,
        }
    }

    /// What a value of the bin is taken to be in a sum: the harmonic mean of the bin's bounds.
    pub(super) fn middle(self) -> f64 {
        let (left, width) = (self.left(), self.width());
        // The form decides the last digit that is printed.
        if left == 0.0 {
            0.0
        } else {
            left + width * (left / (left + left + width))
        }
    }
}

fn power_of_ten(exponent: usize) -> f64 {
    10u64.pow(exponent as u32) as f64
}

/// Decade and step within it, or none for 0.
#[inline]
pub(super) fn place(value: u64) -> Option<(usize, usize)> {
    let decade = value.checked_ilog10()? as usize;
    let digits = if decade == 0 {
        value * 10
    } else {
        value / 10u64.pow(decade as u32 - 1)
    };
    Some((decade, digits as usize - 10))
}
