//! What a request is counted by (`envoy.config.route.v3.RateLimit`): descriptors, of which a rate
//! limit service or a local rate limit knows the limits.

use crate::rate_limit_action::{Action, Given};
use crate::table::Selected;
use nuncio_base::header_map::HeaderMap;
use nuncio_base::metadata::{Metadata, MetadataKey, Value};
use nuncio_base::runtime_flags::{Fraction, RuntimeFlags};
use nuncio_observe::Formatter;
use nuncio_stream_info::StreamInfo;
use std::sync::Arc;

/// One key of a descriptor with its value.
pub type Entry = (String, String);

/// What a request is counted by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// The keys and values, in order.
    pub entries: Vec<Entry>,
    /// The limit, where the configuration says it to the service.
    pub limit: Option<LimitOverride>,
    /// How much the request counts.
    pub hits_addend: Option<u64>,
    /// Whether that much is given back instead.
    pub negative_hits: bool,
}

/// A limit: so many requests in a unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitOverride {
    /// How many.
    pub requests_per_unit: u32,
    /// The number of `envoy.type.v3.RateLimitUnit`.
    pub unit: i32,
}

/// What one descriptor is made of.
#[derive(Clone, Debug)]
pub struct RateLimit {
    /// The stage whose filters ask.
    pub stage: u32,
    /// The runtime key by which it is turned off, empty for none.
    pub disable_key: String,
    /// What gives the entries.
    pub actions: Vec<Action>,
    /// The limit to tell the service.
    pub limit: Option<LimitSource>,
    /// How much a request counts.
    pub hits: Option<Hits>,
    /// Whether it is asked when the stream is over.
    pub on_stream_done: bool,
}

/// Where a descriptor's limit stands.
#[derive(Clone, Debug)]
pub enum LimitSource {
    /// In the configuration.
    Fixed(LimitOverride),
    /// In dynamic metadata.
    Metadata(MetadataKey),
}

/// How much a request counts.
#[derive(Clone, Debug)]
pub struct Hits {
    /// How much.
    pub count: HitsCount,
    /// Whether that much is given back.
    pub negative: bool,
}

/// Where the count stands.
#[derive(Clone, Debug)]
pub enum HitsCount {
    /// In the configuration.
    Fixed(u64),
    /// In what a format gives.
    Format(Arc<Formatter>),
}

/// What descriptors are made from.
pub struct RateLimitFacts<'a> {
    /// The request.
    pub headers: &'a HeaderMap,
    /// The stream.
    pub info: &'a StreamInfo,
    /// Its route.
    pub selected: Option<Selected<'a>>,
    /// The metadata of the route's cluster.
    pub cluster_metadata: Option<&'a Metadata>,
    /// Runtime.
    pub flags: &'a RuntimeFlags,
    /// Carries out a format on the stream.
    pub format: &'a dyn Fn(&Formatter, &mut Vec<u8>),
}

impl RateLimit {
    /// The descriptor of a request, if all actions have something to say, and runtime doesn't
    /// turn it off.
    pub fn descriptor(&self, facts: &RateLimitFacts<'_>) -> Option<Descriptor> {
        if !self.disable_key.is_empty() {
            let key = format!("ratelimit.{}.http_filter_enabled", self.disable_key);
            let share = facts.flags.fraction(&key, Fraction::ALL);
            if share.numerator < share.denominator {
                return None;
            }
        }
        let mut descriptor = Descriptor::default();
        for action in &self.actions {
            match action.give(facts) {
                Given::Entry(entry) => descriptor.entries.push(entry),
                Given::Nothing => {}
                Given::NoDescriptor => return None,
            }
        }
        descriptor.limit = self.limit.as_ref().and_then(|limit| limit.of(facts.info));
        if let Some(hits) = &self.hits {
            descriptor.negative_hits = hits.negative;
            descriptor.hits_addend = Some(hits.count(facts)?);
        }
        Some(descriptor)
    }
}

impl Hits {
    /// The largest count.
    const MAX: u64 = 1_000_000_000;

    fn count(&self, facts: &RateLimitFacts<'_>) -> Option<u64> {
        let format = match &self.count {
            HitsCount::Fixed(count) => return Some(*count),
            HitsCount::Format(format) => format,
        };
        let text = formatted(format, facts);
        text.parse().ok().filter(|count| *count <= Self::MAX)
    }
}

impl LimitSource {
    fn of(&self, info: &StreamInfo) -> Option<LimitOverride> {
        let place = match self {
            Self::Fixed(limit) => return Some(*limit),
            Self::Metadata(place) => place,
        };
        let value = place.find(&info.metadata)?;
        let Value::Number(requests) = value.at(["requests_per_unit"])? else {
            return None;
        };
        let Value::Text(unit) = value.at(["unit"])? else {
            return None;
        };
        let units = ["SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "YEAR"];
        let unit = units.iter().position(|name| *name == &**unit)?;
        Some(LimitOverride {
            requests_per_unit: *requests as u32,
            unit: unit as i32 + 1,
        })
    }
}

/// What a format gives.
pub(crate) fn formatted(format: &Formatter, facts: &RateLimitFacts<'_>) -> String {
    let mut text = Vec::new();
    (facts.format)(format, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The descriptors that the rate limits of one stage give for a request.
pub fn descriptors<'a>(
    limits: impl IntoIterator<Item = &'a RateLimit>,
    stage: u32,
    facts: &RateLimitFacts<'_>,
    into: &mut Vec<Descriptor>,
) {
    let of_stage = limits.into_iter().filter(|limit| limit.stage == stage);
    into.extend(of_stage.filter_map(|limit| limit.descriptor(facts)));
}
