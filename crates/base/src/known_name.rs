//! The header names that this proxy knows by number: asking for one, and whether it is there at
//! all, costs no comparison of text.

use crate::sixteen::Sixteen;
use std::fmt;

/// A header name known at compile time: an index into [`names`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Known(u8);

/// Where the lines of a repeated header are joined to one, as Envoy's inline headers are. Its
/// request and its response maps have different ones; in trailers nothing is joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repeats {
    /// Nowhere: each line stays an entry of its own.
    Separate,
    /// In requests.
    InRequests,
    /// In responses.
    InResponses,
    /// In both.
    Joined,
}

/// Which kind of message a header map holds, for [`Repeats`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageKind {
    /// A request's head.
    Request,
    /// A response's head.
    Response,
}

/// As many bytes have room for how a field of any known name begins.
pub const START_ROOM: usize = 48;

const fn padded(start: &str) -> [u8; START_ROOM] {
    let (mut padded, start) = ([0; START_ROOM], start.as_bytes());
    let mut at = 0;
    while at < start.len() {
        padded[at] = start[at];
        at += 1;
    }
    padded
}

struct Info {
    name: &'static str,
    /// How a field of it begins on the wire.
    start: &'static str,
    /// The same with anything behind it, to be copied as a whole.
    padded: [u8; START_ROOM],
    repeats: Repeats,
}

macro_rules! known_names {
    ($($ident:ident = $text:literal $repeats:ident,)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Index { $($ident),* }

        static INFO: &[Info] = &[$(Info {
            name: $text,
            start: concat!($text, ": "),
            padded: padded(concat!($text, ": ")),
            repeats: Repeats::$repeats,
        }),*];

        /// The known header names.
        pub mod names {
            use super::{Index, Known};
            $(#[doc = concat!("`", $text, "`")]
            pub const $ident: Known = Known(Index::$ident as u8);)*
        }
    };
}

