//! What gives the entries of a descriptor (`envoy.config.route.v3.RateLimit.Action`).

use crate::rate_limit::{Entry, RateLimitFacts, formatted};
use nuncio_base::HeaderName;
use nuncio_base::header_name::names;
use nuncio_base::metadata::{MetadataKey, Value};
use nuncio_matching::query::{decoded, first_value};
use nuncio_matching::{AddressMatcher, CidrRange, HeaderMatcher, QueryParameterMatcher, header};
use nuncio_observe::Formatter;
use std::net::IpAddr;
use std::sync::Arc;

/// Whose metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataSource {
    /// The stream's.
    Dynamic,
    /// The route's.
    Route,
    /// The cluster's.
    Cluster,
}

/// What gives an entry.
#[derive(Clone, Debug)]
pub enum Action {
    /// This entry, always.
    Fixed(Entry),
    /// The route's cluster.
    DestinationCluster,
    /// A request header.
    Header {
        /// The header.
        name: HeaderName,
        /// The entry's key.
        key: String,
        /// Without it there is no entry, but there is a descriptor.
        skip_if_absent: bool,
    },
    /// A parameter of the query.
    QueryParameter {
        /// The parameter.
        name: String,
        /// The entry's key.
        key: String,
        /// Without it there is no entry, but there is a descriptor.
        skip_if_absent: bool,
    },
    /// The client's address.
    RemoteAddress,
    /// The network of the client: so many bits of IPv4 and of IPv6 addresses.
    MaskedRemoteAddress(u32, u32),
    /// An entry where headers match, or don't.
    HeaderMatch {
        /// The headers.
        headers: Vec<HeaderMatcher>,
        /// Whether they should.
        expected: bool,
        /// The entry.
        entry: Entry,
    },
    /// An entry where parameters of the query match, or don't.
    QueryMatch {
        /// The parameters.
        parameters: Vec<QueryParameterMatcher>,
        /// Whether they should.
        expected: bool,
        /// The entry.
        entry: Entry,
    },
    /// An entry where the client's address matches.
    AddressMatch {
        /// The addresses.
        matcher: AddressMatcher,
        /// The entry's key.
        key: String,
        /// Its value.
        value: Arc<Formatter>,
        /// Its value where that is empty.
        default: String,
    },
    /// Text of metadata.
    Metadata {
        /// Whose.
        source: MetadataSource,
        /// Where.
        place: MetadataKey,
        /// The entry's key.
        key: String,
        /// Its value where there is none, empty for no entry.
        default: String,
        /// Without it there is no entry, but there is a descriptor.
        skip_if_absent: bool,
    },
}

/// What an action says of a request.
pub(crate) enum Given {
    Entry(Entry),
    Nothing,
    NoDescriptor,
}

impl Given {
    fn of(entry: Option<Entry>, skip_if_absent: bool) -> Self {
        match entry {
            Some(entry) => Self::Entry(entry),
            None if skip_if_absent => Self::Nothing,
            None => Self::NoDescriptor,
        }
    }
}

impl Action {
    pub(crate) fn give(&self, facts: &RateLimitFacts<'_>) -> Given {
        match self {
            Self::Fixed(entry) => Given::Entry(entry.clone()),
            Self::DestinationCluster => {
                let cluster = facts.selected.as_ref();
                let cluster = cluster.and_then(|route| route.cluster_name(facts.headers));
                let entry = cluster.map(|name| entry("destination_cluster", name));
                Given::of(entry, false)
            }
            Self::Header {
                name,
                key,
                skip_if_absent,
            } => {
                let value = facts.headers.get(name).map(|value| entry(key, value));
                Given::of(value, *skip_if_absent)
            }
            Self::QueryParameter {
                name,
                key,
                skip_if_absent,
            } => {
                let path = facts.headers.get(names::PATH);
                let value = path.and_then(|path| first_value(path, name.as_bytes()));
                let value = value.map(|value| entry(key, &decoded(value)));
                Given::of(value, *skip_if_absent)
            }
            Self::RemoteAddress => {
                let text = remote_ip(facts).map(|ip| ip.to_string());
                let entry = text.map(|text| ("remote_address".to_owned(), text));
                Given::of(entry, false)
            }
            Self::MaskedRemoteAddress(v4, v6) => {
                let masked = remote_ip(facts).map(|ip| masked(ip, *v4, *v6));
                let entry = masked.map(|text| ("masked_remote_address".to_owned(), text));
                Given::of(entry, false)
            }
            Self::HeaderMatch { .. } | Self::QueryMatch { .. } | Self::AddressMatch { .. } => {
                self.give_match(facts)
            }
            Self::Metadata { .. } => self.give_metadata(facts),
        }
    }

    fn give_match(&self, facts: &RateLimitFacts<'_>) -> Given {
        match self {
            Self::HeaderMatch {
                headers,
                expected,
                entry,
            } => {
                let matched = header::all_match(headers, facts.headers);
                given_if(matched == *expected, entry)
            }
            Self::QueryMatch {
                parameters,
                expected,
                entry,
            } => {
                let path = facts.headers.get(names::PATH).unwrap_or_default();
                let matched = parameters.iter().all(|parameter| parameter.matches(path));
                given_if(matched == *expected, entry)
            }
            Self::AddressMatch {
                matcher,
                key,
                value,
                default,
            } if remote_ip(facts).is_some_and(|ip| matcher.matches(ip)) => {
                let value = Some(formatted(value, facts)).filter(|value| !value.is_empty());
                let value = value.unwrap_or_else(|| default.clone());
                let entry = (!value.is_empty()).then(|| (key.clone(), value));
                Given::of(entry, false)
            }
            _ => Given::NoDescriptor,
        }
    }

    fn give_metadata(&self, facts: &RateLimitFacts<'_>) -> Given {
        let Self::Metadata {
            source,
            place,
            key,
            default,
            skip_if_absent,
        } = self
        else {
            return Given::NoDescriptor;
        };
        let metadata = match source {
            MetadataSource::Dynamic => Some(&facts.info.metadata),
            MetadataSource::Route => facts.selected.map(|selected| &*selected.route.metadata),
            MetadataSource::Cluster => facts.cluster_metadata,
        };
        let value = match metadata.and_then(|metadata| place.find(metadata)) {
            Some(Value::Text(text)) => text,
            _ => "",
        };
        let value = if value.is_empty() { default } else { value };
        let entry = (!value.is_empty()).then(|| (key.clone(), value.to_owned()));
        Given::of(entry, *skip_if_absent)
    }
}

fn given_if(matched: bool, entry: &Entry) -> Given {
    match matched {
        true => Given::Entry(entry.clone()),
        false => Given::NoDescriptor,
    }
}

fn entry(key: &str, value: &[u8]) -> Entry {
    (key.to_owned(), String::from_utf8_lossy(value).into_owned())
}

fn remote_ip(facts: &RateLimitFacts<'_>) -> Option<IpAddr> {
    facts.info.downstream_remote_address().ip_only()
}

fn masked(ip: IpAddr, v4: u32, v6: u32) -> String {
    let bits = if ip.is_ipv4() {
        v4.min(32)
    } else {
        v6.min(128)
    };
    format!("{}/{bits}", CidrRange::new(ip, bits).address())
}
