//! The token buckets: one for all requests, and one for each descriptor.

use nuncio_base::token_bucket::TokenBucket;
use nuncio_config::token_bucket::Settings as BucketSettings;
use nuncio_route::rate_limit::{Descriptor, Entry};
use std::time::Instant;

/// The limit of the requests that one descriptor is about.
#[derive(Debug)]
pub struct DescriptorLimit {
    /// The descriptor's entries, all of them.
    pub entries: Vec<Entry>,
    /// How its bucket is made.
    pub bucket: BucketSettings,
    /// Whether requests beyond the limit are only counted.
    pub shadow: bool,
}

/// How buckets are made.
#[derive(Debug, Default)]
pub struct Limits {
    /// That of all requests; none lets them pass.
    pub default: Option<BucketSettings>,
    /// Those of descriptors, the slowest to fill first.
    pub descriptors: Vec<DescriptorLimit>,
    /// Whether requests of a descriptor need a token of the default bucket too.
    pub always_default: bool,
}

/// Which bucket: a descriptor's, or that of all requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// That of all requests.
    Default,
    /// A descriptor's.
    Descriptor(usize),
}

/// Buckets, as [`Limits`] has them.
#[derive(Debug)]
pub struct Buckets {
    default: Option<TokenBucket>,
    descriptors: Vec<TokenBucket>,
}

/// What came of asking for a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// Whether the request may pass.
    pub allowed: bool,
    /// The bucket that decided, if any did.
    pub place: Option<Place>,
    /// How many descriptors would have refused it, were they not in shadow mode.
    pub shadowed: u64,
}

impl Limits {
    /// Full buckets.
    pub fn buckets(&self) -> Buckets {
        let descriptors = self.descriptors.iter();
        Buckets {
            default: self.default.as_ref().map(BucketSettings::bucket),
            descriptors: descriptors.map(|limit| limit.bucket.bucket()).collect(),
        }
    }

    /// How many tokens a bucket holds.
    pub fn max(&self, place: Place) -> u32 {
        match place {
            Place::Default => self.default.map_or(0, |bucket| bucket.max),
            Place::Descriptor(at) => self.descriptors.get(at).map_or(0, |one| one.bucket.max),
        }
    }
}

impl Buckets {
    /// The bucket at a place.
    pub fn get(&self, place: Place) -> Option<&TokenBucket> {
        match place {
            Place::Default => self.default.as_ref(),
            Place::Descriptor(at) => self.descriptors.get(at),
        }
    }

    /// Takes a request's tokens: of the buckets of its descriptors first, the slowest before the
    /// others, then of the default one. The first that has none refuses the request.
    pub fn take(&self, limits: &Limits, descriptors: &[Descriptor], now: Instant) -> Taken {
        let mut first = None;
        let mut shadowed = 0;
        for (at, (limit, bucket)) in limits.descriptors.iter().zip(&self.descriptors).enumerate() {
            let matched = descriptors.iter().find(|one| one.entries == limit.entries);
            let Some(descriptor) = matched else {
                continue;
            };
            let place = Place::Descriptor(at);
            first = first.or(Some(place));
            if bucket.take(hits(descriptor), now) {
                continue;
            }
            if limit.shadow {
                shadowed += 1;
                continue;
            }
            return Taken {
                allowed: false,
                place: Some(place),
                shadowed,
            };
        }
        let default = self.default.as_ref();
        let default = default.filter(|_| first.is_none() || limits.always_default);
        let allowed = default.is_none_or(|bucket| bucket.take(1, now));
        let of_default = default.map(|_| Place::Default);
        Taken {
            allowed,
            place: match allowed {
                true => first.or(of_default),
                false => of_default,
            },
            shadowed,
        }
    }
}

/// How many tokens a descriptor's request takes.
fn hits(descriptor: &Descriptor) -> u32 {
    let count = descriptor.hits_addend.unwrap_or(1);
    u32::try_from(count).unwrap_or(u32::MAX)
}
