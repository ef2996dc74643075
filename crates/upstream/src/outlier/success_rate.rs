//! Which hosts fail more often than others, or too often.

/// The success rates of a cluster's hosts in one interval.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SuccessRates {
    /// The average in percent, or -1.
    pub average: f64,
    /// The lowest rate that is still good, or -1.
    pub ejection_threshold: f64,
}

impl Default for SuccessRates {
    fn default() -> Self {
        Self {
            average: -1.0,
            ejection_threshold: -1.0,
        }
    }
}

impl SuccessRates {
    /// Of these rates, of which there is at least one; `factor` is how many standard deviations
    /// below the average are good.
    pub(super) fn of(rates: &[f64], factor: f64) -> Self {
        let count = rates.len() as f64;
        let average = rates.iter().sum::<f64>() / count;
        let variance = rates
            .iter()
            .map(|rate| (rate - average).powi(2))
            .sum::<f64>()
            / count;
        Self {
            average,
            ejection_threshold: average - factor * variance.sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_below_the_average() {
        let rates = [100.0, 100.0, 100.0, 100.0, 50.0];
        let found = SuccessRates::of(&rates, 1.9);
        assert_eq!(found.average, 90.0);
        assert_eq!(found.ejection_threshold, 90.0 - 1.9 * 20.0);
        let same = SuccessRates::of(&[70.0, 70.0], 1.9);
        assert_eq!((same.average, same.ejection_threshold), (70.0, 70.0));
    }
}
