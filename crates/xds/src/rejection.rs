//! Why an update is refused.

use std::fmt;

/// How long a reason may be that is kept or told, in bytes: beyond it peers refuse the headers of
/// an answer that repeats it.
const MOST: usize = 4096;

/// Why an update is refused: as a whole, or some of its resources beside others that were accepted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rejection {
    /// The reason, as the control plane is told it.
    pub reason: String,
    /// The names of the resources that are refused, each with its own reason; empty: all are, for
    /// the same.
    pub resources: Vec<(String, String)>,
}

impl From<String> for Rejection {
    fn from(reason: String) -> Self {
        Self {
            reason,
            resources: Vec::new(),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// As much of a reason as is kept or told.
pub fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(MOST)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"ä".repeat(4000)).len(), MOST);
        assert_eq!(cut(&format!("a{}", "ä".repeat(4000))).len(), MOST - 1);
    }
}