known_names! {
    METHOD = ":method" Separate,
    SCHEME = ":scheme" Separate,
    AUTHORITY = ":authority" Separate,
    PATH = ":path" Separate,
    PROTOCOL = ":protocol" Separate,
    STATUS = ":status" Separate,
    ACCEPT = "accept" InRequests,
    ACCEPT_ENCODING = "accept-encoding" InRequests,
    ACCEPT_LANGUAGE = "accept-language" Separate,
    ACCESS_CONTROL_ALLOW_CREDENTIALS = "access-control-allow-credentials" InResponses,
    ACCESS_CONTROL_ALLOW_HEADERS = "access-control-allow-headers" InResponses,
    ACCESS_CONTROL_ALLOW_METHODS = "access-control-allow-methods" InResponses,
    ACCESS_CONTROL_ALLOW_ORIGIN = "access-control-allow-origin" InResponses,
    PRAGMA = "pragma" InRequests,
    ACCESS_CONTROL_ALLOW_PRIVATE_NETWORK = "access-control-allow-private-network" InResponses,
    ACCESS_CONTROL_EXPOSE_HEADERS = "access-control-expose-headers" InResponses,
    ACCESS_CONTROL_MAX_AGE = "access-control-max-age" InResponses,
    ACCESS_CONTROL_REQUEST_HEADERS = "access-control-request-headers" InRequests,
    ACCESS_CONTROL_REQUEST_METHOD = "access-control-request-method" InRequests,
    ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK = "access-control-request-private-network" InRequests,
    AGE = "age" InResponses,
    ALT_SVC = "alt-svc" Separate,
    AUTHORIZATION = "authorization" InRequests,
    CACHE_CONTROL = "cache-control" Joined,
    CONNECTION = "connection" Joined,
    CONTENT_ENCODING = "content-encoding" Joined,
    CONTENT_LENGTH = "content-length" Joined,
    CONTENT_TYPE = "content-type" Joined,
    COOKIE = "cookie" Separate,
    DATE = "date" InResponses,
    ETAG = "etag" InResponses,
    EXPECT = "expect" InRequests,
    EXPIRES = "expires" InResponses,
    GRPC_ACCEPT_ENCODING = "grpc-accept-encoding" InRequests,
    GRPC_MESSAGE = "grpc-message" InResponses,
    GRPC_STATUS = "grpc-status" InResponses,
    GRPC_TIMEOUT = "grpc-timeout" InRequests,
    HOST = "host" Separate,
    HTTP2_SETTINGS = "http2-settings" Separate,
    IF_MATCH = "if-match" InRequests,
    IF_MODIFIED_SINCE = "if-modified-since" InRequests,
    IF_NONE_MATCH = "if-none-match" InRequests,
    IF_RANGE = "if-range" InRequests,
    IF_UNMODIFIED_SINCE = "if-unmodified-since" InRequests,
    KEEP_ALIVE = "keep-alive" Joined,
    LAST_MODIFIED = "last-modified" InResponses,
    LOCATION = "location" InResponses,
    ORIGIN = "origin" InRequests,
    PROXY_AUTHENTICATE = "proxy-authenticate" Separate,
    PROXY_AUTHORIZATION = "proxy-authorization" Separate,
    PROXY_CONNECTION = "proxy-connection" Joined,
    PROXY_STATUS = "proxy-status" Joined,
    RANGE = "range" Separate,
    REFERER = "referer" InRequests,
    RETRY_AFTER = "retry-after" Separate,
    SERVER = "server" InResponses,
    SET_COOKIE = "set-cookie" Separate,
    TE = "te" InRequests,
    TRAILER = "trailer" Separate,
    TRANSFER_ENCODING = "transfer-encoding" Joined,
    UPGRADE = "upgrade" Joined,
    USER_AGENT = "user-agent" InRequests,
    VARY = "vary" InResponses,
    VIA = "via" Joined,
    WWW_AUTHENTICATE = "www-authenticate" Separate,
    X_CLIENT_TRACE_ID = "x-client-trace-id" InRequests,
    X_ENVOY_ATTEMPT_COUNT = "x-envoy-attempt-count" Joined,
    X_ENVOY_DECORATOR_OPERATION = "x-envoy-decorator-operation" Joined,
    X_ENVOY_DEGRADED = "x-envoy-degraded" InResponses,
    X_ENVOY_DOWNSTREAM_SERVICE_CLUSTER = "x-envoy-downstream-service-cluster" InRequests,
    X_ENVOY_DOWNSTREAM_SERVICE_NODE = "x-envoy-downstream-service-node" InRequests,
    X_ENVOY_EXPECTED_RQ_TIMEOUT_MS = "x-envoy-expected-rq-timeout-ms" InRequests,
    X_ENVOY_EXTERNAL_ADDRESS = "x-envoy-external-address" InRequests,
    X_ENVOY_FAULT_ABORT_REQUEST = "x-envoy-fault-abort-request" Separate,
    X_ENVOY_FAULT_DELAY_REQUEST = "x-envoy-fault-delay-request" Separate,
    X_ENVOY_FORCE_TRACE = "x-envoy-force-trace" InRequests,
    X_ENVOY_HEDGE_ON_PER_TRY_TIMEOUT = "x-envoy-hedge-on-per-try-timeout" InRequests,
    X_ENVOY_IMMEDIATE_HEALTH_CHECK_FAIL = "x-envoy-immediate-health-check-fail" InResponses,
    X_ENVOY_INTERNAL = "x-envoy-internal" InRequests,
    X_ENVOY_IP_TAGS = "x-envoy-ip-tags" InRequests,
    X_ENVOY_IS_TIMEOUT_RETRY = "x-envoy-is-timeout-retry" InRequests,
    X_ENVOY_LOCAL_OVERLOADED = "x-envoy-local-overloaded" Separate,
    X_ENVOY_MAX_RETRIES = "x-envoy-max-retries" InRequests,
    X_ENVOY_ORIGINAL_HOST = "x-envoy-original-host" InRequests,
    X_ENVOY_ORIGINAL_METHOD = "x-envoy-original-method" Separate,
    X_ENVOY_ORIGINAL_PATH = "x-envoy-original-path" InRequests,
    X_ENVOY_ORIGINAL_URL = "x-envoy-original-url" InRequests,
    X_ENVOY_OVERLOADED = "x-envoy-overloaded" Separate,
    X_ENVOY_PEER_METADATA = "x-envoy-peer-metadata" Separate,
    X_ENVOY_RATELIMITED = "x-envoy-ratelimited" InResponses,
    X_ENVOY_RETRIABLE_HEADER_NAMES = "x-envoy-retriable-header-names" InRequests,
    X_ENVOY_RETRIABLE_STATUS_CODES = "x-envoy-retriable-status-codes" InRequests,
    X_ENVOY_RETRY_GRPC_ON = "x-envoy-retry-grpc-on" InRequests,
    X_ENVOY_RETRY_ON = "x-envoy-retry-on" InRequests,
    X_ENVOY_UPSTREAM_ALT_STAT_NAME = "x-envoy-upstream-alt-stat-name" InRequests,
    X_ENVOY_UPSTREAM_CANARY = "x-envoy-upstream-canary" InResponses,
    X_ENVOY_UPSTREAM_HEALTHCHECKED_CLUSTER = "x-envoy-upstream-healthchecked-cluster" InResponses,
    X_ENVOY_UPSTREAM_RQ_PER_TRY_TIMEOUT_MS = "x-envoy-upstream-rq-per-try-timeout-ms" InRequests,
    X_ENVOY_UPSTREAM_RQ_TIMEOUT_ALT_RESPONSE = "x-envoy-upstream-rq-timeout-alt-response" InRequests,
    X_ENVOY_UPSTREAM_RQ_TIMEOUT_MS = "x-envoy-upstream-rq-timeout-ms" InRequests,
    X_ENVOY_UPSTREAM_SERVICE_TIME = "x-envoy-upstream-service-time" Separate,
    X_ENVOY_UPSTREAM_STREAM_DURATION_MS = "x-envoy-upstream-stream-duration-ms" InRequests,
    X_FORWARDED_CLIENT_CERT = "x-forwarded-client-cert" InRequests,
    X_FORWARDED_FOR = "x-forwarded-for" InRequests,
    X_FORWARDED_HOST = "x-forwarded-host" InRequests,
    X_FORWARDED_PORT = "x-forwarded-port" InRequests,
    X_FORWARDED_PROTO = "x-forwarded-proto" InRequests,
    X_REQUEST_ID = "x-request-id" Joined,
}

