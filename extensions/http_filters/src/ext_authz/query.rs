//! Query parameters that a consent changes.

use std::collections::BTreeMap;

/// A path whose query has parameters set and removed; it is in the order of its names then, as
/// Envoy writes it. `None`: nothing is to be changed.
pub(super) fn changed(path: &str, set: &[(String, String)], remove: &[String]) -> Option<String> {
    if set.is_empty() && remove.is_empty() {
        return None;
    }
    let (path, rest) = path.split_once('?').unwrap_or((path, ""));
    let (query, fragment) = match rest.split_once('#') {
        Some((query, fragment)) => (query, Some(fragment)),
        None => (rest, None),
    };
    let mut parameters = BTreeMap::<&str, Vec<&str>>::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        parameters.entry(name).or_default().push(value);
    }
    for (name, value) in set {
        parameters.insert(name, vec![value]);
    }
    for name in remove {
        parameters.remove(name.as_str());
    }
    let mut changed = path.to_owned();
    let mut mark = '?';
    for (name, values) in parameters {
        for value in values {
            changed.push(mark);
            changed.push_str(name);
            changed.push('=');
            changed.push_str(value);
            mark = '&';
        }
    }
    if let Some(fragment) = fragment {
        changed.push('#');
        changed.push_str(fragment);
    }
    Some(changed)
}
