//! When an access log line was written (`envoy.data.accesslog.v3.AccessLogType`).

/// The moment in the life of a stream or connection that a log line tells about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
#[repr(u8)]
pub enum AccessLogType {
    /// None of the others: what is formatted is no access log.
    #[default]
    NotSet,
    /// The TCP proxy has its upstream connection.
    TcpUpstreamConnected,
    /// From time to time while the TCP proxy works.
    TcpPeriodic,
    /// The end of a TCP connection.
    TcpConnectionEnd,
    /// A new HTTP request.
    DownstreamStart,
    /// From time to time while an HTTP stream lasts.
    DownstreamPeriodic,
    /// The end of an HTTP stream.
    DownstreamEnd,
    /// The router has an upstream connection.
    UpstreamPoolReady,
    /// From time to time while an upstream request lasts.
    UpstreamPeriodic,
    /// The end of an upstream request.
    UpstreamEnd,
    /// An HTTP tunnel was established.
    DownstreamTunnelSuccessfullyEstablished,
    /// A UDP tunnel has its upstream connection.
    UdpTunnelUpstreamConnected,
    /// From time to time while a UDP session lasts.
    UdpPeriodic,
    /// The end of a UDP session.
    UdpSessionEnd,
    /// A TCP connection was accepted by the TCP proxy.
    TcpConnectionStart,
}

impl AccessLogType {
    /// Every type, in the order of Envoy's numbers.
    pub const ALL: [Self; 15] = [
        Self::NotSet,
        Self::TcpUpstreamConnected,
        Self::TcpPeriodic,
        Self::TcpConnectionEnd,
        Self::DownstreamStart,
        Self::DownstreamPeriodic,
        Self::DownstreamEnd,
        Self::UpstreamPoolReady,
        Self::UpstreamPeriodic,
        Self::UpstreamEnd,
        Self::DownstreamTunnelSuccessfullyEstablished,
        Self::UdpTunnelUpstreamConnected,
        Self::UdpPeriodic,
        Self::UdpSessionEnd,
        Self::TcpConnectionStart,
    ];

    /// As `%ACCESS_LOG_TYPE%` prints it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSet => "NotSet",
            Self::TcpUpstreamConnected => "TcpUpstreamConnected",
            Self::TcpPeriodic => "TcpPeriodic",
            Self::TcpConnectionEnd => "TcpConnectionEnd",
            Self::DownstreamStart => "DownstreamStart",
            Self::DownstreamPeriodic => "DownstreamPeriodic",
            Self::DownstreamEnd => "DownstreamEnd",
            Self::UpstreamPoolReady => "UpstreamPoolReady",
            Self::UpstreamPeriodic => "UpstreamPeriodic",
            Self::UpstreamEnd => "UpstreamEnd",
            Self::DownstreamTunnelSuccessfullyEstablished => {
                "DownstreamTunnelSuccessfullyEstablished"
            }
            Self::UdpTunnelUpstreamConnected => "UdpTunnelUpstreamConnected",
            Self::UdpPeriodic => "UdpPeriodic",
            Self::UdpSessionEnd => "UdpSessionEnd",
            Self::TcpConnectionStart => "TcpConnectionStart",
        }
    }
}
