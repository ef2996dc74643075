//! Regexes and what rewrites by them: `PATTERN`, `REWRITE` and `TEXT`, a line each.

use nuncio_matching::{Regex, Substitution};

/// Takes three lines.
pub fn run(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (Ok(pattern), Ok(rewrite)) = (str::from_utf8(next()), str::from_utf8(next())) else {
        return;
    };
    let text = next();
    if let Ok(regex) = Regex::new(pattern) {
        assert_eq!(regex.pattern(), pattern);
        assert_eq!(regex.is_full_match(text), regex.is_full_match(text));
    }
    let Ok(substitution) = Substitution::new(pattern, rewrite) else {
        return;
    };
    let mut out = b"before".to_vec();
    substitution.replace_all(text, &mut out);
    assert!(out.starts_with(b"before"));
    // Each match adds at most the rewrite, with all of the text for each of its groups.
    let most = (text.len() + 1) * (rewrite.len() + 1) * (text.len() + 1);
    assert!(out.len() <= 6 + text.len() + most, "{} bytes", out.len());
    let copy = Substitution::new(pattern, rewrite).map(|again| {
        let mut out = Vec::new();
        again.replace_all(text, &mut out);
        out
    });
    assert_eq!(copy.ok().as_deref(), Some(&out[6..]));
}
