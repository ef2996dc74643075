//! The statistics of a run: medians over rounds, and ratios round by round.

use std::collections::BTreeMap;

/// One round's figures of one proxy, by name.
pub type Row = BTreeMap<&'static str, f64>;

/// How a figure of nuncio compares to a peer's, below 1 being less.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Of the ratios of each round.
    pub median: f64,
    /// The lowest of them.
    pub min: f64,
    /// The highest of them.
    pub max: f64,
}

impl Ratio {
    /// The ratio of one figure in the rounds in which both proxies have it above zero.
    pub fn of(ours: &[Option<Row>], theirs: &[Option<Row>], metric: &str) -> Option<Ratio> {
        let figure = |row: &Option<Row>| row.as_ref()?.get(metric).copied().filter(|f| *f > 0.0);
        let mut ratios: Vec<f64> = ours
            .iter()
            .zip(theirs)
            .filter_map(|(ours, theirs)| Some(figure(ours)? / figure(theirs)?))
            .collect();
        let median = median(&mut ratios)?;
        Some(Ratio {
            median,
            min: ratios[0],
            max: ratios[ratios.len() - 1],
        })
    }
}

/// The median of one figure over the rounds that have it.
pub fn median_of(rows: &[Option<Row>], metric: &str) -> Option<f64> {
    let mut values: Vec<f64> = rows
        .iter()
        .flatten()
        .filter_map(|row| row.get(metric).copied())
        .collect();
    median(&mut values)
}

/// Sorts the values and returns the middle one, or the mean of the two in the middle.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(values: &[f64]) -> Vec<Option<Row>> {
        values
            .iter()
            .map(|&v| (v >= 0.0).then(|| Row::from([("cpu_us", v)])))
            .collect()
    }

    #[test]
    fn ratios_pair_the_rounds() {
        let ratio = |ours: &[f64], theirs: &[f64]| {
            Ratio::of(&rounds(ours), &rounds(theirs), "cpu_us").map(|r| (r.median, r.min, r.max))
        };
        assert_eq!(
            ratio(&[1.0, 2.0, 9.0], &[2.0, 2.0, 3.0]),
            Some((1.0, 0.5, 3.0))
        );
        assert_eq!(ratio(&[1.0, 2.0], &[2.0, 1.0]), Some((1.25, 0.5, 2.0)));
        // A round that one of them missed (-1), or measured nothing in, does not count.
        assert_eq!(
            ratio(&[-1.0, 3.0, 4.0], &[1.0, 1.0, 0.0]),
            Some((3.0, 3.0, 3.0))
        );
        assert_eq!(ratio(&[-1.0], &[1.0]), None);
        assert_eq!(ratio(&[], &[]), None);
        assert_eq!(Ratio::of(&rounds(&[1.0]), &rounds(&[1.0]), "other"), None);
    }

    #[test]
    fn medians() {
        assert_eq!(median_of(&rounds(&[3.0, 1.0, 2.0]), "cpu_us"), Some(2.0));
        assert_eq!(median_of(&rounds(&[4.0, -1.0, 2.0]), "cpu_us"), Some(3.0));
        assert_eq!(median_of(&rounds(&[-1.0]), "cpu_us"), None);
    }
}
