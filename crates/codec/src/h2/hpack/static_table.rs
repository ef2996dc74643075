//! The static table of RFC 7541 appendix A.

use super::Field;
use nuncio_base::Known;
use std::sync::LazyLock;

/// The entries; the first has index 1.
#[rustfmt::skip]
pub(super) const ENTRIES: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// The entries' names where they are known ones.
static KNOWN: LazyLock<[Option<Known>; 61]> =
    LazyLock::new(|| ENTRIES.map(|(name, _)| Known::find(name.as_bytes())));

/// The entries of a known name.
#[derive(Clone, Copy, Default)]
struct Named {
    /// The index of the first; 0: there is none.
    first: u8,
    /// How many there are, beginning with it, that have a value.
    valued: u8,
}

static NAMED: LazyLock<[Named; 128]> = LazyLock::new(|| {
    let mut named = [Named::default(); 128];
    for (at, known) in KNOWN.iter().enumerate().rev() {
        if let Some(known) = known {
            named[usize::from(known.index())] = Named {
                first: at as u8 + 1,
                valued: VALUED[at],
            };
        }
    }
    named
});

/// The entry of an index from 1 to 61. Values are good where there are any.
pub(super) fn field(index: usize) -> Option<Field<'static>> {
    let (name, value) = ENTRIES.get(index.wrapping_sub(1))?;
    Some(Field {
        known: KNOWN[index - 1],
        name: name.as_bytes(),
        value: value.as_bytes(),
        is_checked: !value.is_empty(),
    })
}

/// The first entry with this name.
pub(super) fn index_of(name: Known) -> Option<usize> {
    let first = NAMED[usize::from(name.index())].first;
    (first > 0).then_some(usize::from(first))
}

/// How many entries of the same name, this one and those behind it, have values to be found.
static VALUED: [u8; 61] = {
    let mut valued = [0; 61];
    let mut at = 61;
    while at > 0 {
        at -= 1;
        let same = at < 60 && equal(ENTRIES[at].0, ENTRIES[at + 1].0);
        let behind = if same { valued[at + 1] } else { 0 };
        valued[at] = if ENTRIES[at].1.is_empty() {
            0
        } else {
            behind + 1
        };
    }
    valued
};

const fn equal(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// The entry with this name and value.
#[inline]
pub(super) fn with_value(name: Known, value: &[u8]) -> Option<usize> {
    let Named { first, valued } = NAMED[usize::from(name.index())];
    if valued == 0 {
        return None;
    }
    let first = usize::from(first);
    let mut entries = ENTRIES[first - 1..][..usize::from(valued)].iter();
    let at = entries.position(|entry| entry.1.as_bytes() == value)?;
    Some(first + at)
}
