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

/// Chooses among compressors, which are in the chain's order.
pub(super) fn choose(accept: &str, candidates: &[Candidate]) -> Choice {
    let mut allowed: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        if allowed.iter().all(|known| known.coding != candidate.coding) {
            allowed.push(*candidate);
        }
    }
    let mut asked = Vec::new();
    for token in accept.split(',').filter(|token| !token.is_empty()) {
        let (name, parameters) = token.split_once(';').unwrap_or((token, ""));
        let name = name.trim();
        let Some(quality) = quality(parameters) else {
            continue;
        };
        if quality == 0.0 {
            allowed.retain(|candidate| candidate.coding != name);
        }
        asked.push((name, quality));
    }
    if asked.is_empty() || allowed.is_empty() {
        return Choice::NotValid;
    }
    let mut best = ("", 0.0);
    let mut best_is_first = false;
    for (name, quality) in asked {
        let candidate = allowed.iter().find(|candidate| candidate.coding == name);
        if candidate.is_none() && name != "identity" && name != "*" {
            continue;
        }
        let is_first = candidate.is_some_and(|candidate| candidate.choose_first);
        let better = quality > best.1 || (quality == best.1 && is_first && !best_is_first);
        if quality > 0.0 && better {
            best = (name, quality);
            best_is_first = is_first;
        }
    }
    match best {
        (_, 0.0) => Choice::NotValid,
        ("identity", _) => Choice::Identity,
        ("*", _) => Choice::Any(allowed[0].coding),
        (name, _) => {
            let named = allowed.iter().find(|candidate| candidate.coding == name);
            named.map_or(Choice::NotValid, |candidate| {
                Choice::Named(candidate.coding)
            })
        }
    }
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
        ] {
            assert_eq!(choose(accept, &all), expected, "{accept}");
        }
        assert_eq!(choose("gzip", &[]), Choice::NotValid);
        assert_eq!(choose("gzip;q=0, *", &all[..1]), Choice::NotValid);
    }
}
