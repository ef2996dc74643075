//! Response flags: why a response is what it is (Envoy's access log docs, `%RESPONSE_FLAGS%`).

macro_rules! response_flags {
    ($($(#[$doc:meta])* $name:ident = $short:literal $long:literal,)*) => {
        /// One reason that is seen in `%RESPONSE_FLAGS%`. The order is Envoy's.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum ResponseFlag { $($(#[$doc])* $name),* }

        impl ResponseFlag {
            /// Every flag, in Envoy's order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The short name, as `UF`.
            pub const fn short(self) -> &'static str {
                match self { $(Self::$name => $short),* }
            }

            /// The long name, as `UpstreamConnectionFailure`.
            pub const fn long(self) -> &'static str {
                match self { $(Self::$name => $long),* }
            }
        }
    };
}

response_flags! {
    /// A local health check failed.
    FailedLocalHealthCheck = "LH" "FailedLocalHealthCheck",
    /// No healthy upstream.
    NoHealthyUpstream = "UH" "NoHealthyUpstream",
    /// The upstream took too long.
    UpstreamRequestTimeout = "UT" "UpstreamRequestTimeout",
    /// We reset the upstream stream.
    LocalReset = "LR" "LocalReset",
    /// The upstream reset the stream.
    UpstreamRemoteReset = "UR" "UpstreamRemoteReset",
    /// No upstream connection could be made.
    UpstreamConnectionFailure = "UF" "UpstreamConnectionFailure",
    /// The upstream connection ended.
    UpstreamConnectionTermination = "UC" "UpstreamConnectionTermination",
    /// A circuit breaker is open.
    UpstreamOverflow = "UO" "UpstreamOverflow",
    /// No route.
    NoRouteFound = "NR" "NoRouteFound",
    /// The fault filter delayed.
    DelayInjected = "DI" "DelayInjected",
    /// The fault filter aborted.
    FaultInjected = "FI" "FaultInjected",
    /// Rate limited.
    RateLimited = "RL" "RateLimited",
    /// Denied by the authorization service.
    UnauthorizedExternalService = "UAEX" "UnauthorizedExternalService",
    /// The rate limit service failed.
    RateLimitServiceError = "RLSE" "RateLimitServiceError",
    /// The downstream connection ended.
    DownstreamConnectionTermination = "DC" "DownstreamConnectionTermination",
    /// Retries or connect attempts used up.
    UpstreamRetryLimitExceeded = "URX" "UpstreamRetryLimitExceeded",
    /// The stream was idle for too long.
    StreamIdleTimeout = "SI" "StreamIdleTimeout",
    /// An `x-envoy-*` request header is invalid.
    InvalidEnvoyRequestHeaders = "IH" "InvalidEnvoyRequestHeaders",
    /// The downstream broke the protocol.
    DownstreamProtocolError = "DPE" "DownstreamProtocolError",
    /// The maximum stream duration was reached.
    UpstreamMaxStreamDurationReached = "UMSDR" "UpstreamMaxStreamDurationReached",
    /// Served by a cache.
    ResponseFromCacheFilter = "RFCF" "ResponseFromCacheFilter",
    /// The filter's config was not there.
    NoFilterConfigFound = "NFCF" "NoFilterConfigFound",
    /// The request or connection took too long.
    DurationTimeout = "DT" "DurationTimeout",
    /// The upstream broke the protocol.
    UpstreamProtocolError = "UPE" "UpstreamProtocolError",
    /// No such cluster.
    NoClusterFound = "NC" "NoClusterFound",
    /// The overload manager ended the stream.
    OverloadManager = "OM" "OverloadManagerTerminated",
    /// DNS failed.
    DnsResolutionFailed = "DF" "DnsResolutionFailed",
    /// Overload: dropped.
    DropOverLoad = "DO" "DropOverload",
    /// The downstream reset the stream.
    DownstreamRemoteReset = "DR" "DownstreamRemoteReset",
    /// Unconditional drop overload.
    UnconditionalDropOverload = "UDO" "UnconditionalDropOverload",
}

/// How many flags keep their place; a stream with more shows the rest in the enum's order.
const ORDERED: u32 = 8;

/// A set of [`ResponseFlag`]s that knows in which order they were set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct ResponseFlags {
    bits: u64,
    /// The numbers of the first flags, a byte each, the first one lowest.
    order: u64,
}

impl ResponseFlags {
    /// No flag.
    pub const NONE: Self = Self { bits: 0, order: 0 };

    /// Adds a flag.
    pub fn set(&mut self, flag: ResponseFlag) {
        if self.has(flag) {
            return;
        }
        let count = self.bits.count_ones();
        if count < ORDERED {
            self.order |= (flag as u64) << (8 * count);
        }
        self.bits |= 1 << flag as u8;
    }

    /// Whether the flag is set.
    pub const fn has(self, flag: ResponseFlag) -> bool {
        self.bits & (1 << flag as u8) != 0
    }

    /// Whether no flag is set.
    pub const fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// The flags that are set, in the order in which they were.
    pub fn iter(self) -> impl Iterator<Item = ResponseFlag> {
        let ordered = self.bits.count_ones().min(ORDERED);
        let place = move |at: u32| ((self.order >> (8 * at)) & 0xff) as usize;
        let first = (0..ordered).map(move |at| ResponseFlag::ALL[place(at)]);
        let is_first = move |flag: ResponseFlag| (0..ordered).any(|at| place(at) == flag as usize);
        let rest = ResponseFlag::ALL
            .iter()
            .copied()
            .filter(move |flag| self.has(*flag) && !is_first(*flag));
        first.chain(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_told_in_the_order_in_which_they_were_set() {
        let mut flags = ResponseFlags::NONE;
        let first = [
            ResponseFlag::UpstreamRetryLimitExceeded,
            ResponseFlag::UpstreamRequestTimeout,
        ];
        for flag in first.into_iter().chain(first) {
            flags.set(flag);
        }
        assert_eq!(flags.iter().collect::<Vec<_>>(), first);
        for flag in ResponseFlag::ALL {
            flags.set(*flag);
        }
        assert_eq!(flags.iter().count(), ResponseFlag::ALL.len());
        assert_eq!(flags.iter().take(2).collect::<Vec<_>>(), first);
        assert!(ResponseFlags::NONE.iter().next().is_none());
    }
}
