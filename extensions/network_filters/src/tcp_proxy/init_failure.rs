//! Why there is no upstream connection, by Envoy's numbers.

/// Why there is none.
#[derive(Clone, Copy)]
pub(super) enum InitFailure {
    ConnectFailed,
    NoHealthyUpstream,
    ResourceLimitExceeded,
    NoRoute,
}

impl InitFailure {
    /// `%DOWNSTREAM_LOCAL_CLOSE_REASON%`, with Envoy's spelling.
    pub fn close_reason(self) -> &'static str {
        match self {
            Self::ConnectFailed => "tcp_initializion_failure:0",
            Self::NoHealthyUpstream => "tcp_initializion_failure:1",
            Self::ResourceLimitExceeded => "tcp_initializion_failure:2",
            Self::NoRoute => "tcp_initializion_failure:3",
        }
    }
}
