//! Rewriting a request's path and host as its route says.

use nuncio_base::header_map::HeaderMap;
use nuncio_base::header_name::{HeaderName, names};
use nuncio_matching::Substitution;
use nuncio_matching::path::split_path;
use nuncio_observe::Formatter;
use std::sync::Arc;

/// How a route changes the path. The query stays in every case.
#[derive(Clone, Debug, Default)]
pub enum PathRewrite {
    /// It stays.
    #[default]
    Keep,
    /// What the route matched (the prefix; else all of the path) becomes this.
    Prefix(Box<[u8]>),
    /// What matches in the path is replaced.
    Regex(Substitution),
    /// The path becomes what a format makes of the stream.
    Format(Arc<Formatter>),
}

impl PathRewrite {
    /// Whether the path stays.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// Appends what becomes of `target`, a `:path` header's value of which the route matched the
    /// first `matched` bytes. `false`: nothing does, because nothing would be left of the path;
    /// `out` is as it was then.
    pub fn append(
        &self,
        target: &[u8],
        matched: usize,
        format: impl FnOnce(&Formatter, &mut Vec<u8>),
        out: &mut Vec<u8>,
    ) -> bool {
        let start = out.len();
        let (path, query) = split_path(target);
        match self {
            Self::Keep => return false,
            Self::Prefix(prefix) => {
                out.extend_from_slice(prefix);
                out.extend_from_slice(path.get(matched..).unwrap_or_default());
            }
            Self::Regex(substitution) => substitution.replace_all(path, out),
            Self::Format(formatter) => format(formatter, out),
        }
        if out.len() == start {
            return false;
        }
        out.extend_from_slice(query);
        true
    }

    /// Changes `:path`. `keep_original`: the old one is kept in `x-envoy-original-path`, also
    /// where the new one is the same.
    pub fn apply(
        &self,
        headers: &mut HeaderMap,
        matched: usize,
        keep_original: bool,
        format: impl FnOnce(&Formatter, &HeaderMap, &mut Vec<u8>),
    ) {
        if self.is_keep() {
            return;
        }
        let old = headers.get(names::PATH).unwrap_or_default();
        let mut path = Vec::with_capacity(old.len() + 64);
        let format = |formatter: &Formatter, out: &mut Vec<u8>| format(formatter, headers, out);
        if !self.append(old, matched, format, &mut path) {
            return;
        }
        if keep_original {
            let old = old.to_vec();
            headers.set(names::X_ENVOY_ORIGINAL_PATH, &old);
        }
        headers.set(names::PATH, &path);
    }
}

/// How a route changes the host.
#[derive(Clone, Debug, Default)]
pub enum HostRewrite {
    /// It stays.
    #[default]
    Keep,
    /// It becomes this.
    Literal(Box<[u8]>),
    /// It becomes the name of the upstream host that is chosen, if that has one.
    Auto,
    /// It becomes the first value of this header, if there is one.
    Header(HeaderName),
    /// It becomes the path with what matches replaced.
    PathRegex(Substitution),
    /// It becomes what a format makes of the stream.
    Format(Arc<Formatter>),
}

impl HostRewrite {
    /// Changes `:authority` (not for [`HostRewrite::Auto`]: that waits for the upstream host).
    /// The path must still be as it was received.
    pub fn apply(
        &self,
        headers: &mut HeaderMap,
        append_forwarded_host: bool,
        keep_original: bool,
        format: impl FnOnce(&Formatter, &HeaderMap, &mut Vec<u8>),
    ) {
        let mut host = Vec::new();
        match self {
            Self::Keep | Self::Auto => {}
            Self::Literal(literal) => host.extend_from_slice(literal),
            Self::Header(name) => {
                host.extend_from_slice(headers.get(name).unwrap_or_default());
            }
            Self::PathRegex(substitution) => {
                let target = headers.get(names::PATH).unwrap_or_default();
                substitution.replace_all(split_path(target).0, &mut host);
            }
            Self::Format(formatter) => format(formatter, headers, &mut host),
        }
        if !host.is_empty() {
            update_authority(headers, &host, append_forwarded_host, keep_original);
        }
    }
}

/// Sets `:authority`. `append_forwarded_host`: the old one goes behind `x-forwarded-host`, unless
/// it stands there already as the last; `keep_original`: and into `x-envoy-original-host`.
pub fn update_authority(
    headers: &mut HeaderMap,
    host: &[u8],
    append_forwarded_host: bool,
    keep_original: bool,
) {
    let old = headers.get(names::AUTHORITY).unwrap_or_default().to_vec();
    if append_forwarded_host && !old.is_empty() {
        let last = headers.get(names::X_FORWARDED_HOST).and_then(|hosts| {
            hosts
                .rsplit(|byte| *byte == b',')
                .find(|host| !host.is_empty())
        });
        if last != Some(&old) {
            headers.join(names::X_FORWARDED_HOST, &old);
        }
    }
    if keep_original {
        headers.set(names::X_ENVOY_ORIGINAL_HOST, &old);
    }
    headers.set(names::AUTHORITY, host);
}
