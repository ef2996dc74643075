//! "Did you mean": the known name that a wrong one is closest to.

/// The candidate closest to `wrong`, if it is close: about one edit in three letters.
pub fn closest<'a>(wrong: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = plain(wrong);
    if wrong.is_empty() || wrong.len() > MAX_NAME {
        return None;
    }
    let limit = (wrong.len() / 3).max(1);
    let best = candidates
        .filter(|name| name.len().abs_diff(wrong.len()) <= limit + name.len() / 4)
        .map(|name| (distance(&wrong, &plain(name)), name))
        .min_by_key(|(distance, _)| *distance)?;
    (best.0 <= limit).then_some(best.1)
}

/// Names longer than this are not compared: the comparison is quadratic.
const MAX_NAME: usize = 128;

/// Camel and snake case, upper and lower case compare equal.
fn plain(name: &str) -> Vec<u8> {
    name.bytes()
        .filter(|&byte| byte != b'_')
        .map(|byte| byte.to_ascii_lowercase())
        .collect()
}

/// The number of letters to insert, leave out, change or swap with their neighbour.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &left) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &right) in b.iter().enumerate() {
            let changed = last[j] + usize::from(left != right);
            let mut cost = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && left == b[j - 1] && a[i - 1] == right {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}
