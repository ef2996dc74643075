//! Subject alternative names held against what is configured.

use nuncio_matching::StringMatcher;
use nuncio_stream_info::{CertificateInfo, SanKind};

/// What one name of a certificate must be like.
pub struct SanMatcher {
    /// Of which kind.
    pub kind: SanKind,
    /// The object identifier that the name must have, where the kind is `Other`.
    pub oid: Option<String>,
    /// What it must be.
    pub matcher: NameMatcher,
}

/// What a name must be.
pub enum NameMatcher {
    /// A host's name that the certificate must be for, perhaps by a wildcard of its own.
    Host(String),
    /// Text.
    Text(StringMatcher),
}

impl SanMatcher {
    /// Whether one of the certificate's names is like this.
    pub fn matches(&self, info: &CertificateInfo) -> bool {
        let sans = info.sans.iter().filter(|san| san.kind == self.kind);
        let mut sans = sans.filter(|san| self.oid.is_none() || san.oid == self.oid);
        sans.any(|san| match &self.matcher {
            NameMatcher::Host(host) => is_for_host(&san.value, host),
            NameMatcher::Text(matcher) => matcher.matches(san.value.as_bytes()),
        })
    }
}

/// Whether a certificate is for `name`: a host's name, or any other that is the same.
pub fn has_name(info: &CertificateInfo, name: &str) -> bool {
    info.sans.iter().any(|san| match san.kind {
        SanKind::Dns => is_for_host(&san.value, name),
        _ => san.value == name,
    })
}

/// Whether a DNS name of a certificate is for a host (RFC 6125 section 6.4): a wildcard may stand
/// in the first label, beside other characters but not in an internationalized one.
pub fn is_for_host(pattern: &str, host: &str) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let (Some((label, parent)), Some((first, rest))) =
        (pattern.split_once('.'), host.split_once('.'))
    else {
        return false;
    };
    let Some((before, after)) = label.split_once('*') else {
        return false;
    };
    let (label, first) = (label.to_ascii_lowercase(), first.to_ascii_lowercase());
    let (before, after) = (before.to_ascii_lowercase(), after.to_ascii_lowercase());
    parent.eq_ignore_ascii_case(rest)
        && !parent.contains('*')
        && !after.contains('*')
        && !label.starts_with("xn--")
        && first.len() >= before.len() + after.len()
        && first.starts_with(&before)
        && first.ends_with(&after)
        && !first.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_one_label() {
        let cases = [
            ("a.test", "A.test", true),
            ("*.test", "a.test", true),
            ("*.test", "a.b.test", false),
            ("*.test", "test", false),
            ("*.test", ".test", false),
            ("a*.test", "abc.test", true),
            ("*c.test", "abc.test", true),
            ("a*c.test", "ac.test", true),
            ("aa*aa.test", "aaa.test", false),
            ("xn--*.test", "xn--abc.test", false),
            ("*.*.test", "a.b.test", false),
            ("a.*.test", "a.b.test", false),
            ("**.test", "a.test", false),
        ];
        for (pattern, host, expected) in cases {
            assert_eq!(is_for_host(pattern, host), expected, "{pattern} {host}");
        }
    }
}
