//! Ranges of numbers: `envoy.type.v3.Int64Range`, `DoubleRange`, `envoy.type.matcher.v3.
//! DoubleMatcher`, and ranges of ports.

/// Whole numbers from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntRange {
    /// The first number in the range.
    pub start: i64,
    /// The first number behind the range.
    pub end: i64,
}

impl IntRange {
    /// Whether the number is in the range.
    pub fn contains(self, number: i64) -> bool {
        (self.start..self.end).contains(&number)
    }
}

/// Matches a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DoubleMatcher {
    /// From `start` up to, not including, `end`.
    Range {
        /// The first number in the range.
        start: f64,
        /// The first number behind the range.
        end: f64,
    },
    /// This number.
    Exact(f64),
}

impl DoubleMatcher {
    /// Whether the number matches.
    pub fn matches(self, number: f64) -> bool {
        match self {
            Self::Range { start, end } => (start..end).contains(&number),
            Self::Exact(exact) => exact == number,
        }
    }
}

/// Ports from `start` up to, not including, `end` (`envoy.type.v3.Int32Range` where it means
/// ports).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The first port in the range.
    pub start: u32,
    /// The first port behind the range; up to 65,536.
    pub end: u32,
}

impl PortRange {
    /// One port.
    pub fn one(port: u16) -> Self {
        let start = u32::from(port);
        Self {
            start,
            end: start + 1,
        }
    }

    /// Whether the port is in the range.
    pub fn contains(self, port: u16) -> bool {
        (self.start..self.end).contains(&u32::from(port))
    }
}

/// The number that a text is, as Envoy reads one (`absl::SimpleAtoi`): blanks around it and a
/// sign are fine, anything else is not.
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_not_in_a_range() {
        let range = IntRange { start: -5, end: 10 };
        for (number, inside) in [(-6, false), (-5, true), (9, true), (10, false)] {
            assert_eq!(range.contains(number), inside, "{number}");
        }
        let range = DoubleMatcher::Range {
            start: 0.0,
            end: 1.0,
        };
        assert!(
            range.matches(0.0) && !range.matches(1.0) && DoubleMatcher::Exact(2.0).matches(2.0)
        );
        assert!(PortRange::one(65535).contains(65535) && !PortRange::one(1).contains(2));
    }

    #[test]
    fn numbers_are_read_as_absl_reads_them() {
        for (text, number) in [
            ("5", Some(5)),
            ("+5", Some(5)),
            ("-5", Some(-5)),
            (" 5 ", Some(5)),
            ("1.5", None),
            ("", None),
            ("5x", None),
            ("9223372036854775808", None),
        ] {
            assert_eq!(parse_int(text.as_bytes()), number, "{text:?}");
        }
    }
}
