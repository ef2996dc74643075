//! What the filter is configured with.

use super::accept::Candidate;
use super::encoder::Library;
use nuncio_base::runtime_flags::{RuntimeFlag, RuntimeFlags};
use nuncio_base::{HeaderMap, names};
use nuncio_matching::StringMatcher;
use nuncio_stats::{Group, stat_group};

stat_group! {
    /// What is counted of a direction.
    pub struct CommonStats {
        counters {
            compressed,
            content_length_too_small,
            not_compressed,
            total_compressed_bytes,
            total_uncompressed_bytes,
        }
    }
}

stat_group! {
    /// What is counted of responses besides.
    pub struct ResponseStats {
        counters {
            header_compressor_overshadowed,
            header_compressor_used,
            header_identity,
            header_not_valid,
            header_wildcard,
            no_accept_header,
            not_compressed_etag,
        }
    }
}

/// Types of content.
pub enum ContentTypes {
    /// These, in any case.
    Listed(Vec<String>),
    /// Those that one of these matches.
    Matching(Vec<StringMatcher>),
}

impl ContentTypes {
    fn contain(&self, kind: &str) -> bool {
        match self {
            Self::Listed(types) => types.iter().any(|one| one.eq_ignore_ascii_case(kind)),
            Self::Matching(types) => types.iter().any(|one| one.matches(kind.as_bytes())),
        }
    }
}

/// The settings of one direction.
pub struct Direction {
    /// Whether it is compressed; `None`: no.
    pub enabled: Option<RuntimeFlag>,
    /// How long a body must be, in bytes.
    pub min_content_length: u64,
    /// The content types that are compressed.
    pub content_types: ContentTypes,
    /// What is counted.
    pub stats: Group<CommonStats>,
}

impl Direction {
    /// Whether bodies are compressed now.
    pub fn is_enabled(&self, flags: &RuntimeFlags) -> bool {
        let enabled = self.enabled.as_ref();
        enabled.is_some_and(|enabled| enabled.current(flags))
    }

    /// Whether a body is long enough, or its length is not known; counted where it is too short.
    pub fn is_long_enough(&self, headers: &HeaderMap, stats: &CommonStats) -> bool {
        let Some(length) = headers.get_str(names::CONTENT_LENGTH) else {
            return true;
        };
        let length: Option<u64> = length.parse().ok();
        let enough = length.is_some_and(|length| length >= self.min_content_length);
        if !enough {
            stats.content_length_too_small().inc();
        }
        enough
    }

    /// Whether the content is of a type that is compressed; one that is not said is.
    pub fn takes_type(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get_str(names::CONTENT_TYPE) else {
            return true;
        };
        let kind = value.split(';').next().unwrap_or_default().trim();
        value.is_empty() || self.content_types.contain(kind)
    }
}

/// What holds for responses besides.
pub struct ResponseSettings {
    /// Whether responses with an `etag` are left alone.
    pub disable_on_etag: bool,
    /// Whether strong `etag`s become weak ones instead of being removed.
    pub weaken_etag: bool,
    /// Whether upstreams don't see `accept-encoding`.
    pub remove_accept_encoding: bool,
    /// Statuses that are left alone.
    pub uncompressible: Vec<u16>,
    /// What is counted.
    pub stats: Group<ResponseStats>,
}

/// The filter's settings.
pub struct Settings {
    /// The library.
    pub library: Library,
    /// Whether it is preferred among those that the client likes as much.
    pub choose_first: bool,
    /// Whether its chain has no other compressor.
    pub alone: bool,
    /// Requests.
    pub request: Direction,
    /// Responses.
    pub response: Direction,
    /// Responses, the rest.
    pub of_response: ResponseSettings,
}

impl Settings {
    /// As it stands among others.
    pub(super) fn candidate(&self) -> Candidate {
        Candidate {
            coding: self.library.coding(),
            choose_first: self.choose_first,
        }
    }
}

/// The filter's settings at a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CompressorRouteSpec {
    /// Whether responses are compressed, where it says so.
    pub response: Option<bool>,
    /// Whether upstreams don't see `accept-encoding`.
    pub remove_accept_encoding: Option<bool>,
}
