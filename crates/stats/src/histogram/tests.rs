//! Figures recorded from Envoy 1.40.0 for the same values.

use super::bins::{Bin, place};
use super::*;
use crate::number::shortest;

fn merged(unit: Unit, values: &[u64]) -> MergedHistogram {
    let cells = HistogramCells::new();
    values.iter().for_each(|value| cells.record_alone(*value));
    let mut merged = MergedHistogram::new(unit);
    merged.merge(std::iter::once(&cells));
    merged
}

const SIZES: &[u64] = &[
    0, 0, 1, 2, 3, 7, 9, 10, 11, 99, 100, 101, 150, 999, 1000, 1234, 5555, 99999, 100000, 123456,
];

#[test]
fn bins_hold_their_values() {
    for exponent in 0..20 {
        for value in
            [1, 2, 9, 10, 11, 99, 100, 101, 999].map(|v: u64| v.checked_mul(10u64.pow(exponent)))
        {
            let Some(value) = value else { continue };
            let (decade, step) = place(value).unwrap();
            let bin = Bin::new(decade, step);
            let (value, slack) = (value as f64, value as f64 * 1e-12);
            assert!(
                bin.left() <= value + slack && value < bin.left() + bin.width() + slack,
                "{value}"
            );
        }
    }
    assert_eq!(place(0), None);
    assert!(place(u64::MAX).is_some());
}

#[test]
fn quantiles() {
    let million = Unit::PERCENT_SCALE;
    let cases: &[(Unit, &[u64], &str)] = &[
        (
            Unit::Bytes,
            SIZES,
            "0 3.05 99.5 1050 99500 105000 125000 125000 125000 125000",
        ),
        (
            Unit::Bytes,
            &[1; 5],
            "1.0166666666666666 1.0333333333333334 1.05 1.0666666666666667 1.0833333333333333 1.0833333333333333 1.0833333333333333 1.0833333333333333 1.0833333333333333 1.0833333333333333",
        ),
        (
            Unit::Milliseconds,
            &[11],
            "11.5 11.5 11.5 11.5 11.5 11.5 11.5 11.5 11.5 11.5",
        ),
        (
            Unit::Bytes,
            &[7, 7, 8],
            "7.033333333333333 7.033333333333333 7.066666666666666 8.05 8.05 8.05 8.05 8.05 8.05 8.05",
        ),
        (
            Unit::Percent,
            &[
                0,
                4000,
                5000,
                500000,
                million,
                million,
                7 * million,
                7 * million,
                12 * million,
                12 * million,
                12 * million,
                12 * million,
                150 * million,
                150 * million,
                155 * million,
                155 * million,
            ],
            "0 0.505 7.066666666666667 12.8 156 158 158 158 158 158",
        ),
        (Unit::Bytes, &[], "nan nan nan nan nan nan nan nan nan nan"),
    ];
    for (unit, values, expected) in cases {
        let quantiles = merged(*unit, values).cumulative.quantiles();
        assert_eq!(quantiles.map(shortest).join(" "), *expected);
    }
}

#[test]
fn sums_and_buckets() {
    let sizes = merged(Unit::Bytes, SIZES).cumulative;
    assert_eq!(
        crate::number::general(sizes.sum(), 32),
        "338407.59507762559223920106887817"
    );
    let counts: Vec<u64> = sizes.cumulative_counts(DEFAULT_BUCKETS).collect();
    let expected = [
        2, 3, 5, 8, 9, 9, 12, 13, 13, 15, 16, 16, 17, 17, 17, 20, 20, 20, 20,
    ];
    assert_eq!(counts, expected);
    let odd = merged(Unit::Unspecified, &[0, 0, 0, 0, 1, 7, 12, 12, 150, 155]).cumulative;
    let counts: Vec<u64> = odd
        .cumulative_counts(&[1e-7, 0.5, 1.05, 7.05, 12.5, 155.0])
        .collect();
    assert_eq!(counts, [4, 4, 5, 6, 8, 10]);
}

#[test]
fn intervals() {
    let cells = HistogramCells::new();
    let mut merged = MergedHistogram::new(Unit::Bytes);
    assert!(!merged.used());
    let mut steps = Vec::new();
    for values in [&[5u64, 5][..], &[5, 7], &[]] {
        values.iter().for_each(|value| cells.record_alone(*value));
        merged.merge(std::iter::once(&cells));
        steps.push((merged.interval.count(), merged.cumulative.count()));
    }
    assert_eq!(steps, [(2, 2), (2, 4), (0, 4)]);
    assert!(merged.used());
}
