//! Tags drawn out of stat names, by the defaults and by a regex of a config: `REGEX`, then `NAME`.

use nuncio_stats::{TagExtractors, TagSpecifier, TagValue, Tagged};
use std::sync::LazyLock;

static DEFAULTS: LazyLock<TagExtractors> = LazyLock::new(TagExtractors::default);

/// Takes a regex and a name.
pub fn run(data: &[u8]) {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let mut next = || str::from_utf8(lines.next().unwrap_or_default());
    let (Ok(regex), Ok(name)) = (next(), next()) else {
        return;
    };
    check(&DEFAULTS.extract(name), name);
    let specifier = TagSpecifier {
        name: "tag".to_owned(),
        value: TagValue::Regex(regex.to_owned()),
    };
    if let Ok(extractors) = TagExtractors::new(false, false, &[specifier]) {
        check(&extractors.extract(name), name);
    }
}

/// What is left of the name and the values are pieces of it.
fn check(tagged: &Tagged<'_>, name: &str) {
    assert!(tagged.name.len() <= name.len(), "{} of {name}", tagged.name);
    for tag in &tagged.tags {
        assert!(name.contains(&*tag.value), "{} of {name}", tag.value);
    }
    let mut rest = name.chars();
    assert!(
        tagged.name.chars().all(|c| rest.any(|other| other == c)),
        "{}",
        tagged.name
    );
}
