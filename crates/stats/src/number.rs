//! Floating point numbers as text, the three ways that Envoy's outputs have.

/// Digits and decimal exponent: `digits` is `d.ddd` without the point, times 10^exponent.
struct Scientific {
    negative: bool,
    digits: String,
    exponent: i32,
}

impl Scientific {
    /// Takes apart what `{:e}` prints of a finite number.
    fn parse(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let negative = mantissa.starts_with('-');
        let mut digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        digits.truncate(digits.trim_end_matches('0').len().max(1));
        Self {
            negative,
            digits,
            exponent: exponent.parse().unwrap_or(0),
        }
    }

    fn sign(&self) -> &'static str {
        if self.negative { "-" } else { "" }
    }

    fn fixed(&self) -> String {
        let point = self.exponent + 1;
        let digits = &self.digits;
        let body = if point <= 0 {
            format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
        } else if point as usize >= digits.len() {
            format!("{digits}{}", "0".repeat(point as usize - digits.len()))
        } else {
            format!(
                "{}.{}",
                &digits[..point as usize],
                &digits[point as usize..]
            )
        };
        format!("{}{body}", self.sign())
    }

    fn scientific(&self) -> String {
        let (first, rest) = self.digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let sign = if self.exponent < 0 { '-' } else { '+' };
        format!(
            "{}{first}{point}{rest}e{sign}{:02}",
            self.sign(),
            self.exponent.abs()
        )
    }
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("nan")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "inf" } else { "-inf" })
    } else {
        None
    }
}

/// C's `%.{precision}g`.
pub(crate) fn general(value: f64, precision: usize) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let number = Scientific::parse(&format!("{value:.*e}", precision - 1));
    if number.exponent < -4 || number.exponent >= precision as i32 {
        number.scientific()
    } else {
        number.fixed()
    }
}

/// As few digits as tell the number apart; scientific below 1e-4 and from 1e16 on.
pub(crate) fn shortest(value: f64) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let number = Scientific::parse(&format!("{value:e}"));
    if (-4..16).contains(&number.exponent) {
        number.fixed()
    } else {
        number.scientific()
    }
}

/// The shorter of fixed and scientific, with as few digits as tell the number apart (C++'s
/// `to_chars`); `null` if it is none.
pub(crate) fn json(value: f64) -> String {
    if special(value).is_some() {
        return "null".to_owned();
    }
    let number = Scientific::parse(&format!("{value:e}"));
    let (fixed, scientific) = (number.fixed(), number.scientific());
    if scientific.len() < fixed.len() {
        scientific
    } else {
        fixed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_envoys() {
        // Value, `%.6g`, `%.32g`, shortest, JSON.
        let cases = [
            (0.0, "0", "0", "0", "0"),
            (0.5, "0.5", "0.5", "0.5", "0.5"),
            (
                1e-7,
                "1e-07",
                "9.9999999999999995474811182588626e-08",
                "1e-07",
                "1e-07",
            ),
            (
                0.0001,
                "0.0001",
                "0.00010000000000000000479217360238593",
                "0.0001",
                "1e-04",
            ),
            (
                1.05,
                "1.05",
                "1.0500000000000000444089209850063",
                "1.05",
                "1.05",
            ),
            (300000.0, "300000", "300000", "300000", "3e+05"),
            (120000.0, "120000", "120000", "120000", "120000"),
            (1800000.0, "1.8e+06", "1800000", "1800000", "1800000"),
            (
                12345678.9,
                "1.23457e+07",
                "12345678.900000000372529029846191",
                "12345678.9",
                "12345678.9",
            ),
            (
                1.0166666666666666,
                "1.01667",
                "1.0166666666666666074547720199917",
                "1.0166666666666666",
                "1.0166666666666666",
            ),
            (
                99500000000.0,
                "9.95e+10",
                "99500000000",
                "99500000000",
                "9.95e+10",
            ),
            (
                1.65e16,
                "1.65e+16",
                "16500000000000000",
                "1.65e+16",
                "1.65e+16",
            ),
            (f64::NAN, "nan", "nan", "nan", "null"),
        ];
        for (value, six, thirty_two, short, in_json) in cases {
            assert_eq!(general(value, 6), six);
            assert_eq!(general(value, 32), thirty_two);
            assert_eq!(shortest(value), short);
            assert_eq!(json(value), in_json);
        }
    }
}
