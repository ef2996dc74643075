//! What is configured about HTTP/1: Envoy's `Http1ProtocolOptions` and what goes with it.

use nuncio_base::header_case::OtherNames;

/// Settings of a connection's codec, shared by all connections of a listener or cluster.
pub struct H1Settings {
    /// Bytes of a head or of trailers, in KiB: `max_request_headers_kb`, 60 by default, or
    /// `max_response_headers_kb`, 80 by default ([`client`](Self::client)).
    pub max_headers_kb: u32,
    /// Fields of a head, or of trailers (`max_headers_count`).
    pub max_headers_count: u32,
    /// `allow_absolute_url`; without it an absolute target becomes the path as it is.
    pub allow_absolute_url: bool,
    /// `accept_http_10`; without it such a request is refused with 426.
    pub accept_http_10: bool,
    /// `default_host_for_http_10`; empty for none.
    pub default_host_for_http_10: String,
    /// `allow_chunked_length`: chunks count and the length is dropped, where both are given.
    pub allow_chunked_length: bool,
    /// `enable_trailers`; without it trailers are checked and dropped.
    pub enable_trailers: bool,
    /// `allow_custom_methods`: any token is a method.
    pub allow_custom_methods: bool,
    /// `send_fully_qualified_url`, for a client: targets in absolute form.
    pub send_fully_qualified_url: bool,
    /// How header names are written, and whether their case is kept when read.
    pub header_case: HeaderCase,
    /// `headers_with_underscores_action`.
    pub underscores: UnderscoresAction,
    /// `ignore_http_11_upgrade`: upgrades whose name any of these matches are removed.
    pub ignore_http_11_upgrade: Vec<UpgradeMatcher>,
}

/// Says whether an upgrade's name is one.
pub type UpgradeMatcher = Box<dyn Fn(&str) -> bool + Send + Sync>;

impl Default for H1Settings {
    /// Envoy's defaults for the downstream side.
    fn default() -> Self {
        Self {
            max_headers_kb: 60,
            max_headers_count: 100,
            allow_absolute_url: true,
            accept_http_10: false,
            default_host_for_http_10: String::new(),
            allow_chunked_length: false,
            enable_trailers: false,
            allow_custom_methods: false,
            send_fully_qualified_url: false,
            header_case: HeaderCase::Lower,
            underscores: UnderscoresAction::Allow,
            ignore_http_11_upgrade: Vec::new(),
        }
    }
}

impl PartialEq for H1Settings {
    /// Settings with [`UpgradeMatcher`]s are like no others: nobody can tell what those match.
    fn eq(&self, other: &Self) -> bool {
        let Self {
            max_headers_kb,
            max_headers_count,
            allow_absolute_url,
            accept_http_10,
            default_host_for_http_10,
            allow_chunked_length,
            enable_trailers,
            allow_custom_methods,
            send_fully_qualified_url,
            header_case,
            underscores,
            ignore_http_11_upgrade,
        } = self;
        *max_headers_kb == other.max_headers_kb
            && *max_headers_count == other.max_headers_count
            && *allow_absolute_url == other.allow_absolute_url
            && *accept_http_10 == other.accept_http_10
            && *default_host_for_http_10 == other.default_host_for_http_10
            && *allow_chunked_length == other.allow_chunked_length
            && *enable_trailers == other.enable_trailers
            && *allow_custom_methods == other.allow_custom_methods
            && *send_fully_qualified_url == other.send_fully_qualified_url
            && *header_case == other.header_case
            && *underscores == other.underscores
            && ignore_http_11_upgrade.is_empty()
            && other.ignore_http_11_upgrade.is_empty()
    }
}

impl H1Settings {
    /// Envoy's defaults for the upstream side.
    pub fn client() -> Self {
        Self {
            max_headers_kb: 80,
            ..Self::default()
        }
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.max_headers_kb as usize * 1024
    }

    pub(super) fn max_fields(&self) -> usize {
        self.max_headers_count as usize
    }
}

/// How header names are written (`header_key_format`). A map whose names were kept by the codec
/// that read it is written with those, whatever this side's setting is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HeaderCase {
    /// In lower case.
    #[default]
    Lower,
    /// `proper_case_words`.
    Proper,
    /// The `preserve_case` formatter: names that are read keep their case.
    Preserve {
        /// `forward_reason_phrase`: so does the reason phrase.
        reason: bool,
        /// `formatter_type_on_envoy_headers`: how names are written that the peer did not send.
        others: OtherNames,
    },
}

/// `headers_with_underscores_action`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UnderscoresAction {
    /// They are as good as any.
    #[default]
    Allow,
    /// The request is refused.
    RejectRequest,
    /// The header is dropped.
    DropHeader,
}
