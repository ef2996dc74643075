//! What an extension of each kind provides, how its configuration is parsed, and the registry of
//! all of them.
//!
//! An author implements one typed trait (`HttpFilterExtension` and its siblings); the erased
//! factory that the registry lists is a blanket implementation. Extensions are found by the type
//! URL of their configuration, as Envoy finds them; the name in the configuration is free text.

pub mod access_logger;
pub mod health_check_sink;
pub mod http_filter;
pub mod init;
pub mod listener_filter;
pub mod load_balancer;
pub mod network_filter;
pub mod parse_cx;
pub mod registry;
pub mod server_env;
pub mod transport_socket;

pub use access_logger::{AccessLoggerExtension, AccessLoggerFactory};
pub use health_check_sink::{HealthCheckSinkExtension, HealthCheckSinkFactory};
pub use http_filter::{HttpFilterExtension, HttpFilterFactory};
pub use init::{InitTarget, InitTargets};
pub use listener_filter::{ListenerFilterExtension, ListenerFilterFactory};
pub use load_balancer::{LoadBalancerExtension, LoadBalancerFactory};
pub use network_filter::{NetworkFilterExtension, NetworkFilterFactory};
pub use parse_cx::{Invalid, ParseCx, Parsed};
pub use registry::Registry;
pub use server_env::ServerEnv;
pub use transport_socket::{DownstreamSocketExtension, DownstreamSocketFactory};
pub use transport_socket::{UpstreamSocketExtension, UpstreamSocketFactory};