const COUNT: usize = INFO.len();
const SLOTS: usize = 512;
const EMPTY: u8 = 0xff;
// A presence bitmap of the known names must fit into 128 bits (`HeaderMap`).
const _: () = assert!(COUNT <= 128);

/// Set in every byte that a known name has: of a letter it makes the small one.
const SMALL: u64 = 0x2020_2020_2020_2020;

/// Both ends and the length tell the known names well enough apart, of long names the middle too;
/// the rest is settled by comparing. It does not depend on the case of letters.
const fn hash(name: &[u8]) -> usize {
    let n = name.len();
    let mut h = match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
            (first | SMALL) ^ (last | SMALL).rotate_left(29)
        }
        (_, _) => short(name) | SMALL,
    };
    if n > 16
        && let Some(middle) = name.split_at(n / 2 - 4).1.first_chunk()
    {
        h ^= (u64::from_le_bytes(*middle) | SMALL).rotate_left(13);
    }
    ((h ^ n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SLOTS.trailing_zeros())) as usize
}

/// The bytes of a name of less than eight.
const fn short(name: &[u8]) -> u64 {
    match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            first as u64 | (last as u64) << 32
        }
        (_, _) => match name {
            [a, .., b] => *a as u64 | (*b as u64) << 8,
            [a] => *a as u64,
            [] => 0,
        },
    }
}

/// Whether the `len` bytes that `line` begins with are the name `known`, but for the case of
/// letters.
fn same_name(known: Known, line: &[u8], len: usize) -> bool {
    let info = &INFO[known.0 as usize];
    if info.name.len() != len {
        return false;
    }
    let (first, rest) = (differ(info, line, 0), len.saturating_sub(16));
    if rest == 0 {
        return first & (u16::MAX >> (16 - len)) == 0;
    }
    first == 0 && is_long_name(info, line, rest)
}

/// [`same_name`] of the bytes behind the first sixteen.
#[inline(never)]
fn is_long_name(info: &Info, line: &[u8], len: usize) -> bool {
    let mask = |len: usize| u16::MAX >> (16 - len.min(16));
    let last = len.saturating_sub(16);
    differ(info, line, 1) & mask(len) == 0 && (last == 0 || differ(info, line, 2) & mask(last) == 0)
}

/// Which bytes of sixteen are not those of the name, but for the case of letters.
fn differ(info: &Info, line: &[u8], at: usize) -> u16 {
    let here = Sixteen::beginning(line.get(16 * at..).unwrap_or_default());
    let name = Sixteen::beginning(info.padded.get(16 * at..).unwrap_or_default());
    // A control byte would become another with `SMALL`.
    !here.with_bits(SMALL as u8).same(name) | here.below(b' ')
}

