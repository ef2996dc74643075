//! The facts of one stream or connection, written where they happen; access logs, filters and
//! tests all read them here (Envoy's `StreamInfo`).

pub mod chosen;
pub mod connection_info;
pub mod filter_state;
pub mod override_host;
pub mod protocol;
pub mod proxy_protocol;
pub mod response_flags;
pub mod stream_info;
pub mod timings;
pub mod tls_info;
pub mod upstream_info;
pub mod wanted;

pub use chosen::{ChosenCluster, ChosenRoute, RouteNames, RoutePlace};
pub use connection_info::{
    CloseType, ConnectionInfo, FilterChainInfo, Fingerprints, ListenerInfo, Summary, TurnedAway,
};
pub use filter_state::{FilterState, FilterStateObject, LifeSpan};
pub use override_host::OverrideHost;
pub use protocol::Protocol;
pub use response_flags::{ResponseFlag, ResponseFlags};
pub use stream_info::{BytesMeter, StreamInfo};
pub use timings::Timings;
pub use tls_info::{CertificateInfo, SanKind, SubjectAltName, TlsInfo};
pub use upstream_info::UpstreamInfo;
