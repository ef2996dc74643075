//! What a client's `accept-encoding` asks for, and which compressor of a chain that is.

/// One compressor of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Candidate {
    /// Its content coding.
    pub coding: &'static str,
    /// Whether it is preferred among those that the client likes as much.
    pub choose_first: bool,
}

/// What was chosen, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Choice {
    /// A compressor that the client names.
    Named(&'static str),
    /// The first compressor: the client takes any.
    Any(&'static str),
    /// None: the client wants it plain.
    Identity,
    /// None: the client takes nothing that there is.
    NotValid,
}

impl Choice {
    pub fn coding(self) -> Option<&'static str> {
        match self {
            Self::Named(coding) | Self::Any(coding) => Some(coding),
            Self::Identity | Self::NotValid => None,
        }
    }
}

/// Chooses among compressors, which are in the chain's order; of several with one coding the first
/// counts.
pub(super) fn choose(accept: &str, candidates: impl Iterator<Item = Candidate> + Clone) -> Choice {
    let asked = accept.split(',').filter(|token| !token.is_empty());
    let asked = asked.filter_map(|token| {
        let (name, parameters) = token.split_once(';').unwrap_or((token, ""));
        Some((name.trim(), quality(parameters)?))
    });
    let is_refused = |coding| {
        let mut asked = asked.clone();
        asked.any(|(name, quality)| name == coding && quality == 0.0)
    };
    let allowed = candidates.filter(|candidate| !is_refused(candidate.coding));
    let Some(first) = allowed.clone().next() else {
        return Choice::NotValid;
    };
    let (mut best, mut weight) = (Choice::NotValid, 0.0);
    for (name, quality) in asked.clone() {
        let candidate = allowed.clone().find(|candidate| candidate.coding == name);
        let choice = match (candidate, name) {
            (Some(candidate), _) => Choice::Named(candidate.coding),
            (None, "identity") => Choice::Identity,
            (None, "*") => Choice::Any(first.coding),
            (None, _) => continue,
        };
        // Of those that are liked as much the last preferred one counts, else the first.
        let is_preferred = candidate.is_some_and(|candidate| candidate.choose_first);
        if quality > weight || (quality == weight && quality > 0.0 && is_preferred) {
            (best, weight) = (choice, quality);
        }
    }
    best
}

/// The weight of a coding; `None` where it is no number.
fn quality(parameters: &str) -> Option<f32> {
    let Some((name, value)) = parameters.split_once('=') else {
        return Some(1.0);
    };
    match name.trim().eq_ignore_ascii_case("q") {
        true => value.trim().parse().ok(),
        false => Some(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices() {
        let one = |coding, choose_first| Candidate {
            coding,
            choose_first,
        };
        let all = [one("gzip", false), one("br", true), one("zstd", false)];
        for (accept, expected) in [
            ("gzip, br, zstd", Choice::Named("br")),
            ("gzip", Choice::Named("gzip")),
            ("gzip;q=0.9, br;q=0.1", Choice::Named("gzip")),
            ("zstd, gzip", Choice::Named("zstd")),
            ("*", Choice::Any("gzip")),
            ("gzip;q=0, *", Choice::Any("br")),
            ("identity;q=1, *;q=0", Choice::Identity),
            ("identity", Choice::Identity),
            ("deflate", Choice::NotValid),
            ("gzip;q=x", Choice::NotValid),
            ("gzip;q=0", Choice::NotValid),
            ("", Choice::NotValid),
            (",", Choice::NotValid),
        ] {
            let chosen = choose(accept, all.iter().copied());
            assert_eq!(chosen, expected, "{accept}");
        }
        let few = |count: usize, accept| choose(accept, all[..count].iter().copied());
        assert_eq!(few(0, "gzip"), Choice::NotValid);
        assert_eq!(few(1, "gzip;q=0, *"), Choice::NotValid);
        let both = [one("gzip", true), one("br", true)];
        for (accept, expected) in [
            ("gzip, br", "br"),
            ("br, gzip", "gzip"),
            ("gzip;q=0.5, br;q=0.5", "br"),
            ("br;q=0.6, gzip;q=0.5", "br"),
            ("gzip, *", "gzip"),
            ("*, br", "br"),
        ] {
            let chosen = choose(accept, both.iter().copied());
            assert_eq!(chosen, Choice::Named(expected), "{accept}");
        }
    }
}