const TABLE: [u8; SLOTS] = {
    let mut table = [EMPTY; SLOTS];
    let mut i = 0;
    while i < COUNT {
        let mut slot = hash(Known(i as u8).as_str().as_bytes());
        while table[slot] != EMPTY {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = i as u8;
        i += 1;
    }
    table
};

impl Known {
    /// Finds a lower-case name among the known ones.
    pub fn find(name: &[u8]) -> Option<Self> {
        Self::find_where(name, |known| known.as_str().as_bytes() == name)
    }

    /// Finds a name, however its letters are written, among the known ones; pseudo-headers, which
    /// begin with a colon, as well.
    pub fn find_any_case(name: &[u8]) -> Option<Self> {
        Self::find_beginning(name, name.len())
    }

    /// As [`find_any_case`](Self::find_any_case), of the `len` bytes that `line` begins with: what
    /// stands behind a name makes it quicker to compare.
    pub fn find_beginning(line: &[u8], len: usize) -> Option<Self> {
        Self::find_where(line.get(..len)?, |known| same_name(known, line, len))
    }

    fn find_where(name: &[u8], is_it: impl Fn(Self) -> bool) -> Option<Self> {
        if name.is_empty() {
            return None;
        }
        let mut slot = hash(name);
        loop {
            match TABLE[slot] {
                EMPTY => return None,
                index if is_it(Self(index)) => return Some(Self(index)),
                _ => slot = (slot + 1) % SLOTS,
            }
        }
    }

    /// The name, in lower case.
    pub const fn as_str(self) -> &'static str {
        INFO[self.0 as usize].name
    }

    /// How a field of this name begins in HTTP/1: the name, a colon, a space.
    pub const fn field_start(self) -> &'static str {
        INFO[self.0 as usize].start
    }

    /// [`field_start`](Self::field_start), with anything behind it.
    pub fn padded_start(self) -> &'static [u8; START_ROOM] {
        &INFO[self.0 as usize].padded
    }

    /// Where repeated headers of this name are joined.
    pub const fn repeats(self) -> Repeats {
        INFO[self.0 as usize].repeats
    }

    /// Whether repeated headers of this name are joined in messages of this kind.
    pub const fn is_joined_in(self, kind: MessageKind) -> bool {
        match self.repeats() {
            Repeats::Separate => false,
            Repeats::InRequests => matches!(kind, MessageKind::Request),
            Repeats::InResponses => matches!(kind, MessageKind::Response),
            Repeats::Joined => true,
        }
    }

    /// Whether this is a pseudo-header (`:method` and its like).
    pub const fn is_pseudo(self) -> bool {
        self.0 <= names::STATUS.0
    }

    /// The number of this name, below 128.
    pub const fn index(self) -> u8 {
        self.0
    }

    pub(crate) const fn from_index(index: u8) -> Self {
        Self(index)
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capitals(name: &str) -> String {
        let word = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        name.split('-').map(word).collect::<Vec<_>>().join("-")
    }

    #[test]
    fn every_known_name_is_found_and_lower_case() {
        for known in (0..COUNT).map(|index| Known(index as u8)) {
            let name = known.as_str();
            assert_eq!(Known::find(name.as_bytes()), Some(known), "{name}");
            for written in [name.to_owned(), name.to_ascii_uppercase(), capitals(name)] {
                let written = written.into_bytes();
                assert_eq!(Known::find_any_case(&written), Some(known), "{name}");
                for at in 0..written.len() {
                    for other in 0..=u8::MAX {
                        let mut changed = written.clone();
                        changed[at] = other;
                        let expected = Known::find(&changed.to_ascii_lowercase());
                        assert_eq!(Known::find_any_case(&changed), expected, "{changed:?}");
                    }
                }
            }
            assert_eq!(name, name.to_ascii_lowercase());
            assert_eq!(known.field_start(), format!("{name}: "));
        }
        for unknown in [
            "x",
            "x-unknown",
            ":",
            ":pat",
            "content-lengt",
            "content-lengthh",
        ] {
            assert_eq!(Known::find(unknown.as_bytes()), None, "{unknown}");
        }
    }
}
